"""What a study ends with: the table on the console and the page."""

from experiments.study import summarise


def test_study_ends_with_a_table_and_a_page(runs, tmp_path, capsys):
    folders = [runs.run("sum", "seed-0", trained=False, strength=1.0).path]
    folders += [runs.run("qure", f"seed-{seed}", seed=seed, strength=3.0).path for seed in (0, 1)]
    runs.run("another_study", "seed-0")
    page = tmp_path / "page.html"
    summarise(folders, page)
    shown = capsys.readouterr().out
    assert "recall@1" in shown and "qure (2 seeds)" in shown and "sum (baseline)" in shown
    assert "another_study" not in shown
    assert str(page) in shown and "recall@1" in page.read_text()

import numpy as np
import pytest
import torch
from rich.console import Console

from experiments.report.arms import sections
from experiments.report.comparison import best_of, marks_against
from experiments.report.load import load
from experiments.report.rows import choose_baseline, rows
from experiments.report.table import caption, console_table, duration, markdown_table, percent
from requery.errors import ConfigError
from requery.ranking.significance import paired_bootstrap


@pytest.fixture
def arms(runs):
    runs.run("image", strength=0.3, trained=False)
    runs.run("sum", strength=0.8, trained=False)
    runs.run("info_nce", strength=3.0, notes={"queries_with_unreadable_images": 2, "nothing": 0})
    for seed in range(3):
        runs.run("two_drop", f"s{seed}", strength=3.0, seed=seed)
    return sections(load([runs.root]).tested)[0][0].arms


def row(arms, name, **options):
    return next(row for row in rows(arms, **options) if row.name == name)


def test_order_is_baseline_then_upwards_then_ceiling(arms):
    table = rows(arms)
    assert [row.name for row in table[:2]] == ["sum", "image"] and table[-1].kind == "ceiling"
    middle = [row.cells["recall@1"].value for row in table[1:-1]]
    assert middle == sorted(middle)


def test_one_seed_shows_the_recorded_interval(arms):
    arm = next(arm for arm in arms if arm.name == "info_nce")
    entry = arm.runs[0].metrics["metrics"]["map@10"]
    cell = row(arms, "info_nce").cells["map@10"]
    assert (cell.value, cell.low, cell.high) == (entry["value"], entry["low"], entry["high"])
    assert cell.spread is None


def test_seeds_show_mean_spread_and_the_interval_of_the_averages(arms):
    arm = next(arm for arm in arms if arm.name == "two_drop")
    cell = row(arms, "two_drop").cells["recall@5"]
    means = [run.metrics["metrics"]["recall@5"]["value"] for run in arm.runs]
    values = torch.from_numpy(arm.values("recall@5"))
    expected = paired_bootstrap(values, torch.zeros_like(values))
    assert cell.value == pytest.approx(np.mean(means)) and cell.spread == pytest.approx(np.std(means, ddof=1))
    assert (cell.low, cell.high) == (expected.low, expected.high)


def test_marks_and_bold_follow_the_corrected_tests(arms):
    table = {r.name: r for r in rows(arms)}
    assert table["info_nce"].cells["recall@1"].mark == "better"
    assert table["image"].cells["recall@1"].mark in ("", "worse")
    assert table["sum"].cells["recall@1"].mark == ""
    best = {name for name, r in table.items() if r.kind != "ceiling" and r.cells["recall@1"].best}
    assert best and best <= {"info_nce", "two_drop"}


def test_marks_are_corrected_for_the_number_of_comparisons():
    base = np.zeros(60)
    near = np.zeros(60)
    near[:7] = 1  # seven wins, no loss: p = 2 / 2**7 = 0.016 alone
    assert marks_against({"base": {"m": base}, "near": {"m": near}}, "base") == {("near", "m"): "better"}
    crowd = {f"other{i}": {"m": base} for i in range(4)}
    assert marks_against({"base": {"m": base}, "near": {"m": near}, **crowd}, "base") == {}


def test_a_query_without_a_subset_is_left_out_of_the_comparison():
    a = np.array([1.0] * 12 + [np.nan])
    b = np.array([0.0] * 12 + [np.nan])
    assert marks_against({"a": {"m": a}, "b": {"m": b}}, "b") == {("a", "m"): "better"}


def test_nobody_is_best_where_nothing_differs():
    draw = np.random.default_rng(0)
    same = {name: {"m": draw.random(50)} for name in "abc"}
    assert best_of(same, "m") == set()
    assert best_of({**same, "top": {"m": np.ones(50)}}, "m") == {"top"}


def test_baseline_is_the_best_training_free_arm_or_the_one_named(arms):
    assert choose_baseline(arms).name == "sum"
    assert choose_baseline(arms, "two_drop").name == "two_drop"
    assert row(arms, "two_drop", baseline="two_drop").kind == "baseline"
    with pytest.raises(ConfigError, match="no arm is called 'twodrop'; choose one of image, info_nce"):
        choose_baseline(arms, "twodrop")


def test_cost_false_negatives_and_notes(arms):
    two_drop, free = row(arms, "two_drop"), row(arms, "sum")
    assert two_drop.seconds == 61.0 and free.seconds is None
    assert two_drop.false_negatives == pytest.approx(np.mean([0.01, 0.02, 0.03, 0.04, 0.05]))
    assert free.false_negatives is None
    assert row(arms, "info_nce").notes == ("queries with unreadable images: 2",)


def test_two_protocols_are_never_one_table(runs):
    runs.run("a")
    runs.run("b", protocol="shapes/composed@2")
    both = [arm for section in sections(load([runs.root]).tested)[0] for arm in section.arms]
    with pytest.raises(ConfigError, match="one table holds one protocol"):
        rows(both)


def test_markdown_and_console_say_the_same(arms):
    text = markdown_table(arms)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert lines[0].startswith("| arm | recall@1 | recall@5") and lines[0].endswith(
        "| false negatives | train time |"
    )
    assert len({line.count("|") for line in lines}) == 1
    assert "shapes/composed@1, test: 42 queries, gallery of 84" in text
    assert "sum (baseline)" in text and "two_drop (3 seeds)" in text and "ceiling (oracle)" in text
    console = Console(width=200, record=True, file=open("/dev/null", "w"))
    console.print(console_table(arms))
    printed = console.export_text()
    cell = row(arms, "info_nce").cells["recall@1"]
    for part in (f"{percent(cell.value)}▲", f"[{percent(cell.low)}, {percent(cell.high)}]", "61 s", "3.00"):
        assert part in text and part in printed
    assert caption(rows(arms)) in text


@pytest.mark.parametrize(
    "seconds,text", [(None, "–"), (3.14, "3.1 s"), (61, "61 s"), (600, "10.0 min"), (9000, "2.5 h")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text

import json
import os
import time

import numpy as np
import pytest

from requery.errors import RunError
from requery.files import GRACE
from requery.lock import LOCK, InUse, held
from requery.record import RunFolder, read
from tests.another import another, holding


@pytest.fixture
def folder(tmp_path):
    """A run folder with what every run has."""
    folder = RunFolder.create(tmp_path, "demo", "one")
    folder.file("config.yaml").write_text("seed: 1\nmodel: {lr: 0.1}\n")
    folder.write_environment({"train": "abc"}, seed=1)
    return folder


def test_new_names_are_unique_and_sort_by_age(tmp_path):
    names = [RunFolder.create(tmp_path, "demo").name for _ in range(5)]
    assert len(set(names)) == 5
    assert [name[:19] for name in names] == sorted(name[:19] for name in names)
    assert sorted(p.name for p in (tmp_path / "demo").iterdir()) == sorted(names)


def test_a_taken_name_is_refused_with_both_remedies(tmp_path):
    RunFolder.create(tmp_path, "demo", "one")
    with pytest.raises(RunError, match=r"--resume one or choose another --run"):
        RunFolder.create(tmp_path, "demo", "one")
    RunFolder.create(tmp_path, "other", "one")


def test_a_run_appears_with_its_config_and_locked(tmp_path):
    config = {"model": {"lr": 0.1}, "note": "grün"}
    folder = RunFolder.create(tmp_path, "demo", "one", config)
    assert sorted(path.name for path in folder.path.iterdir()) == [LOCK, "config.yaml"]
    assert folder.file("config.yaml").read_text() == "model:\n  lr: 0.1\nnote: grün\n"
    assert held(folder.file(LOCK)) and [path.name for path in folder.path.parent.iterdir()] == ["one"]


def test_a_killed_creation_leaves_the_name_free(tmp_path):
    code = (
        "import sys; from requery import record; from requery.record import RunFolder\n"
        "def stop(*_): print('ready', flush=True); sys.stdin.read()\n"
        "RunFolder.write_yaml = stop; RunFolder.create(sys.argv[1], 'demo', 'one')"
    )
    with another(code, tmp_path) as process:
        process.kill()
        process.wait()
        (left,) = (tmp_path / "demo").iterdir()
        assert left.name.startswith(".one.")
        os.utime(left, (time.time() - 2 * GRACE,) * 2)
        RunFolder.create(tmp_path, "demo", "one")
    assert [path.name for path in (tmp_path / "demo").iterdir()] == ["one"], "and what was left is swept"


def test_a_new_name_that_exists_is_drawn_again(tmp_path, monkeypatch):
    names = iter(["a", "a", "b"])
    monkeypatch.setattr("requery.record._new_name", lambda: next(names))
    assert [RunFolder.create(tmp_path, "demo").name for _ in range(2)] == ["a", "b"]


def test_a_name_in_use_is_refused_by_its_process(tmp_path):
    path = RunFolder.create(tmp_path, "demo", "one").path
    RunFolder(path).remove()
    path.mkdir()
    (path / "config.yaml").write_text("{}")
    with holding(path) as process:
        for act in (
            lambda: RunFolder.create(tmp_path, "demo", "one"),
            RunFolder(path).open,
            RunFolder(path).remove,
        ):
            with pytest.raises(InUse, match=rf"one is in use by process {process.pid}"):
                act()
        assert path.exists()


def test_a_folder_that_is_no_run_is_not_called_one(tmp_path):
    (tmp_path / "demo" / "one").mkdir(parents=True)
    (tmp_path / "demo" / "one" / "x").touch()
    with pytest.raises(RunError, match="is no run; choose another --run or remove it"):
        RunFolder.create(tmp_path, "demo", "one")


def test_opening_sweeps_and_removing_leaves_nothing(folder):
    left = folder.file("checkpoints/.last.ckpt.12-0123abcd.tmp")
    left.parent.mkdir()
    left.touch()
    folder.open()
    assert not left.exists()
    folder.remove()
    assert list(folder.path.parent.iterdir()) == []


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "/abs", "my run", "a\\b"])
def test_a_name_is_one_plain_folder(tmp_path, name):
    with pytest.raises(RunError, match="plain folder name"):
        RunFolder.create(tmp_path, "demo", name)
    with pytest.raises(RunError, match="plain folder name"):
        RunFolder.create(tmp_path, name, "one")


def test_an_unwritable_root_is_named_with_a_remedy(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"file.*cannot be written .*choose another folder"):
        RunFolder.create(tmp_path / "file", "demo")


def test_what_is_written_is_read_back(folder):
    folder.write_status("failed", ["fit", "--x"], "ValueError: no")
    folder.write_json("cost.json", {"total_seconds": 1.5, "peak_memory_bytes": 3, "stages": {}})
    folder.write_json("metrics.json", {"protocol": "p@1", "notes": {"naïve": (1, 2)}})
    folder.append_history({"epoch": 0, "step": 10, "train/loss": 0.1 + 0.2})
    folder.write_table(
        "ranks.parquet", {"query_id": ["a", "b"], "target_rank": [1, 2], "top_ids": [["x"], []]}
    )
    record = read(folder.path)
    assert (record.name, record.experiment, record.config["model"]) == ("one", "demo", {"lr": 0.1})
    assert record.environment["data"] == {"train": "abc"} and record.environment["seed"] == 1
    assert record.status == {"state": "failed", "command": ["fit", "--x"], "message": "ValueError: no"}
    assert record.cost["total_seconds"] == 1.5
    assert record.metrics == {"protocol": "p@1", "notes": {"naïve": [1, 2]}}
    assert record.history == [{"epoch": 0, "step": 10, "train/loss": 0.1 + 0.2}]
    assert record.ranks["query_id"].tolist() == ["a", "b"]
    assert record.ranks["target_rank"].dtype == np.int64
    assert [row.tolist() for row in record.ranks["top_ids"]] == [["x"], []]


def test_parts_not_written_yet_are_empty(folder):
    record = read(folder.path)
    assert (record.status, record.cost, record.history, record.metrics, record.ranks) == (
        None,
        None,
        [],
        None,
        None,
    )


def test_a_repeated_epoch_replaces_its_row_and_later_ones(folder):
    for epoch, loss in [(0, 3.0), (1, 2.0), (2, 1.0), (1, 2.5)]:
        folder.append_history({"epoch": epoch, "train/loss": loss})
    assert [(row["epoch"], row["train/loss"]) for row in read(folder.path).history] == [(0, 3.0), (1, 2.5)]


def test_text_with_unicode_line_breaks_stays_one_line(folder):
    folder.append_history({"epoch": 0, "note": "a\u2028b\u0085c"})
    assert read(folder.path).history == [{"epoch": 0, "note": "a\u2028b\u0085c"}]


def test_numbers_that_are_not_finite_are_null_in_json(folder):
    folder.append_history({"epoch": 0, "train/loss": float("nan")})
    folder.write_json("metrics.json", {"x": [float("inf"), 1.0], "y": {"z": float("-inf")}})
    line = folder.file("history.jsonl").read_text()
    assert (
        json.loads(line, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))["train/loss"] is None
    )
    assert read(folder.path).metrics == {"x": [None, 1.0], "y": {"z": None}}


def test_data_hashes_of_an_earlier_command_are_kept(folder):
    folder.write_environment({"test": "def"}, seed=1)
    assert read(folder.path).environment["data"] == {"train": "abc", "test": "def"}


def test_a_state_must_be_known(folder):
    with pytest.raises(ValueError, match="none of"):
        folder.write_status("done", [])


@pytest.mark.parametrize("name", ["config.yaml", "environment.json"])
def test_a_folder_without_them_is_no_run_folder(folder, name):
    folder.file(name).unlink()
    with pytest.raises(RunError, match=rf"{name} is missing: .*not a run folder"):
        read(folder.path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.yaml", b"a: [1"),
        ("config.yaml", b"- 1\n"),
        ("config.yaml", b"a: !!python/object/apply:os.getcwd []\n"),
        ("environment.json", b'{"a": '),
        ("environment.json", b"[]"),
        ("metrics.json", b"\xff\xfe"),
        ("cost.json", b""),
        ("history.jsonl", b'{"epoch": 0}\n{"epo'),
        ("history.jsonl", b'{"step": 0}\n'),
        ("history.jsonl", b"3\n"),
        ("ranks.parquet", b"PAR1 and nothing else"),
    ],
)
def test_a_damaged_file_is_named(folder, name, content):
    folder.file(name).write_bytes(content)
    with pytest.raises(RunError, match=rf"(?s){name} is damaged .*run the command that wrote it again"):
        read(folder.path)


def test_ranks_are_written_whole_or_not_at_all(folder):
    with pytest.raises(ValueError):
        folder.write_table("ranks.parquet", {"a": [1, 2], "b": [1]})
    assert not folder.file("ranks.parquet").exists()
    assert [path.name for path in folder.path.glob(".*")] == [LOCK]

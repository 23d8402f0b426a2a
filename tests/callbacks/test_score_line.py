from types import SimpleNamespace

import pytest

from callbacks.score_line import ScoreLine, score_line
from requery.record import RunFolder

RECORD = {
    "protocol": "cirr/val@1",
    "split": "val",
    "n_gallery": 2297,
    "metrics": {
        "recall@1": {"value": 0.5, "low": 0.4, "high": 0.62, "n": 4181},
        "map@10": {"value": 0.25, "low": None, "high": None, "n": 4181},
    },
    "notes": {"images_skipped": 12, "queries_dropped": 1030},
}
LINE = (
    "cirr/val@1 (val, 4,181 queries, gallery of 2,297): recall@1 50.0 [40.0, 62.0] · map@10 25.0 [–, –]"
    " · 12 images skipped, 1,030 queries dropped"
)


def finish(folder, command, tested=True, rank_zero=True):
    task = SimpleNamespace(
        protocol=SimpleNamespace(key="cirr/test1@1"), split="test", shift=None, notes={"images_skipped": 3}
    )
    trainer = SimpleNamespace(is_global_zero=rank_zero, state=SimpleNamespace(fn=command))
    module = SimpleNamespace(tested=SimpleNamespace(task=task) if tested else None)
    ScoreLine(folder).teardown(trainer, module, command)


def test_the_line_says_protocol_size_metrics_and_what_is_left_out():
    assert score_line(RECORD) == LINE
    assert score_line({**RECORD, "notes": {}}) == LINE.rpartition(" · ")[0]


@pytest.mark.parametrize(("command", "file"), [("test", "metrics.json"), ("validate", "validation.json")])
def test_it_is_what_the_folder_holds(tmp_path, capsys, command, file):
    RunFolder(tmp_path).write_json(file, RECORD)
    finish(tmp_path, command)
    assert capsys.readouterr().out == LINE + "\n"


def test_predictions_say_what_is_left_out(tmp_path, capsys):
    finish(tmp_path, "predict")
    assert capsys.readouterr().out == "cirr/test1@1 (test): 3 images skipped\n"


@pytest.mark.parametrize("case", [{"tested": False}, {"rank_zero": False}])
def test_silent_where_nothing_was_measured_or_another_process_says_it(tmp_path, capsys, case):
    finish(tmp_path, "test", **case)
    finish(tmp_path, "fit")
    assert capsys.readouterr().out == ""


def test_a_shift_stands_beside_the_split():
    record = {"protocol": "cirr/val@1", "split": "val", "shift": "snow@5", "metrics": {}, "notes": {}}
    assert score_line(record) == "cirr/val@1 (val, snow@5): "

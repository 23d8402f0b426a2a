"""A sweep's folder as figures, as a section of the page and as figure files."""

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from experiments.__main__ import main
from experiments.report.coordinates import coordinates
from experiments.report.importance_bars import importance_bars
from experiments.report.load import load
from experiments.report.standalone import document
from experiments.report.sweeps import sweep_view
from experiments.report.trials import read_trials, short_names
from requery.errors import RunError

LR, KIND, STEPS, N = "model.init_args.lr", "model.init_args.kind", "model.init_args.steps", "data.init_args.n"


def parameter(name, values=(), low=0.0, high=0.0, log=False, whole=False):
    return {
        "name": name,
        "values": list(values),
        "low": low,
        "high": high,
        "step": None,
        "log": log,
        "whole": whole,
    }


def trial(number, state, value, lr, kind="top_k", steps=2, reason=None):
    settings = {LR: lr, KIND: kind, STEPS: steps, N: 6}
    epochs = None if value is None else 4
    return {
        "number": number,
        "state": state,
        "value": value,
        "epochs": epochs,
        "settings": settings,
        "reason": reason,
    }


TRIALS = [
    trial(0, "finished", 0.25, 1e-4),
    trial(1, "finished", 0.5, 1e-3, "two_drop_window_of_many"),
    trial(2, "pruned", 0.1, 1e-1, steps=3),
    trial(3, "failed", None, 1e-2, reason="CUDA <out of> memory"),
    trial(4, "running", None, 1e-2),
    trial(5, "finished", 0.4, 1e-3),
]


@pytest.fixture
def write(tmp_path):
    """Write a sweep's folder with some of its content changed."""

    def write(**changes):
        parameters = [
            parameter(LR, low=1e-4, high=1e-1, log=True),
            parameter(KIND, ["top_k", "two_drop_window_of_many"]),
            parameter(STEPS, low=1, high=3, whole=True),
            parameter(N, [6]),
        ]
        content = {
            "mark": "ab",
            "method": "bayes",
            "metric": "val/map@10",
            "goal": "maximize",
            "command": "fit",
            "fixed": ["--config=a.yaml"],
            "parameters": parameters,
            "halving": None,
            "trials": TRIALS,
            "importances": {LR: 0.7, STEPS: 0.3, KIND: 0.0},
        }
        folder = tmp_path / "runs" / "qure"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "sweep.json").write_text(json.dumps({**content, **changes}))
        return folder

    return write


def texts(figure):
    found = [
        text.text
        for text in ElementTree.fromstring(document(figure)).iter("{http://www.w3.org/2000/svg}text")
    ]
    return [text for text in found if text]


def lines(figure):
    drawn = ElementTree.fromstring(document(figure)).iter("{http://www.w3.org/2000/svg}g")
    return [group[0] for group in drawn if group.get("opacity")]


def points(line):
    return [tuple(map(float, place.split())) for place in line.get("d")[1:].split("L")]


def test_trials_are_ranked(write):
    found = read_trials(write())
    assert [trial.number for trial in found.ranked] == [1, 5, 0, 2, 4, 3]
    assert found.best.name == "trial-001" and found.varied == [LR, KIND, STEPS]
    assert [trial.number for trial in read_trials(write(goal="minimize")).ranked][:3] == [0, 5, 1]


def test_a_damaged_file_is_named(write):
    folder = write(trials=[{"number": 0}])
    with pytest.raises(RunError, match=r"sweep\.json is damaged"):
        read_trials(folder)
    assert "is damaged" in load([folder]).problems[0].reason


def test_names_are_as_short_as_they_can_be():
    assert short_names(["a.lr", "a.b.steps", "a.c.steps"]) == ["lr", "b.steps", "c.steps"]


def test_a_line_goes_through_the_settings_to_the_value(write):
    drawn = lines(coordinates(read_trials(write())))
    assert len(drawn) == 4, "a trial without value has no line"
    by_name = {line[0].text.partition(":")[0]: points(line) for line in drawn}
    assert list(by_name)[-1] == "trial-001", "the best is on top"
    best, worst, pruned = by_name["trial-001"], by_name["trial-000"], by_name["trial-002"]
    assert [x for x, _ in best] == [x for x, _ in worst] and len(best) == 4
    low, high = worst[0][1], pruned[0][1]
    assert best[0][1] == pytest.approx(low + (high - low) / 3, abs=0.1), "the axis is logarithmic"
    assert worst[1][1] == low and best[1][1] == high, "first and last choice"
    assert best[3][1] < worst[3][1] < pruned[3][1], "better is higher"
    flipped = lines(coordinates(read_trials(write(goal="minimize"))))
    assert points(flipped[-1])[3][1] < points(flipped[-2])[3][1]


def test_axes_are_named_and_ticks_are_those_of_the_setting(write):
    found = texts(coordinates(read_trials(write())))
    assert {"lr", "kind", "steps", "val/map@10, %", "0.0001", "two_drop_window…", "1", "3"} <= set(found)
    assert "1.5" not in found and N not in found
    assert "trial-001, the best: 50.0" in found and "pruned" in found


def test_a_sweep_without_values_cannot_be_drawn(write):
    folder = write(trials=TRIALS[3:5], importances=None)
    with pytest.raises(RunError, match="no trial has a value yet"):
        coordinates(read_trials(folder))
    with pytest.raises(RunError, match="no importances yet"):
        importance_bars(read_trials(folder))
    assert sweep_view(folder).pictures == []


def test_bars_are_as_long_as_their_shares(write):
    figure = importance_bars(read_trials(write()))
    bars = [
        p.get("d") for p in ElementTree.fromstring(document(figure)).iter("{http://www.w3.org/2000/svg}path")
    ]
    lengths = [float(d.split("h")[1].split("v")[0]) for d in bars]
    assert lengths[1] == pytest.approx(lengths[0] * 3 / 7, abs=0.1) and lengths[2] == 0
    assert texts(figure)[3:-2] == ["70 %", "steps", "30 %", "kind", "0 %"]


def test_the_page_has_the_sweep_in_place_of_its_trials(write, tmp_path):
    folder = write()
    (folder / "trial-000").mkdir()
    (folder / "trial-000" / "config.yaml").touch()
    loaded = load([tmp_path / "runs"])
    assert [view.name for view in loaded.sweeps] == ["qure"] and not loaded.problems
    assert load([folder / "trial-000"]).problems, "a trial given by its folder is read as a run"
    assert main(["report", str(tmp_path / "runs"), f"--output={tmp_path / 'page.html'}"]) == 0
    page = (tmp_path / "page.html").read_text()
    assert "3 finished, 1 pruned, 1 failed, 1 running" in page and "fit --config=a.yaml" in page
    assert "CUDA &lt;out of&gt; memory" in page and "qure: importance of settings" in page


@pytest.mark.parametrize(
    ("x", "title"), [("settings", "val/map@10 by settings"), ("importance", "importance of")]
)
def test_figures_are_written(write, tmp_path, capsys, x, title):
    out = tmp_path / "figure.svg"
    assert main(["figure", str(write()), f"--x={x}", f"--out={out}"]) == 0
    assert title in capsys.readouterr().out and title in out.read_text()


def test_other_figures_are_not_a_sweeps(write, tmp_path, capsys):
    assert main(["figure", str(write()), "--x=lr", f"--out={tmp_path / 'figure.svg'}"]) == 2
    assert "is a sweep: draw it with --x settings or --x importance alone" in capsys.readouterr().err
    assert not Path(tmp_path / "figure.svg").exists()

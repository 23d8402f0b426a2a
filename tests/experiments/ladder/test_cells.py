from pathlib import Path

import pytest

from experiments import ladder as ladders
from experiments.ladder.bench import require_fitting
from experiments.ladder.cells import cells, segments
from experiments.ladder.command import main, seconds
from experiments.ladder.settings import METHODS, read_ladder
from requery.errors import ConfigError

FOLDER = Path(ladders.__file__).parent


def test_every_combination_meets_every_shift(ladder_file):
    ladder, _ = read_ladder(ladder_file())
    found = cells(ladder)
    assert len(found) == len(set(found)) == (4 + 8) * 2
    assert {cell.method for cell in found if cell.task == "composed"} == {
        "none",
        "adaptation",
        "feedback",
        "trained",
        "adaptation+feedback",
        "adaptation+trained",
        "feedback+trained",
        "adaptation+feedback+trained",
    }


def test_what_tells_most_comes_first(ladder_file):
    def change(made):
        made["tasks"]["composed"]["shifts"] = {"brightness": [1, 5]}

    ladder, _ = read_ladder(ladder_file(change))
    found = cells(ladder)

    def kind(cell):
        task = ladder.tasks[cell.task]
        return cell.segment.severity == 1, 1 < len(cell.methods) < len(task.methods), bool(cell.methods)

    assert [kind(cell) for cell in found] == sorted(kind(cell) for cell in found)
    assert [s.severity for s in segments(ladder.tasks["composed"])] == [0, 1, 5]


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("metric", "recall@7", "recall@7"),
        ("shifts", {"brightnes": [3]}, "did you mean brightness"),
        ("shifts", {"brightness": [9]}, "severit"),
        ("expansion", {"generator": {"checkpoint": "x"}}, "questions are asked in knowledge"),
    ],
)
def test_what_does_not_fit_is_said_before_anything_is_loaded(ladder_file, key, value, said):
    def change(made):
        made["tasks"]["composed"][key] = value

    ladder, _ = read_ladder(ladder_file(change))
    with pytest.raises(ConfigError, match=said):
        for name, task in ladder.tasks.items():
            require_fitting(name, task)


def test_an_unknown_setting_is_named(ladder_file):
    def change(made):
        made["tasks"]["composed"]["backbon"] = "x"

    with pytest.raises(ConfigError, match="backbon"):
        read_ladder(ladder_file(change))
    with pytest.raises(ConfigError, match="a ladder has tasks"):
        read_ladder([])


def test_times():
    assert [seconds(text) for text in ("90", "90s", "10m", "1.5h")] == [90, 90, 600, 5400]


def test_help_names_the_budget(capsys):
    main("ladder", ["--help"])
    assert "--budget" in capsys.readouterr().out


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.name)
def test_shipped_ladders_fit(path, monkeypatch):
    monkeypatch.chdir(FOLDER.parents[1])
    ladder, _ = read_ladder(["--config", str(path)])
    for name, task in ladder.tasks.items():
        require_fitting(name, task)
    assert {method for task in ladder.tasks.values() for method in task.methods} == set(METHODS)

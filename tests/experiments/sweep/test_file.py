"""Every sweep file is one that W&B takes and that parses against the signatures it names."""

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft7Validator, FormatChecker

from experiments.cli import resolve
from experiments.sweep.file import Halving, check, read_sweep
from requery.errors import ConfigError

ROOT = Path(__file__).resolve().parents[3]
FILES = sorted((ROOT / "experiments" / "sweeps").glob("*.yaml"))
SCHEMA = json.loads((ROOT / "tests" / "fixtures" / "wandb" / "sweep_schema.json").read_text())
FORMATS = FormatChecker()
FORMATS.checks("float")(lambda value: isinstance(value, float))
FORMATS.checks("integer")(lambda value: isinstance(value, int))


def complaints(content):
    return [error.message for error in Draft7Validator(SCHEMA, format_checker=FORMATS).iter_errors(content)]


def test_there_is_a_file_for_each_search():
    assert {read_sweep(path).method for path in FILES} == {"grid", "random", "bayes"}
    assert len({read_sweep(path).name for path in FILES}) == len(FILES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_wandb_takes_it(path):
    content = yaml.safe_load(path.read_text())
    assert complaints(content) == []
    assert all("." in key for key in content["parameters"]), "W&B hands over flat keys"
    assert complaints({**content, "metod": "grid"}) != []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_parses_against_the_signatures(path, monkeypatch):
    monkeypatch.chdir(ROOT)
    check(read_sweep(path), path)


def test_the_words_of_wandbs_agent_mean_the_same(monkeypatch):
    monkeypatch.chdir(ROOT)
    sweep = read_sweep(ROOT / "experiments" / "sweeps" / "feedback.yaml")
    settings = next(given for given in sweep.extremes() if any(value is True for value in given.values()))
    words = [f"--{key}={value}" for key, value in settings.items()]  # `create_sweep_command_args` of wandb
    assert any(word.endswith("=True") for word in words)
    ours = resolve(sweep.command, sweep.args(settings))
    assert resolve(sweep.command, [*sweep.fixed, *words]) == ours


@pytest.fixture
def write(tmp_path, config):
    """Write a sweep of the dummy experiment with some keys changed; None removes one."""

    def write(**changes):
        content = {
            "command": ["${env}", "python", "-m", "experiments", "fit", f"--config={config}", "${args}"],
            "method": "random",
            "metric": {"name": "val/recall@1", "goal": "maximize"},
            "parameters": {"model.init_args.lr": {"min": 0.1, "max": 0.5}, "data.init_args.n": {"value": 6}},
        }
        content = {key: value for key, value in {**content, **changes}.items() if value is not None}
        path = tmp_path / "small.yaml"
        path.write_text(yaml.safe_dump(content))
        return path

    return write


def test_a_file_says_what_a_trial_runs(write, config):
    sweep = read_sweep(write(), ["--trainer.max_epochs=2"])
    assert (sweep.name, sweep.command, sweep.sign, sweep.size, sweep.cap) == ("small", "fit", 1, None, None)
    assert sweep.extremes() == [
        {"model.init_args.lr": 0.1, "data.init_args.n": 6},
        {"model.init_args.lr": 0.5, "data.init_args.n": 6},
    ]
    assert sweep.args({"model.init_args.lr": 1e-5, "data.init_args.n": 6}) == [
        f"--config={config}",
        "--trainer.max_epochs=2",
        "--model.init_args.lr=1e-05",
        "--data.init_args.n=6",
    ]


def test_a_grid_has_a_size(write):
    parameters = {"model.init_args.knob": {"min": 1, "max": 3}, "data.init_args.n": {"values": [4, 6]}}
    assert read_sweep(write(method="grid", parameters=parameters)).size == 6


# Bands as W&B's documentation and its code have them.
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"min_iter": 3}, Halving(3, 3)),
        ({"min_iter": 1, "eta": 2}, Halving(1, 2)),
        ({"max_iter": 27, "s": 2}, Halving(3, 3)),
        ({"max_iter": 5, "s": 2, "eta": 2}, Halving(1, 2)),
        ({"max_iter": 5, "s": 9, "eta": 2}, Halving(1, 2)),
    ],
)
def test_bands_are_wandbs(write, given, expected):
    assert read_sweep(write(early_terminate={"type": "hyperband", **given})).halving == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metod": "grid"}, r"unknown key metod: did you mean method\?"),
        ({"method": "custom"}, "method is 'custom'; it is one of grid, random, bayes"),
        ({"method": None}, "method is None"),
        ({"method": "grid"}, r"a grid of model\.init_args\.lr has no end"),
        ({"command": None}, r"command is None; write \[\$\{env\}, python, -m, experiments"),
        ({"command": ["${env}", "python", "train.py", "${args}"]}, "write"),
        ({"command": ["${env}", "python", "-m", "experiments", "fit", "--config=a"]}, "write"),
        ({"command": ["${env}", "python", "-m", "experiments", "study", "${args}"]}, "'study'; it is one of"),
        ({"command": ["${env}", "python", "-m", "experiments", "fit", {"a": 1}, "${args}"]}, "in quotes"),
        (
            {"command": ["${env}", "python", "-m", "experiments", "fit", "${program}", "${args}"]},
            r"command holds \$\{program\}",
        ),
        ({"metric": None}, "needs `metric`"),
        ({"metric": {"name": "recall@1", "goal": "maximize"}}, "begins with val/"),
        ({"metric": {"name": "val/recall@1"}}, "metric.goal is None; it is one of maximize, minimize"),
        ({"metric": {"name": "val/a", "goal": "maximize", "target": 1}}, "metric: unknown key target"),
        ({"parameters": {}}, "needs `parameters`"),
        ({"parameters": {"model.init_args.lr": {"value": 1}}}, "no parameter varies"),
        ({"name": "a b"}, "a name is made of"),
        ({"run_cap": 0}, "run_cap is 0"),
        ({"early_terminate": {"type": "median"}}, "type is 'median'; it is one of hyperband"),
        ({"early_terminate": {"type": "hyperband"}}, "give min_iter, or max_iter and s"),
        (
            {"early_terminate": {"type": "hyperband", "min_iter": 0}},
            "min_iter is 0; give an integer, at least 1",
        ),
        (
            {"early_terminate": {"type": "hyperband", "min_iter": 1, "eta": 1.5}},
            "eta is 1.5; give an integer",
        ),
        ({"early_terminate": {"type": "hyperband", "max_iter": 2, "s": 1}}, "no epoch to stop at"),
        ({"early_terminate": {"type": "hyperband", "miniter": 1}}, r"did you mean min_iter\?"),
    ],
)
def test_what_is_wrong_is_named(write, changes, message):
    path = write(**changes)
    with pytest.raises(ConfigError, match=message) as error:
        read_sweep(path)
    assert str(error.value).startswith(str(path))


def test_a_test_is_not_stopped_early(write, config):
    command = ["${env}", "python", "-m", "experiments", "test", f"--config={config}", "${args}"]
    metric = {"name": "test/loss", "goal": "minimize"}
    assert read_sweep(write(command=command, metric=metric)).sign == -1
    with pytest.raises(ConfigError, match="test has no epochs to stop after"):
        read_sweep(
            write(command=command, metric=metric, early_terminate={"type": "hyperband", "min_iter": 1})
        )


@pytest.mark.parametrize(
    ("key", "entry", "message"),
    [
        ("model.init_args.rate", {"values": [1, 2]}, "rate"),
        ("model.init_args.knob", {"values": [1, "many"]}, "many"),
        ("modle.lr", {"values": [1, 2]}, r"modle\.lr"),
    ],
)
def test_a_setting_that_the_command_does_not_know_is_named_with_the_file(write, key, entry, message):
    path = write(parameters={key: entry})
    with pytest.raises(ConfigError, match=message) as error:
        check(read_sweep(path), path)
    assert str(error.value).startswith(f"{path}: ")

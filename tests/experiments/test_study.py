import json

import pytest
import yaml

from experiments import study as module
from experiments.cli import resolve
from experiments.study import execute, main
from experiments.study_file import plan, read_study
from requery.errors import ConfigError, RunError
from requery.record import RunFolder

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def study(config):
    """A study of two arms on the dummy experiment."""
    path = config.with_name("pair.yaml")
    arms = [
        {
            "name": "trained",
            "config": "toy.yaml",
            "overrides": {"model.knob": 5, "model.method": {"steps": 2}},
        },
        {"name": "untrained", "config": "toy.yaml", "command": "test"},
    ]
    path.write_text(yaml.safe_dump({"arms": arms, "overrides": {"data.n": 6}}))
    return path


def runs_of(study, seeds=(0,)):
    return plan(read_study(study), study, seeds, study.parent / "runs")


@pytest.fixture
def commands(monkeypatch):
    """The commands that are really run, in order."""
    from experiments import cli

    done = []

    def spy(command, args, original=cli.run):
        done.append(command)
        return original(command, args)

    monkeypatch.setattr(cli, "run", spy)
    return done


def test_plan_is_arms_by_seeds(study):
    folders = [run.folder.relative_to(study.parent) for run in runs_of(study, (0, 2))]
    names = ["trained/seed-0", "trained/seed-2", "untrained/seed-0", "untrained/seed-2"]
    assert [str(folder) for folder in folders] == [f"runs/pair/{name}" for name in names]


def test_fit_and_test_share_a_folder_with_the_overrides(study):
    first, second = runs_of(study, (3,))
    assert execute(first) and execute(second)
    assert json.loads((first.folder / "metrics.json").read_text()) == {"knob": 5, "steps": 2, "seed": 3}
    assert (first.folder / "checkpoints" / "last.ckpt").exists()
    assert json.loads((second.folder / "metrics.json").read_text()) == {"knob": 3, "steps": 1, "seed": 3}
    assert not (second.folder / "checkpoints").exists()


def test_finished_runs_are_skipped(study, commands):
    for _ in range(2):
        outcomes = [execute(run) for run in runs_of(study)]
    assert outcomes == [False, False]
    assert commands == ["fit", "test", "test"]


def test_interrupted_before_the_test_goes_on(study, commands):
    run = runs_of(study)[0]
    execute(run)
    weights = (run.folder / "checkpoints" / "last.ckpt").read_bytes()
    (run.folder / "metrics.json").unlink()
    assert execute(run)
    assert commands == ["fit", "test", "fit", "test"]
    assert (run.folder / "checkpoints" / "last.ckpt").read_bytes() == weights  # nothing was trained twice
    assert (run.folder / "metrics.json").exists()


def test_interrupted_before_a_checkpoint_starts_again_in_its_folder(study, commands, capsys):
    run = runs_of(study)[0]
    config = resolve("fit", run.args("fit"))
    folder = RunFolder.create(run.folder.parent.parent, "trained", "seed-0", config)
    folder.file("left over").touch()
    assert execute(run)
    assert commands == ["fit", "test"] and folder.file("left over").exists()
    assert "no checkpoint yet" in capsys.readouterr().out
    assert folder.file("checkpoints/last.ckpt").exists() and folder.file("metrics.json").exists()


def test_an_interrupted_test_without_training_is_repeated(study, commands):
    run = runs_of(study)[1]
    execute(run)
    (run.folder / "metrics.json").unlink()
    assert execute(run) and commands == ["test", "test"]
    assert (run.folder / "metrics.json").exists()


def test_a_folder_that_is_no_run_is_left_alone(study):
    run = runs_of(study)[0]
    run.folder.mkdir(parents=True)
    (run.folder / "mine").touch()
    with pytest.raises(RunError, match="seed-0 is there and is no run"):
        execute(run)
    assert (run.folder / "mine").exists()
    assert execute(run, fresh=True) and not (run.folder / "mine").exists()


@pytest.mark.parametrize(
    ("trainer", "expected"),
    [
        ({"devices": 2}, True),
        ({"devices": "2"}, True),
        ({"devices": "0,1"}, True),
        ({"devices": [0, 1]}, True),
        ({"devices": 1, "num_nodes": 2}, True),
        ({"devices": "auto", "accelerator": "cpu"}, False),
        ({"devices": -1, "accelerator": "gpu"}, True),
        ({"devices": "auto", "accelerator": "auto"}, True),
        ({"devices": 1, "num_nodes": 1}, False),
        ({"devices": "1"}, False),
        ({"devices": "1,"}, False),
        ({"devices": [1]}, False),
    ],
)
def test_runs_of_several_processes_are_known(monkeypatch, trainer, expected):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)
    assert module._several_processes(trainer) is expected


def test_runs_of_several_processes_have_their_own(study, commands, monkeypatch):
    monkeypatch.setattr(module, "_several_processes", lambda trainer: True)
    run = runs_of(study)[1]
    assert execute(run) and commands == []
    assert json.loads((run.folder / "metrics.json").read_text()) == {"knob": 3, "steps": 1, "seed": 0}
    assert not execute(run)


def test_a_failure_in_a_process_of_its_own_stops_the_study(study, monkeypatch):
    monkeypatch.setattr(module, "_several_processes", lambda trainer: True)
    study.write_text(study.read_text().replace("data.n: 6", "data.batch_size: 0"))
    run = runs_of(study)[1]
    with pytest.raises(RunError, match=r"^test .*--run=seed-0 ended with status 2; its own message is above"):
        execute(run)
    assert not run.folder.exists()


def test_other_settings_are_refused_by_name(study):
    execute(runs_of(study)[1])
    study.write_text(study.read_text().replace("data.n: 6", "data.n: 7"))
    with pytest.raises(ConfigError, match=r"data\.init_args\.n: 6 there, 7 now.*--fresh"):
        execute(runs_of(study)[1])


def test_main_runs_everything_then_summarises(study, commands, monkeypatch, capsys):
    summaries = []

    def summarise(folders, report, baseline):
        summaries.append((len(folders), str(report), baseline))

    monkeypatch.setattr(module, "summarise", summarise)
    arguments = [f"--config={study}", f"--runs-root={study.parent / 'runs'}", "--seeds=0,1"]
    main("study", arguments)
    main("study", arguments)
    main("study", [*arguments, "--fresh"])
    assert summaries == [(4, "report.html", None)] * 3
    assert commands == (["fit", "test"] * 2 + ["test"] * 2) * 2
    shown = capsys.readouterr().out
    assert "[4/4] untrained, seed-1: already finished" in shown and "[1/4] trained, seed-0: done" in shown


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"arm": []}, "needs `arms`"),
        ({"arms": [{"name": "a", "config": "toy.yaml"}] * 2}, "share a name"),
        ({"arms": [{"name": "a"}]}, "arm 1.*config"),
        (
            {"arms": [{"name": "a", "config": "toy.yaml", "override": {}}]},
            r"arm 1: unknown key override: did you mean overrides\?",
        ),
        (
            {"arms": [{"name": "a", "config": "toy.yaml"}], "seed": [0]},
            r"unknown key seed: did you mean seeds\?",
        ),
        ({"arms": [{"name": "a", "config": "toy.yaml", "command": "validate"}]}, "'validate' is none of"),
        ({"arms": [{"name": "a b", "config": "toy.yaml"}]}, "'a b': a name is made of"),
    ],
)
def test_wrong_study_file(study, content, message):
    study.write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigError, match=message):
        read_study(study)

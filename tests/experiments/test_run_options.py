import os

import pytest
import yaml

from experiments.run_options import INHERITED, checkpoint_of, claim, open_run, read_options
from requery.errors import RunError

FIT = {"seed_everything": 0, "ckpt_path": None}
TEST = {**FIT, "verbose": True}


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.delenv(INHERITED, raising=False)
    monkeypatch.delenv("LOCAL_RANK", raising=False)


@pytest.fixture
def begin(tmp_path):
    """Start a run, or go on with one; returns its folder."""

    def begin(command, *args, settings=FIT):
        options = read_options([f"--runs_root={tmp_path}", "--experiment=demo", *args])
        claim(options)
        return open_run(options, command, settings)

    return begin


@pytest.fixture
def resumed(tmp_path):
    """The checkpoint a resumed command starts from."""

    def resumed(command, name="one"):
        return checkpoint_of(
            read_options([f"--runs_root={tmp_path}", "--experiment=demo", f"--resume={name}"]), command
        )

    return resumed


def test_settings_of_each_command_are_kept(begin):
    folder = begin("fit", "--run=one")
    assert begin("test", "--resume=one", settings=TEST).path == folder.path
    begin("fit", "--resume=one", settings={**FIT, "seed_everything": 1})
    found = {path.name: yaml.safe_load(path.read_text()) for path in folder.path.glob("*.yaml")}
    assert found == {
        "config.yaml": FIT,
        "config_test.yaml": TEST,
        "config_fit.yaml": {**FIT, "seed_everything": 1},
    }


def test_latest_is_the_run_last_started_or_resumed(begin, tmp_path):
    def latest():
        return read_options([f"--runs_root={tmp_path}", "--experiment=demo", "--resume=latest"]).resume

    for clock, name in enumerate(("one", "two", "three")):
        folder = begin("fit", f"--run={name}").path
        os.utime(folder / "config.yaml", (clock, clock))
    assert latest() == "three"
    begin("fit", "--resume=one")
    assert latest() == "one"
    folder.parent.joinpath(".four.1-0123abcd.tmp").mkdir()
    folder.parent.joinpath(".four.1-0123abcd.tmp", "config.yaml").write_text("{}")  # not a run yet
    assert latest() == "one"


def test_latest_is_resolved_once(begin, tmp_path):
    begin("fit", "--run=one")
    options = read_options([f"--runs_root={tmp_path}", "--experiment=demo", "--resume=latest"])
    begin("fit", "--run=two")
    assert open_run(options, "fit", FIT).name == "one"


def test_a_process_of_a_strategy_works_in_the_first_ones_folder(begin, monkeypatch):
    begin("fit", "--run=one")
    folder = begin("fit", "--run=two")
    begin("fit", "--resume=one")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv(INHERITED, str(folder.path))
    before = folder.file("config.yaml").stat().st_mtime_ns
    for args in (["--resume=latest"], ["--run=two"], []):
        assert begin("fit", *args).path == folder.path
    assert sorted(path.name for path in folder.path.parent.iterdir()) == ["one", "two"]
    assert not folder.file("config_fit.yaml").exists(), "the first process writes the settings"
    assert folder.file("config.yaml").stat().st_mtime_ns == before


def test_a_later_command_of_the_first_process_has_a_folder_of_its_own(begin, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "0")  # Lightning sets it in the process that starts the others
    first = begin("fit", "--run=one")
    assert os.environ[INHERITED] == str(first.path)
    assert begin("fit", "--run=two").name == "two" and begin("test", "--resume=one").name == "one"


def test_a_fit_without_checkpoint_starts_from_the_beginning(begin, resumed, capsys):
    folder = begin("fit", "--run=one")
    assert resumed("fit", "latest") is None
    assert capsys.readouterr().out == f"no checkpoint yet in {folder.path}: starts from the beginning\n"
    begin("fit", "--run=two", settings={**FIT, "ckpt_path": "given.ckpt"})
    assert str(resumed("fit", "two")) == "given.ckpt", "its beginning was that checkpoint"


@pytest.mark.parametrize("command", ["validate", "test", "predict"])
def test_what_was_to_be_trained_is_not_scored_without_checkpoint(begin, resumed, command):
    begin("fit", "--run=one", settings={**FIT, "ckpt_path": "given.ckpt"})
    begin("test", "--run=two", settings=TEST)
    begin("fit", "--resume=two")
    for name in ("one", "two"):
        with pytest.raises(RunError, match=rf"{name} has no best\.ckpt or last\.ckpt; .*fit --resume={name}"):
            resumed(command, name)


@pytest.mark.parametrize("command", ["validate", "test", "predict"])
def test_what_was_never_trained_is_scored_again_as_it_was_begun(begin, resumed, command):
    begin("test", "--run=one", settings=TEST)
    begin("predict", "--run=two", settings={**FIT, "return_predictions": False, "ckpt_path": "given.ckpt"})
    assert resumed(command, "one") is None
    assert str(resumed(command, "two")) == "given.ckpt"


def test_checkpoints_of_the_run_come_first(begin, resumed):
    folder = begin("fit", "--run=one", settings={**FIT, "ckpt_path": "given.ckpt"}).file("checkpoints")
    folder.mkdir()
    (folder / "last.ckpt").touch()
    assert resumed("fit") == resumed("test") == folder / "last.ckpt"
    (folder / "best.ckpt").touch()
    assert resumed("fit") == folder / "last.ckpt" and resumed("test") == folder / "best.ckpt"

import json
import os
from dataclasses import replace
from multiprocessing import get_context

import pytest

from experiments.sweep import locking
from experiments.sweep.locking import await_lock, turn
from experiments.sweep.sampling import propose
from experiments.sweep.storage import open_storage, open_study
from requery.errors import ConfigError, RunError
from requery.lock import InUse


@pytest.mark.parametrize("url", ["journal:{}/a/study.journal", "sqlite:///{}/a/study.db"])
def test_a_study_is_shared(tmp_path, sweep, url):
    url = url.format(tmp_path)
    first = open_study(open_storage(url), sweep, 0, tmp_path, None)
    mark = first.user_attrs["mark"]
    propose(first, sweep, 0)
    second = open_study(open_storage(url), replace(sweep, cap=9), 0, tmp_path, mark)
    assert second.user_attrs["mark"] == mark and len(second.trials) == 1
    propose(second, sweep, 0)
    assert len(first.trials) == 2


def test_another_sweep_of_the_name_is_refused(tmp_path, sweep):
    storage = open_storage(f"journal:{tmp_path}/study.journal")
    study = open_study(storage, sweep, 0, tmp_path, None)
    open_study(storage, replace(sweep, method="bayes"), 0, tmp_path, None)  # nothing has begun
    propose(study, sweep, 0)
    mark = study.user_attrs["mark"]
    with pytest.raises(ConfigError, match=r"method: bayes there, random now.*another `name`"):
        open_study(storage, sweep, 0, tmp_path, mark)
    with pytest.raises(ConfigError, match="seed: 0 there, 1 now"):
        open_study(storage, replace(sweep, method="bayes"), 1, tmp_path, mark)


def test_a_study_and_the_folder_of_its_trials_belong_together(tmp_path, sweep):
    study = open_study(open_storage(f"journal:{tmp_path}/a.journal"), sweep, 0, tmp_path, None)
    propose(study, sweep, 0)
    with pytest.raises(RunError, match="do not belong together; give the --storage and --runs_root"):
        open_study(open_storage(f"journal:{tmp_path}/a.journal"), sweep, 0, tmp_path, None)
    with pytest.raises(RunError, match="do not belong together"):
        open_study(
            open_storage(f"journal:{tmp_path}/b.journal"), sweep, 0, tmp_path, study.user_attrs["mark"]
        )


@pytest.mark.parametrize(
    "url", ["study.db", "nosuch://host/db", "sqlite:////proc/none/study.db", "journal:/"]
)
def test_a_storage_that_cannot_be_opened_is_named(url):
    with pytest.raises(ConfigError, match=f"--storage {url}"):
        open_storage(url)


def test_a_damaged_journal_is_named(tmp_path):
    (tmp_path / "study.journal").write_text('{"op_code"\n{}\n')
    with pytest.raises(ConfigError, match=r"study\.journal cannot be opened"):
        open_storage(f"journal:{tmp_path}/study.journal")


def _hold(folder, ready):
    with turn(folder):
        ready.send(os.getpid())
        ready.poll(60)


def test_a_turn_is_waited_for_and_ends_with_its_process(tmp_path, monkeypatch):
    context = get_context("fork")
    here, there = context.Pipe()
    other = context.Process(target=_hold, args=(tmp_path, there))
    other.start()
    assert here.recv() == other.pid
    monkeypatch.setattr(locking, "PATIENCE", 0.3)
    with pytest.raises(InUse, match=str(other.pid)):
        await_lock(tmp_path, tmp_path / ".turn.lock")
    other.kill()
    other.join()
    with turn(tmp_path):
        assert json.loads((tmp_path / ".turn.lock").read_text())["pid"] == os.getpid()

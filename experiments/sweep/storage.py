"""A sweep's Optuna study, in a journal file or a database that all who work on the sweep share."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

import optuna
from optuna.exceptions import StorageInternalError
from optuna.samplers import RandomSampler
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy.exc import SQLAlchemyError

from experiments.report.settings import require_same
from experiments.sweep.file import Sweep
from experiments.sweep.locking import await_lock
from experiments.sweep.sampling import pruner
from requery.errors import ConfigError, RunError
from requery.lock import release

JOURNAL, SQLITE = "journal:", "sqlite:///"
PATIENCE = 60
"""Seconds that SQLite waits for another writer."""


class KernelLock:
    """A journal's lock that the kernel frees, so that a killed process holds up nobody.

    Args:
        journal: the journal file.
    """

    def __init__(self, journal: Path) -> None:
        self._file = journal.with_name(f".{journal.name}.lock")

    def acquire(self) -> bool:
        await_lock(self._file.parent, self._file)
        return True

    def release(self) -> None:
        release(self._file.parent, self._file)


def open_storage(url: str) -> BaseStorage:
    """Open, or make, what `--storage` names.

    Args:
        url: `journal:PATH`, `sqlite:///PATH` or the URL of another database SQLAlchemy knows.

    Raises:
        ConfigError: it is none of these, or cannot be opened.
    """
    file = next((Path(url.removeprefix(kind)) for kind in (JOURNAL, SQLITE) if url.startswith(kind)), None)
    try:
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
        if file is not None and url.startswith(JOURNAL):
            return JournalStorage(JournalFileBackend(str(file), lock_obj=KernelLock(file)))
        if "://" not in url:
            raise ConfigError(f"--storage {url}: write journal:PATH, sqlite:///PATH or a database's URL")
        patient = {"connect_args": {"timeout": PATIENCE}} if file is not None else {}
        return RDBStorage(url, engine_kwargs=patient)
    except (OSError, ImportError, ValueError, SQLAlchemyError, StorageInternalError) as error:
        raise ConfigError(f"--storage {url} cannot be opened ({error}); check the path or URL") from error


def open_study(
    storage: BaseStorage, sweep: Sweep, seed: int, folder: Path, known: str | None
) -> optuna.Study:
    """Open, or make, the sweep's study.

    Args:
        storage: where it is.
        sweep: the sweep.
        seed: of its samplers.
        folder: the folder of its trials.
        known: the study's mark as the folder has it; None where the folder holds no trial.

    Raises:
        ConfigError: the study is another sweep's.
        RunError: its trials are in another folder.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        storage=storage,
        study_name=sweep.name,
        direction=sweep.goal,
        sampler=RandomSampler(seed),  # `propose` takes the sweep's own for the time of one proposal
        pruner=pruner(sweep),
        load_if_exists=True,
    )
    begun = bool(study.get_trials(deepcopy=False))
    mark = study.user_attrs.get("mark")
    if (begun or known is not None) and mark != known:
        raise RunError(
            f"the study {sweep.name} in this --storage and the trials in {folder} do not belong together; "
            "give the --storage and --runs_root they began with (machines share the runs' folder too)"
        )
    definition = json.loads(json.dumps({**sweep.definition(), "seed": seed}))
    if begun:
        holds = f"{folder} holds another sweep"
        require_same(study.user_attrs["definition"], definition, holds, "give the sweep another `name`")
    else:
        study.set_user_attr("definition", definition)
        study.set_user_attr("mark", mark or secrets.token_hex(8))
    return study

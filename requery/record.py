"""A run's folder: the one truth about a run, written file by file, read as one record."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from requery.environment import environment
from requery.errors import RunError
from requery.files import atomic_bytes, atomic_folder, atomic_write, remove_folder, sweep
from requery.formats import json_text, read_history, read_mapping, read_ranks
from requery.lock import acquire, locked

STATES = ("running", "finished", "failed", "stopped")
T = TypeVar("T")


class RunFolder:
    """Write the files of `runs/<experiment>/<name>/`, each whole or not at all.

    Args:
        path: the folder; `create` makes a new one.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    @classmethod
    def create(
        cls,
        root: Path | str,
        experiment: str,
        name: str | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> RunFolder:
        """Make the folder of a new run; it appears with its `config.yaml`, locked by this process.

        Args:
            root: folder of all runs.
            experiment: the experiment's folder under `root`.
            name: the run's name; None for a new one from the time of day.
            config: the resolved settings.

        Raises:
            InUse: another process works in a folder of that name.
            RunError: the name is taken or is no plain name, or the folder cannot be written.
        """
        for part in (experiment, name):
            # No white space: the name is the tag of the run's TREC file.
            if part is not None and not re.fullmatch(r"[^\s/\\.][^\s/\\]*", part):
                raise RunError(
                    f"{part!r} is no plain folder name; choose one without spaces, slashes or a leading dot"
                )
        parent = Path(root) / experiment
        sweep(parent)
        while True:
            folder = parent / (name or _new_name())
            try:
                with atomic_folder(folder) as place:  # no two runs share a folder: the second fails
                    acquire(place)
                    cls(place).write_yaml("config.yaml", config or {})
                return cls(folder)
            except FileExistsError:
                if name is not None:
                    raise _taken(folder) from None

    def open(self) -> None:
        """Lock the folder for this process, to go on with its run, and clear what a killed one left in it.

        Raises:
            InUse: another process works in it.
        """
        acquire(self.path)
        sweep(self.path, grace=0)

    def remove(self) -> None:
        """Remove the folder with all it holds.

        Raises:
            InUse: another process works in it.
        """
        acquire(self.path)
        remove_folder(self.path)

    @property
    def name(self) -> str:
        """The run's name."""
        return self.path.name

    def file(self, name: str) -> Path:
        """The path of a file in the folder, such as `metrics.json` or `negatives/epoch_005.safetensors`."""
        return self.path / name

    def write_json(self, name: str, data: Mapping[str, Any]) -> None:
        """Write a JSON file; a number that is not finite becomes null."""
        atomic_bytes(self.file(name), (json_text(data, indent=2) + "\n").encode())

    def write_bytes(self, name: str, content: bytes) -> None:
        """Write a file as it is."""
        atomic_bytes(self.file(name), content)

    def write_yaml(self, name: str, data: Mapping[str, Any]) -> None:
        """Write a YAML file."""
        import yaml

        text = yaml.safe_dump(dict(data), sort_keys=False, allow_unicode=True)
        atomic_bytes(self.file(name), text.encode())

    def write_environment(self, data: Mapping[str, str] | None = None, seed: int | None = None) -> None:
        """Write `environment.json`; the data hashes of an earlier command in the same folder are kept.

        Args:
            data: split -> SHA-256 of the data this command reads.
            seed: the run's seed.
        """
        path = self.file("environment.json")
        earlier = read_mapping(path).get("data", {}) if path.exists() else {}
        self.write_json(path.name, environment({**earlier, **(data or {})}, seed))

    def write_status(self, state: str, command: Sequence[str], message: str | None = None) -> None:
        """Write `status.json`: where the run stands, the command that put it there, and why it failed."""
        if state not in STATES:
            raise ValueError(f"state {state!r} is none of {STATES}")
        record: dict[str, Any] = {"state": state, "command": list(command)}
        self.write_json("status.json", record if message is None else {**record, "message": message})

    def append_history(self, row: Mapping[str, Any]) -> None:
        """Add an epoch's row (it has `epoch`) to `history.jsonl`.

        Rows of this epoch and later ones, which a resumed run repeats, are replaced: one line an epoch.
        """
        path = self.file("history.jsonl")
        rows = read_history(path) if path.exists() else []
        kept = [old for old in rows if old["epoch"] < row["epoch"]]
        text = "".join(json_text(line) + "\n" for line in [*kept, dict(row)])
        atomic_bytes(path, text.encode())

    def write_table(self, name: str, columns: Mapping[str, Any]) -> None:
        """Write a Parquet file from pyarrow arrays or anything pyarrow makes one of, all equally long."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        with atomic_write(self.file(name), "wb") as file:
            pq.write_table(pa.table(dict(columns)), file)


@dataclass(frozen=True)
class RunRecord:
    """What a run folder holds; a part not written yet (or never, by a fit without a test) is None or empty.

    Args:
        path: the folder.
        config: the resolved settings.
        environment: versions, commit, hardware, data hashes, seed.
        status: state, command, and the message of a failure.
        cost: seconds, items per second of each stage, peak memory.
        history: one row per epoch, in order.
        metrics: protocol, split, metrics with intervals, ceiling, notes.
        ranks: columns of `ranks.parquet`, one entry per query; list columns hold one array per query,
            and a null number is NaN.
    """

    path: Path
    config: dict[str, Any]
    environment: dict[str, Any]
    status: dict[str, Any] | None
    cost: dict[str, Any] | None
    history: list[dict[str, Any]]
    metrics: dict[str, Any] | None
    ranks: dict[str, np.ndarray[Any, Any]] | None

    @property
    def name(self) -> str:
        """The run's name."""
        return self.path.name

    @property
    def experiment(self) -> str:
        """The experiment the run belongs to."""
        return self.path.parent.name


def read(path: Path | str) -> RunRecord:
    """Read a run folder.

    Raises:
        RunError: it is no run folder (`config.yaml` or `environment.json` is missing) or a file is damaged;
            names the file.
    """
    folder = Path(path)
    for name in ("config.yaml", "environment.json"):
        if not (folder / name).is_file():
            raise RunError(
                f"{folder / name} is missing: {folder} is not a run folder, or its run never started"
            )

    def optional(name: str, reader: Callable[[Path], T]) -> T | None:
        return reader(folder / name) if (folder / name).exists() else None

    return RunRecord(
        path=folder,
        config=read_mapping(folder / "config.yaml"),
        environment=read_mapping(folder / "environment.json"),
        status=optional("status.json", read_mapping),
        cost=optional("cost.json", read_mapping),
        history=optional("history.jsonl", read_history) or [],
        metrics=optional("metrics.json", read_mapping),
        ranks=optional("ranks.parquet", read_ranks),
    )


def _new_name() -> str:
    """Time first, so that names sort by age; the suffix keeps two runs of one second apart."""
    return f"{time.strftime('%Y-%m-%d_%H-%M-%S')}_{secrets.token_hex(2)}"


def _taken(folder: Path) -> RunError:
    """Why a run cannot have this folder.

    Raises:
        InUse: another process works in it.
    """
    if not (folder / "config.yaml").exists():
        return RunError(f"{folder} is there and is no run; choose another --run or remove it")
    with locked(folder):
        remedy = f"continue it with --resume {folder.name} or choose another --run"
        return RunError(f"{folder} holds a run: {remedy}")

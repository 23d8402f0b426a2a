"""Answers on disk, found by everything that determines them: JSON lines that are only ever appended."""

from __future__ import annotations

import json
import os
import secrets
import threading
import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from requery.errors import RunError
from requery.files import ensure_writable, sha256_bytes
from requery.generation.generator import Answer, Identity

Asked = Mapping[str, Any]
"""All that determines an answer, as `asked` in `requery.generation.generate` makes it."""


def key_of(asked: Asked) -> str:
    """SHA-256 of what is asked."""
    return sha256_bytes(json.dumps(asked, sort_keys=True).encode())


@dataclass(frozen=True)
class Row:
    """A line of the store.

    Args:
        asked: what determines the answer; its digest is the key.
        name: the request's name.
        model: the generator's name.
        answer: what came back.
    """

    asked: Asked
    name: str
    model: str
    answer: Answer


class Store:
    """A folder of `*.jsonl` files (shards), one for each process that ever wrote to it.

    Nobody appends to another's shard, so processes share a folder without waiting, and stores are merged by
    copying their shards into one folder. A line torn by a kill is ignored, and its item generated again. A
    line says in full what was asked, under no key: nothing can be found under a wrong one. Where two lines
    answer the same, an answer wins over a failure, then the older shard.

    Args:
        folder: where the shards are; made by the first `add`.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self._answers: dict[str, Answer] = {}
        self._models: dict[str, tuple[str, Identity]] = {}
        self._shard: tuple[int, int] | None = None  # (process, file descriptor)
        self._lock = threading.Lock()
        self.read()

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, key: str) -> Answer | None:
        """The answer or failure stored under a key; None where nothing is."""
        return self._answers.get(key)

    @property
    def models(self) -> list[tuple[str, Identity]]:
        """Name and identity of each generator that has answers here, oldest first."""
        return list(self._models.values())

    def read(self) -> None:
        """Read what other processes have added.

        Raises:
            RunError: a shard cannot be read.
        """
        damaged = 0
        for path in sorted(self.folder.glob("*.jsonl")):
            try:
                *lines, torn = path.read_bytes().split(b"\n")
            except OSError as error:
                raise RunError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
            damaged += sum(not self._take(line) for line in lines)
            if torn:  # whole, where only the newline is lost; else whoever was killed writing it lost it
                self._take(torn)
        if damaged:
            warnings.warn(f"{self.folder}: {damaged} damaged lines are ignored", stacklevel=2)

    def add(self, rows: Sequence[Row]) -> None:
        """Append rows; they are on disk when this returns.

        Raises:
            RunError: the folder cannot be written, or the disk is full; earlier rows stay.
        """
        lines = [
            json.dumps({"model": r.model, "name": r.name, "asked": r.asked, **asdict(r.answer)}) for r in rows
        ]
        with self._lock:
            handle = self._own_shard()
            end = os.fstat(handle).st_size
            data = "".join(line + "\n" for line in lines).encode()
            try:
                while data:
                    data = data[os.write(handle, data) :]
                os.fsync(handle)
            except OSError as error:
                with suppress(OSError):
                    os.ftruncate(handle, end)  # what comes next must not continue half a line
                raise RunError(
                    f"{self.folder}: cannot be written ({error.strerror}); make room on the disk and run "
                    "again: what was stored before is found again"
                ) from error
            for line in lines:
                self._take(line.encode())

    def _own_shard(self) -> int:
        """The file of this process, made at its first row; a fork makes its own."""
        if self._shard is None or self._shard[0] != os.getpid():
            ensure_writable(self.folder)
            self.folder.mkdir(parents=True, exist_ok=True)
            name = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(6)}.jsonl"
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL
            self._shard = os.getpid(), os.open(self.folder / name, flags, 0o644)
        return self._shard[1]

    def _take(self, line: bytes) -> bool:
        """Keep a line's answer unless there is a better one; False where the line is damaged."""
        try:
            row = json.loads(line)
            answer = Answer(*(row[name] for name in ("text", "tokens", "seconds", "error")))
            identity = row["asked"]["generator"]
            key, model = key_of(row["asked"]), json.dumps(identity, sort_keys=True)
        except (ValueError, KeyError, TypeError):
            return False
        self._models.setdefault(model, (row.get("model", ""), identity))
        kept = self._answers.get(key)
        if kept is None or (kept.error is not None and answer.error is None):
            self._answers[key] = answer
        return True

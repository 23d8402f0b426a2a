"""Turns: processes that share a sweep's folder do some things one after the other."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from requery.lock import InUse, acquire, release

PATIENCE = 120.0
"""Seconds that a process waits for its turn; a turn takes milliseconds."""


def await_lock(folder: Path, file: Path) -> None:
    """Lock a file, waiting for whoever has it; the kernel frees it when its holder dies.

    Raises:
        InUse: the holder keeps it for minutes.
    """
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return acquire(folder, file)
        except InUse:
            if time.monotonic() > end:
                raise


@contextmanager
def turn(folder: Path) -> Iterator[None]:
    """Be the only process that looks for work in a sweep's folder.

    Raises:
        InUse: another has been at it for minutes.
    """
    file = folder / ".turn.lock"
    await_lock(folder, file)
    try:
        yield
    finally:
        release(folder, file)

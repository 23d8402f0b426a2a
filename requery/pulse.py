"""A sign of life of every process, so that one that is missing can be named.

A thread of each process publishes, every `PERIOD` seconds, a growing number and how many collectives the
process has come to. A dead or stopped process publishes no more; one that hangs stays behind in its count.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import torch.distributed as dist

from requery.errors import first

PERIOD = 0.5
"""Seconds between two signs of life."""

PATIENCE = 6
"""Periods without one after which a process counts as silent."""


@dataclass
class Pulse:
    """This process's sign of life."""

    reached: int = 0
    thread: threading.Thread | None = field(default=None, repr=False)

    def beat(self) -> None:
        """Count one more collective as reached; the first one starts the thread."""
        self.reached += 1
        if self.thread is None or not self.thread.is_alive():
            self.thread = threading.Thread(
                target=self._publish, args=(_store(), dist.get_rank()), daemon=True
            )
            self.thread.start()

    def _publish(self, store: Any, rank: int) -> None:
        number = 0
        while True:
            number += 1
            try:
                store.set(_key(rank), f"{number} {self.reached} {os.getpid()} {socket.gethostname()}")
            except RuntimeError:  # the first process, which keeps the store, is gone: nobody reads any more
                return
            time.sleep(PERIOD)


_OWN = Pulse()


def beat() -> None:
    """Say that this process has come to its next collective."""
    _OWN.beat()


def missing(rank: int, processes: int) -> str:
    """Name the processes that are silent or behind, as a clause of an error message.

    Args:
        rank: of the process that asks.
        processes: how many there are.
    """
    others = [other for other in range(processes) if other != rank]
    before = _read_all(others)
    time.sleep(PERIOD * PATIENCE)
    after = _read_all(others)
    silent = [r for r in others if after.get(r) is None or after[r] == before.get(r)]
    if silent:
        named = first(_describe(r, after.get(r) or before.get(r)) for r in silent)
        return f"no sign of life from process {named}"
    counts = {r: int(after[r].split()[1]) for r in others}
    behind = [r for r in others if counts[r] < _OWN.reached]
    if behind:
        return f"process {first(_describe(r, after[r]) for r in behind)} lives but did not come"
    return "every process lives and came as far as this one"


def _describe(rank: int, sign: str | None) -> str:
    if not sign:
        return str(rank)
    _, _, pid, host = sign.split()
    return f"{rank} (pid {pid} on {host})"


def _read_all(ranks: list[int]) -> dict[int, str]:
    """The last sign of each process; of none where the store itself does not answer."""
    signs: dict[int, str] = {}

    def read() -> None:
        store = _store()
        for rank in ranks:
            if store.check([_key(rank)]):
                signs[rank] = store.get(_key(rank)).decode()

    # In a thread of its own: a store on a stopped process never answers.
    reader = threading.Thread(target=_quietly, args=(read,), daemon=True)
    reader.start()
    reader.join(PERIOD * PATIENCE)
    return dict(signs)


def _quietly(read: Any) -> None:
    try:
        read()
    except RuntimeError:  # the store is gone with its process, and with it all signs
        return


def _key(rank: int) -> str:
    return f"requery/pulse/{rank}"


def _store() -> Any:
    """The store the process group was made with; PyTorch has no public name for it."""
    return dist.distributed_c10d._get_default_store()

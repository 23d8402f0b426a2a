"""Several processes: when one is lost, say which, and leave no other behind."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from requery import distributed
from requery.record import RunFolder

PERIOD = 0.5
"""Seconds between two looks at the other processes."""

GRACE = 3.0
"""Seconds a process that notices a loss itself has to say so, before it is ended."""

PATIENCE = 30.0
"""Seconds that a process which misses another leaves the first one to say which, and to end them all."""

EXIT = 3
"""Exit status after the loss of a process."""


class LostProcess(Callback):
    """Watch the processes that Lightning started: the first one its children, each child the first one.

    A process that dies while others wait for it makes their collective fail (`requery.distributed` names
    it), but one that dies while they compute goes unnoticed until then, and the first one's death leaves
    its children behind. Where a cluster starts the processes, it watches them itself.

    Args:
        folder: the run's folder, whose status says what happened.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self._done = threading.Event()

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Begin to watch, and to give signs of life."""
        distributed.beat()
        children = _children(trainer)
        if children:
            _silence_lightning()
            threading.Thread(target=self._watch_children, args=(children,), daemon=True).start()
        elif trainer.local_rank > 0:
            threading.Thread(target=self._watch_parent, args=(os.getppid(),), daemon=True).start()

    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: Tensor) -> None:
        """Count the gradients' exchange, which DDP begins in the backward pass."""
        distributed.beat()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Nothing is lost any more when a process ends."""
        self._done.set()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Take the other processes along when this one has said what is wrong: they would wait for it."""
        self._done.set()
        atexit.register(_kill, _children(trainer))
        if trainer.local_rank > 0 and distributed.is_collective(exception):
            time.sleep(PATIENCE)  # the first process is to speak; Lightning kills it when a child ends first

    def _watch_children(self, children: Sequence[subprocess.Popen[bytes]]) -> None:
        while not self._done.wait(PERIOD):
            for number, child in enumerate(children, start=1):
                if child.poll():
                    self._end(
                        f"process {number} of {len(children) + 1} (pid {child.pid}) {_how(child)}", children
                    )

    def _end(self, what: str, children: Sequence[subprocess.Popen[bytes]]) -> None:
        message = f"{what}; the run is stopped: give the same command again with --resume"
        print(f"error: {message}", file=sys.stderr, flush=True)
        self.folder.write_status("failed", sys.argv, message)
        _kill(children)
        self._done.wait(GRACE)
        os._exit(EXIT)  # the main thread may wait for the lost process in a call that nothing interrupts

    def _watch_parent(self, parent: int) -> None:
        while not self._done.wait(PERIOD):
            if os.getppid() != parent:
                print("error: the first process is gone", file=sys.stderr, flush=True)
                time.sleep(GRACE)
                os._exit(EXIT)


def _silence_lightning() -> None:
    """Keep Lightning's watcher, which kills all processes without a word, from being the first to notice."""
    for thread in threading.enumerate():
        if thread.name == "child-process-observer":
            thread._run = lambda: True  # type: ignore[attr-defined]  # what it does every five seconds


def _children(trainer: Trainer) -> Sequence[subprocess.Popen[bytes]]:
    return getattr(trainer.strategy.launcher, "procs", None) or ()


def _kill(children: Sequence[subprocess.Popen[bytes]]) -> None:
    for child in children:
        if child.poll() is None:
            child.send_signal(signal.SIGKILL)  # a stopped process, or one in a collective, hears no other


def _how(child: subprocess.Popen[bytes]) -> str:
    code = child.returncode
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit status {code}"

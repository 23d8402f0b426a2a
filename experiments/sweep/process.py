"""One trial's process: the command with the trial's settings, in a run folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from experiments.sweep.file import Sweep
from experiments.sweep.outcome import failure, state
from experiments.sweep.parameter import Scalar
from requery.lock import LOCK, InUse, acquire, locked, release, try_lock

STOPPED = 143
"""Exit status of a run that SIGTERM stopped, as `StopOnSignal` gives it."""


class Process:
    """A trial at work; until it is released no other process of the sweep takes the trial.

    Args:
        sweep: the sweep.
        number: of the trial.
        settings: its own.
        root: the sweep's folder.
        threads: CPU threads it may use where the environment does not say.
    """

    def __init__(
        self, sweep: Sweep, number: int, settings: Mapping[str, Scalar], root: Path, threads: int
    ) -> None:
        self.name = trial_name(number)
        self.folder, self.log = root / self.name, root / f"{self.name}.log"
        where = [f"--experiment={root.name}", f"--runs_root={root.parent}"]
        self.command = [sys.executable, "-m", "experiments", sweep.command, *sweep.args(settings), *where]
        self.threads = threads
        self._child: subprocess.Popen[bytes] | None = None

    def reserve(self) -> bool:
        """Take the trial, unless another process of the sweep has it."""
        handle = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o644)
        taken = try_lock(handle) is False  # at once: `acquire` waits a little, for each trial of the others
        os.close(handle)
        if not taken:
            acquire(self.folder, self._lock)
        return not taken

    def release(self) -> None:
        """Leave the trial to whoever takes it."""
        release(self.folder, self._lock)

    def poll(self) -> int | None:
        """Start the run, or go on with it, as soon as its folder is free.

        A sweep that was killed may have left the run behind at work, and then there is only to wait for it.

        Returns:
            Exit status once the run has ended.
        """
        if self._child is not None:
            return self._child.poll()
        if self.folder.exists():
            try:
                with locked(self.folder):
                    if state(self.folder) == "finished":
                        return 0
            except InUse:
                return None
        where = "resume" if (self.folder / "config.yaml").exists() else "run"
        environment = {"OMP_NUM_THREADS": str(self.threads), **os.environ}
        with open(self.log, "ab") as log:
            self._child = subprocess.Popen(
                [*self.command, f"--{where}={self.name}"], stdout=log, stderr=log, env=environment
            )
        return None

    @property
    def started(self) -> bool:
        """Whether this process has started the run."""
        return self._child is not None

    def stop(self) -> None:
        """Ask the run to stop; it keeps a checkpoint first."""
        if self._child is not None and self._child.poll() is None:
            self._child.terminate()

    def wait(self) -> None:
        """Wait for the end of a run that was asked to stop."""
        if self._child is not None:
            self._child.wait()

    def reason(self, status: int) -> str:
        """Why the run failed."""
        return failure(self.folder, self.log, status)

    @property
    def _lock(self) -> Path:
        return self.folder.with_name(f".{self.name}{LOCK}")


def trial_name(number: int) -> str:
    """The run's name: `trial-007`."""
    return f"trial-{number:03d}"

"""Work on a sweep: take trials, look after them, say what came of them."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from optuna.trial import FrozenTrial

from experiments.report.trials import short_names, shown
from experiments.sweep.board import REASON, Board, Work
from experiments.sweep.process import STOPPED, trial_name
from experiments.sweep.sampling import SETTINGS
from experiments.sweep.snapshot import STATES

PAUSE, LOOK = 0.2, 2.0
"""Seconds between two looks at running trials, and for work where there was none."""


def work_on(board: Board) -> None:
    """Run trials until none is left to take.

    Whatever ends this process asks its trials to stop, and they are gone on with by whoever works on the
    sweep next: this process again, or another that shares the study.
    """
    running: list[Work] = []
    began, look = time.monotonic(), 0.0
    with _sigterm_as_exit():
        try:
            while True:
                while len(running) < board.jobs and time.monotonic() >= look:
                    work = board.next({work.number for work in running})
                    if work is None:
                        look = time.monotonic() + LOOK
                        break
                    running.append(work)
                    print(f"{trial_name(work.number)}: {_settings(work, board)}", flush=True)
                if not running:
                    return
                time.sleep(PAUSE)
                for work in list(running):
                    ended = board.advance(work)
                    if ended is not None:
                        running.remove(work)
                        look = 0.0
                        print(_said(ended, board, time.monotonic() - began), flush=True)
        finally:
            for work in running:
                work.process.stop()
            for work in running:
                work.process.wait()


@contextmanager
def _sigterm_as_exit() -> Iterator[None]:
    """SIGTERM ends the block like an exception, so that what must be done at its end is done."""

    def leave(number: int, frame: FrameType | None) -> None:
        print("stopped by SIGTERM; the same command goes on", file=sys.stderr, flush=True)
        raise SystemExit(STOPPED)

    before: Any = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _settings(work: Work, board: Board) -> str:
    settings = work.trial.user_attrs[SETTINGS]
    varied = [parameter.name for parameter in board.sweep.parameters if parameter.varies]
    return ", ".join(
        f"{n}={shown(settings[key])}" for n, key in zip(short_names(varied), varied, strict=True)
    )


def _said(trial: FrozenTrial, board: Board, seconds: float) -> str:
    state = STATES[trial.state]
    came = f"{board.sweep.metric} {trial.value:.4g}" if trial.value is not None else trial.user_attrs[REASON]
    return f"{trial_name(trial.number)}: {state}, {came}, {seconds:.0f} s since the start"

"""The trials of a sweep as every process that works on it sees them: who does what, and what came of it."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from optuna import Study, Trial
from optuna.trial import FrozenTrial, TrialState

from experiments.sweep import outcome
from experiments.sweep.file import Sweep
from experiments.sweep.locking import turn
from experiments.sweep.process import STOPPED, Process
from experiments.sweep.sampling import SETTINGS, propose
from experiments.sweep.snapshot import write_snapshot
from requery.errors import RunError

PRUNED, REASON = "pruned", "reason"
"""Attributes of a trial: the epoch after which it was to stop, and why it failed."""


@dataclass
class Work:
    """A trial that this process works on."""

    trial: Trial
    process: Process
    told: set[int]
    """Epochs the study knows of."""

    @property
    def number(self) -> int:
        return self.trial.number


@dataclass(frozen=True)
class Board:
    """A sweep's study and folder.

    Args:
        sweep: the sweep.
        study: its trials.
        folder: their runs.
        seed: of the samplers.
        total: trials in all, whatever becomes of them.
        jobs: trials that this process works on at a time.
    """

    sweep: Sweep
    study: Study
    folder: Path
    seed: int
    total: int
    jobs: int

    def next(self, mine: Collection[int]) -> Work | None:
        """A trial that nobody works on, begun before or new; None where nothing is left to take.

        Args:
            mine: numbers of the trials that this process has already.
        """
        with turn(self.folder):
            trials = self.study.get_trials(deepcopy=False)
            for frozen in trials:
                if frozen.state == TrialState.RUNNING and frozen.number not in mine:
                    work = self._work(Trial(self.study, frozen._trial_id), frozen)
                    if work is not None and self._now(work).state == TrialState.RUNNING:
                        return work
                    if work is not None:  # its process ended it while we looked
                        work.process.release()
            if len(trials) >= self.total:
                return None
            work = self._work(propose(self.study, self.sweep, self.seed))
            write_snapshot(self.folder, self.sweep, self.study)
            return work

    def advance(self, work: Work) -> FrozenTrial | None:
        """Look after a trial: start it, report its epochs, stop it where it is pruned.

        Returns:
            The trial once it has ended; the study and `sweep.json` know.
        """
        pruned = work.trial.user_attrs.get(PRUNED)
        # One that was to stop when the sweep was killed is not begun again.
        dropped = pruned is not None and not work.process.started
        status = STOPPED if dropped else work.process.poll()
        if status is None:
            if pruned is None and self._report(work):
                work.process.stop()
            return None
        if status == 0:
            self._finish(work)
        elif pruned is not None:
            self.study.tell(work.trial, state=TrialState.PRUNED)
        else:
            self._fail(work, work.process.reason(status))
        work.process.release()
        self.save()
        return self._now(work)

    def save(self) -> None:
        """Write `sweep.json`."""
        with turn(self.folder):
            write_snapshot(self.folder, self.sweep, self.study)

    def _now(self, work: Work) -> FrozenTrial:
        return self.study.get_trials(deepcopy=False)[work.number]

    def _work(self, trial: Trial, frozen: FrozenTrial | None = None) -> Work | None:
        if frozen is not None and SETTINGS not in frozen.user_attrs:
            trial = propose(self.study, self.sweep, self.seed, frozen._trial_id)
        threads = max(1, len(os.sched_getaffinity(0)) // self.jobs)
        process = Process(self.sweep, trial.number, trial.user_attrs[SETTINGS], self.folder, threads)
        told = set() if frozen is None else set(frozen.intermediate_values)
        return Work(trial, process, told) if process.reserve() else None

    def _report(self, work: Work) -> bool:
        """Tell the study of new epochs; whether the trial is to stop after one of them."""
        for epoch, doomed in self._judged(work):
            if doomed:
                work.trial.set_user_attr(PRUNED, epoch)
                return True
        return False

    def _judged(self, work: Work) -> Iterator[tuple[int, bool]]:
        """Tell the study of new epochs, one by one; with each, whether the trial is not among the best there.

        It is told the best epoch so far, which is what a trial is worth in the end.
        """
        if self.sweep.command != "fit":
            return
        better = max if self.sweep.goal == "maximize" else min
        course = outcome.course(work.process.folder, self.sweep.metric)
        for epoch, best in zip(course, accumulate(course.values(), better), strict=True):
            if epoch not in work.told:
                work.trial.report(best, epoch)
                work.told.add(epoch)
                yield epoch, work.trial.should_prune()

    def _finish(self, work: Work) -> None:
        _ = list(self._judged(work))  # it is done: nothing is left to stop, but others are compared with it
        try:
            self.study.tell(work.trial, outcome.value(work.process.folder, self.sweep))
        except RunError as error:
            self._fail(work, str(error))

    def _fail(self, work: Work, reason: str) -> None:
        work.trial.set_user_attr(REASON, reason)
        self.study.tell(work.trial, state=TrialState.FAIL)

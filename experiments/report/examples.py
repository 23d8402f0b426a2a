"""Which queries to show, and what each arm retrieved for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.report.arms import Arm, Values, query_order
from experiments.report.pictures import Album
from requery.ranking.qrels import TARGET_GRADE
from requery.record import RunRecord
from requery.task import RetrievalTask

TOP = 5
SEED = 0


@dataclass(frozen=True)
class Item:
    """Something retrieved or asked with: a picture's class name, or a text where there is none.

    Args:
        name: the item's id.
        picture: class name in the page's style sheet.
        text: what to show without a picture.
        truth: `target`, `relevant` or nothing.
    """

    name: str
    picture: str | None
    text: str = ""
    truth: str = ""


@dataclass(frozen=True)
class Answer:
    """One arm's answer to a query: the target's rank (None = not in the gallery) and the first items."""

    arm: str
    rank: int | None
    top: list[Item]


@dataclass(frozen=True)
class Example:
    """One query with every arm's answer, the two compared arms first."""

    query: str
    reference: Item | None
    text: str
    target: Item
    n_relevant: int
    answers: list[Answer]


@dataclass(frozen=True)
class Choice:
    """Queries of one kind: what they have in common, and their ids."""

    title: str
    queries: list[str]


def choose(challenger: Arm, baseline: Arm, count: int) -> list[Choice]:
    """Pick queries that the challenger wins, that it loses, and some at random.

    Wins come by the difference of the target's ranks, those the winner shows in its first five before
    others: a target that moves from place 2,000 to 1,000 is no sight. Several seeds: their first runs.

    Args:
        challenger: the arm of interest.
        baseline: the arm it is compared with.
        count: queries of each kind.
    """
    ids = np.sort((challenger.runs[0].ranks or {})["query_id"].astype(str))
    ours, theirs = _places(challenger), _places(baseline)
    wins = [int(i) for i in _by_gain(ours, theirs)[:count]]
    losses = [int(i) for i in _by_gain(theirs, ours)[:count]]
    rest = np.setdiff1d(np.arange(len(ids)), [*wins, *losses])
    sample = np.random.default_rng(SEED).permutation(rest)[:count]
    picked = (
        (f"{challenger.name} wins over {baseline.name}", wins),
        (f"{challenger.name} loses to {baseline.name}", losses),
        ("A random sample", sample),
    )
    return [Choice(title, [str(ids[i]) for i in rows]) for title, rows in picked if len(rows)]


def _places(arm: Arm) -> Values:
    """The target's place per query, `(Q,)`; a target that is not in the gallery comes last."""
    ranks = np.asarray((arm.runs[0].ranks or {})["target_rank"], dtype=np.float64)[query_order(arm.runs[0])]
    return np.where(ranks > 0, ranks, np.inf)


def _by_gain(winner: Values, loser: Values) -> np.ndarray[Any, np.dtype[np.intp]]:
    """Queries the winner ranks better, the most visible first."""
    gain = np.where(np.isinf(loser), 1e12, loser) - np.where(np.isinf(winner), 1e12, winner)
    order = np.lexsort((-gain, winner > TOP))
    return order[gain[order] > 0]


class Illustrator:
    """Turn query ids into examples.

    Args:
        arms: arms in the order their answers are shown.
        task: the data the runs were tested on; None where they cannot be loaded.
        album: where pictures are kept.
    """

    def __init__(self, arms: Sequence[Arm], task: RetrievalTask | None, album: Album) -> None:
        self.runs = [(arm.name, arm.runs[0]) for arm in arms]
        self.task, self.album = task, album
        self.rows = {name: {q: i for i, q in enumerate(_ranks(run, "query_id"))} for name, run in self.runs}
        self.query = {name: i for i, name in enumerate(task.query_ids)} if task else {}
        self.gallery = {name: i for i, name in enumerate(task.gallery_ids)} if task else {}

    def example(self, query: str) -> Example:
        """Everything to show for a query."""
        name, run = self.runs[0]
        row, task, at = self.rows[name][query], self.task, self.query.get(query)
        target = str(_ranks(run, "target_id")[row])
        grades = self._grades(query, target)
        reference = None
        if task and at is not None and task.query_image is not None:
            position = int(task.query_image[at])
            reference = Item(task.images.ids[position], self.album.add(task.images, position))
        text = str(task.query_text[at]) if task and at is not None and task.query_text is not None else ""
        relevant = int(_ranks(run, "n_relevant")[row]) if "n_relevant" in (run.ranks or {}) else len(grades)
        answers = [self._answer(name, run, query, grades) for name, run in self.runs]
        return Example(query, reference, text, self._item(target, grades), relevant, answers)

    def _grades(self, query: str, target: str) -> dict[str, str]:
        """Gallery id -> `target` or `relevant`; without the data only the target is known."""
        found = {target: "target"}
        if self.task and query in self.query:
            qrels, at = self.task.qrels, self.query[query]
            start, stop = (int(qrels.relevant.offsets[at + i]) for i in (0, 1))
            for index, grade in zip(qrels.relevant.values[start:stop], qrels.grades[start:stop], strict=True):
                kind = "target" if int(grade) == TARGET_GRADE else "relevant"
                found.setdefault(str(self.task.gallery_ids[int(index)]), kind)
        return found

    def _answer(self, arm: str, run: RunRecord, query: str, grades: dict[str, str]) -> Answer:
        row = self.rows[arm][query]
        rank = int(_ranks(run, "target_rank")[row])
        top = [self._item(str(name), grades) for name in _ranks(run, "top_ids")[row][:TOP]]
        return Answer(arm, rank or None, top)

    def _item(self, name: str, grades: dict[str, str]) -> Item:
        if not name:
            return Item(name, None, "not in the gallery", "target")
        task, at = self.task, self.gallery.get(name)
        truth = grades.get(name, "")
        if task is None or at is None:
            return Item(name, None, name, truth)
        if task.gallery_image is None:
            return Item(name, None, str((task.gallery_text or [])[at]), truth)
        return Item(name, self.album.add(task.gallery_set, int(task.gallery_image[at])), name, truth)


def _ranks(run: RunRecord, column: str) -> np.ndarray:
    return (run.ranks or {})[column]

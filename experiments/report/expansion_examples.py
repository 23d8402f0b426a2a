"""Three questions before and after expansion: one that gained most, one that lost most, one at random."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from datamodules.base import RetrievalDataModule
from experiments.report.expansion import FILE
from experiments.report.pictures import Album, datamodule
from experiments.report.streams import whole
from requery.errors import DataError, RequeryError
from requery.expansion.row import BASELINE
from requery.formats import read_mapping, read_ranks
from requery.ranking.pseudo_relevance import holds
from requery.record import RunRecord

SHOWN = 3
"""Passages of each list."""
SEED = 0


@dataclass(frozen=True)
class Passages:
    """What a row found: the rank of the first passage with an answer, and the first passages."""

    row: str
    rank: int
    texts: Sequence[tuple[str, bool]]


@dataclass(frozen=True)
class Expansion:
    """One question on its way; the picture is a class name in the page's style sheet."""

    title: str
    query: str
    picture: str | None
    answers: str
    trace: Mapping[str, Any]
    clues: Sequence[str]
    refined: Sequence[str]
    found: Sequence[Passages]


def expansion_examples(run: RunRecord, album: Album) -> tuple[list[Expansion], str | None]:
    """Examples of a run's main row, and why there are none, where that is so.

    Args:
        run: of `QueryExpansionModule`.
        album: where pictures are kept.
    """
    try:
        with whole(run.path / FILE):
            return _examples(run, album), None
    except RequeryError as error:  # data that are gone or have changed since the test, or a damaged file
        return [], f"No examples: {error}"


def _examples(run: RunRecord, album: Album) -> list[Expansion]:
    content = read_mapping(run.path / FILE)
    if content["main"] == BASELINE:
        return []
    columns, main = read_ranks(run.path / "expansion.parquet"), content["main"]
    lines = {row: np.flatnonzero(columns["row"].astype(str) == row) for row in (BASELINE, main)}
    names = columns["query_id"][lines[main]].astype(str)
    before, after = (columns["first_right"][lines[row]] for row in (BASELINE, main))
    picked = choose(before, after)
    traces = _traces(run, content["rows"][main]["traces"], {names[at] for _, at in picked})
    data = datamodule(run)
    made = []
    for title, at in picked:
        shown = [(row, columns["top_ids"][lines[row]][at][:SHOWN]) for row in (BASELINE, main)]
        ranks = {BASELINE: int(before[at]), main: int(after[at])}
        trace = traces[names[at]]
        last = next((one for one in reversed(trace["rounds"]) if one["kept"]), {"kept": (), "refined": ()})
        picture, answers, found = _seen(data, content, names[at], shown, ranks, album)
        clues = list(dict.fromkeys(last["kept"]))
        made.append(Expansion(title, names[at], picture, answers, trace, clues, last["refined"], found))
    return made


def choose(before: np.ndarray[Any, Any], after: np.ndarray[Any, Any]) -> list[tuple[str, int]]:
    """Which questions are shown, by the rank of the first right passage (0 = none) before and after."""
    worst = 1 + max(int(before.max()), int(after.max()))
    old, new = (np.where(ranks > 0, ranks, worst) for ranks in (before, after))
    gain = 1 / new - 1 / old  # what moves at the head of a list is what one sees
    picked = [("Gained most", int(gain.argmax())), ("Lost most", int(gain.argmin()))]
    kept = [(title, at) for title, at in picked if (gain[at] > 0) == (title == "Gained most") and gain[at]]
    rest = np.setdiff1d(np.arange(len(gain)), [at for _, at in kept])
    return kept + [("At random", int(at)) for at in np.random.default_rng(SEED).permutation(rest)[:1]]


def _traces(run: RunRecord, file: str, wanted: set[str]) -> dict[str, Mapping[str, Any]]:
    found = {}
    try:
        with (run.path / file).open(encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                if row["id"] in wanted:
                    found[row["id"]] = row
    except OSError as error:
        raise DataError(f"{run.path / file} cannot be read ({error.strerror}); test the run again") from error
    return found


def _seen(
    data: RetrievalDataModule,
    content: Mapping[str, Any],
    query: str,
    shown: Sequence[tuple[str, Sequence[str]]],
    ranks: Mapping[str, int],
    album: Album,
) -> tuple[str | None, str, list[Passages]]:
    """A question's picture, its answers, and what was found, in words."""
    task = data.task(content["split"])
    if query not in task.query_ids:
        raise DataError(f"the data no longer hold question {query}; they have changed since the test")
    at = list(task.query_ids).index(query)
    place = {name: number for number, name in enumerate(task.gallery_ids)}
    answers, texts = data.answers(content["split"])[at], task.gallery_text or ()
    right = holds(answers, content["match"], content["lowercase_passage"])
    found = [
        Passages(row, ranks[row], [(texts[place[name]], right(texts[place[name]])) for name in names])
        for row, names in shown
    ]
    picture = None if task.query_image is None else album.add(task.images, int(task.query_image[at]))
    return picture, ", ".join(answers[:5]), found

"""Relevance by answers: a passage is right where it holds one of the question's answers.

Nobody marked passages for OK-VQA's questions. Luo et al. (2021) count those that contain an answer,
`evaluation/eval_knowledge.py`: the passage is lower-cased, the answer is taken as it stands, and it may lie
within a word ("man" in "woman").

    P@K = 100 · Σ_q |{c in the first K of q : right}| / (K · |Q|)
    R@K = 100 · |{q : one of the first K is right}| / |Q|

K divides whatever the length of a list. So they are 100 times the mean of `precision@K` and `hit_any@K` of
what was retrieved: `judge` makes the ranking and the truth that give both with intervals and tests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from typing import Literal

import torch
from torch import Tensor

from requery.errors import DataError
from requery.ragged import Ragged
from requery.ranking.qrels import Qrels
from requery.ranking.ranks import Ranking

Match = Literal["substring", "word"]
"""Where an answer may stand: anywhere (Luo et al. 2021), or between word boundaries (Qu et al. 2021)."""

KS = (1, 5, 10, 20, 50, 80, 100)


def holds(
    answers: Collection[str], match: Match = "substring", lowercase_passage: bool = True
) -> Callable[[str], bool]:
    r"""Whether a passage holds one of a question's answers.

    Args:
        answers: the strings; none is found nowhere.
        match: `substring`, or `word`: `\b` on both sides.
        lowercase_passage: whether the passage is lower-cased first; the answers never are.

    >>> holds(["man"])("A Woman"), holds(["man"], "word")("A Woman")
    (True, False)
    """
    if match == "word":
        # A question has few answers: one expression of all of them looks at a passage once.
        found = re.compile("|".join(rf"\b{re.escape(answer)}\b" for answer in answers) or r"(?!)").search
        return lambda passage: found(passage.lower() if lowercase_passage else passage) is not None

    def contains(passage: str) -> bool:
        text = passage.lower() if lowercase_passage else passage
        return any(answer in text for answer in answers)

    return contains


def pseudo_relevance(
    answers: Sequence[Collection[str]],
    passages: Sequence[Sequence[str]],
    ks: Sequence[int] = KS,
    *,
    match: Match = "substring",
    lowercase_passage: bool = True,
) -> dict[str, float]:
    """Compute P@K and R@K in percent.

    Args:
        answers: of each question.
        passages: retrieved for each question, best first; a list may be shorter than K.
        ks: the depths.
        match: see `holds`.
        lowercase_passage: True as in Luo et al. (2021); False as in GeMKR (Long et al. 2024).

    Returns:
        `P@K` and `R@K` of each K.

    Raises:
        DataError: there is no question, or the two differ in number.

    >>> pseudo_relevance([["cat"], ["dog"]], [["A cat."], ["A cow."]], [1])
    {'P@1': 50.0, 'R@1': 50.0}
    """
    if not answers or len(answers) != len(passages):
        raise DataError(f"{len(passages)} lists of passages for {len(answers)} questions with answers")
    rules = [holds(own, match, lowercase_passage) for own in answers]
    right = [[rule(text) for text in texts] for rule, texts in zip(rules, passages, strict=True)]
    found: dict[str, float] = {}
    for k in ks:
        found[f"P@{k}"] = 100 * sum(sum(row[:k]) for row in right) / (k * len(right))
        found[f"R@{k}"] = 100 * sum(any(row[:k]) for row in right) / len(right)
    return found


def judge(
    top_index: Tensor,
    answers: Sequence[Collection[str]],
    corpus: Sequence[str],
    *,
    match: Match = "substring",
    lowercase_passage: bool = True,
) -> tuple[Ranking, Qrels]:
    """Mark what was retrieved by the answers it holds.

    Args:
        top_index: `(Q, K)` int64 places in the corpus, best first; -1 where a list ends.
        answers: of each of the Q questions.
        corpus: all passages.
        match: see `holds`.
        lowercase_passage: as in `pseudo_relevance`.

    Returns:
        A ranking without targets, and as truth the right ones among what was retrieved, grade 1: with them
        `precision@k` and `hit_any@k` are P@k and R@k for k up to K, and no other metric means anything.

    Raises:
        DataError: there are not as many questions as rows.
    """
    if len(top_index) != len(answers):
        raise DataError(f"answers of {len(answers)} questions for {len(top_index)} rankings")
    places: list[list[tuple[int, int]]] = []
    for row, own in zip(top_index.tolist(), answers, strict=True):
        right = holds(own, match, lowercase_passage)
        found = [(item, rank) for rank, item in enumerate(row, 1) if item >= 0 and right(corpus[item])]
        places.append(sorted(found))
    relevant = Ragged.from_rows([[item for item, _ in row] for row in places])
    ranks = Ragged.from_rows([[rank for _, rank in row] for row in places]).values
    nowhere = torch.full((len(answers),), -1)
    scores = torch.where(top_index >= 0, -torch.arange(top_index.shape[1], dtype=torch.float32), -torch.inf)
    ranking = Ranking(
        torch.zeros(len(answers), dtype=torch.int64),
        torch.full((len(answers),), torch.nan),
        ranks,
        None,
        top_index,
        scores,
        len(corpus),
    )
    return ranking, Qrels(nowhere, relevant, torch.ones_like(relevant.values))

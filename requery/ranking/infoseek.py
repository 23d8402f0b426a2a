"""Answers to InfoSeek's questions (Chen et al. 2023), scored as its official `infoseek_eval.py` does."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from requery.errors import DataError, first

Kind = Literal["String", "Numerical", "Time"]
KINDS: tuple[Kind, ...] = ("Time", "Numerical", "String")

Number = float | tuple[float, float]
"""A value, or a range from its lower to its upper end."""

OVERLAP = 0.5
"""Intersection over union from which a predicted range is right."""

_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True)
class Reference:
    """What a question's answer is held against.

    Args:
        answers: right answers; of a numerical question, the lower and the upper end of the right range.
        kind: of the question.
    """

    answers: tuple[str, ...]
    kind: Kind


def normalised(text: str) -> str:
    """Lower case, without punctuation, articles and extra spaces.

    >>> normalised("The  Eiffel-Tower!")
    'eiffeltower'
    """
    bare = text.lower().translate(_PUNCTUATION)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", bare).split())


def number(text: str) -> Number:
    """The value or range a text states: of two ascending numbers the range, else the first; none is 0 to 0.

    >>> number("9-10 m"), number("about 1,200")
    ((9.0, 10.0), 1200.0)
    """
    spaced = re.sub(r"(?<=\d)-(?=\d)", " - ", text.replace(",", ""))  # no minus sign, but a range
    found = [float(match) for match in _NUMBER.findall(spaced)]
    if not found:
        return 0.0, 0.0
    return (found[0], found[1]) if len(found) == 2 and found[0] < found[1] else found[0]


def in_range(predicted: Number, low: float, high: float) -> bool:
    """Whether a value lies in the right range, or a range lies in it or overlaps it by half."""
    if not isinstance(predicted, tuple):
        return low <= predicted <= high
    begin, end = predicted
    if low <= begin and end <= high:
        return True
    shared = max(0.0, min(end, high) - max(begin, low))
    union = (end - begin) + (high - low) - shared
    return shared >= OVERLAP * union > 0


def is_right(prediction: str, reference: Reference) -> bool:
    """Whether a prediction answers a question.

    Raises:
        DataError: a numerical question has not two ends of a range.
    """
    if reference.kind != "Numerical":
        return normalised(prediction) in map(normalised, reference.answers)
    if len(reference.answers) != 2:
        raise DataError(f"a numerical answer is a range of two ends, not {first(reference.answers)}")
    low, high = map(float, reference.answers)
    return in_range(number(prediction), low, high)


def accuracy(predictions: Mapping[str, str], references: Mapping[str, Reference]) -> dict[str, float]:
    """Score the questions of one split in percent; one without a prediction is wrong.

    Returns:
        `score` over all, and one for each kind of question; of a kind nobody asks, 0.

    Raises:
        DataError: there is no question.
    """
    if not references:
        raise DataError("there is no question to score")
    right = {name: name in predictions and is_right(predictions[name], r) for name, r in references.items()}
    scores = {"score": _percent(list(right.values()))}
    for kind in KINDS:
        scores[kind] = _percent([right[name] for name, r in references.items() if r.kind == kind])
    return scores


def harmonic_mean(scores: Sequence[float]) -> float:
    """The final score, of unseen questions and unseen entities."""
    return len(scores) / sum(1 / (score + 1e-12) for score in scores)


def _percent(right: Sequence[bool]) -> float:
    return 100 * sum(right) / len(right) if right else 0.0

"""Whether a model scores higher what people prefer, of two retrieved lists (QuRe, Kwak et al. 2025, §5.2).

The one measure of scores rather than ranks: lists are fixed, and a list's score is the mean of its items'.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from requery.errors import ConfigError, DataError, first
from requery.ranking.bootstrap import interval, resampled_means
from requery.ranking.metrics import RESAMPLES, Estimate
from requery.scoring import max_token_score


@dataclass(frozen=True)
class Preferences:
    """Judgements of `Q` queries.

    Args:
        lists: `(Q, 2, L)` int64 gallery indices, the first and the second list.
        preferred: `(Q,)` int64, 1 or 2.
    """

    lists: Tensor
    preferred: Tensor

    def __post_init__(self) -> None:
        if self.lists.ndim != 3 or self.lists.shape[:2] != (len(self.preferred), 2):
            raise DataError(f"lists {tuple(self.lists.shape)} do not fit {len(self.preferred)} judgements")
        wrong = ((self.preferred != 1) & (self.preferred != 2)).nonzero().flatten().tolist()
        if wrong:
            raise DataError(f"neither 1 nor 2 is preferred at queries {first(wrong)}")


def list_scores(queries: Tensor, lists: Tensor) -> Tensor:
    """Mean score of each list's items, without temperature.

    Args:
        queries: `(B, D)` unit.
        lists: `(B, 2, L, T, D)` unit embeddings of the items, T tokens each.

    Returns:
        `(B, 2)` float32.
    """
    scores = max_token_score(queries.float(), lists.float().flatten(1, 2))
    return scores.view(lists.shape[:3]).mean(-1)


def preference_rate(scores: Tensor, preferred: Tensor) -> Tensor:
    """Whether the first list is preferred, of each judgement where it scores higher; the published measure.

    Judgements where it does not are left out: one-sided. Always preferring the first list gives 53.8 % on
    HP-FashionIQ.

    Args:
        scores: `(Q, 2)`.
        preferred: `(Q,)` 1 or 2.

    Returns:
        `(n,)` float64, 1 or 0, `n` of `Q`.

    >>> preference_rate(torch.tensor([[2.0, 1.0], [3.0, 0.0], [0.0, 1.0]]), torch.tensor([1, 2, 2])).tolist()
    [1.0, 0.0]
    """
    return (preferred[scores[:, 0] > scores[:, 1]] == 1).double()


def preference_accuracy(scores: Tensor, preferred: Tensor) -> Tensor:
    """Whether the list that scores higher is preferred, whichever it is; ties are left out.

    Args and result are those of `preference_rate`.

    >>> scores = torch.tensor([[2.0, 1.0], [1.0, 1.0], [0.0, 1.0]])
    >>> preference_accuracy(scores, torch.tensor([1, 1, 1])).tolist()
    [1.0, 0.0]
    """
    apart = scores[:, 0] != scores[:, 1]
    higher = torch.where(scores[:, 0] > scores[:, 1], 1, 2)
    return (higher == preferred)[apart].double()


_MEASURES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "preference_accuracy": preference_accuracy,
    "preference_rate": preference_rate,
}


def evaluate_preference(scores: Tensor, preferred: Tensor, names: tuple[str, ...]) -> dict[str, Estimate]:
    """Average measures over the judgements that each counts, with intervals; 0 of 0 is 0, as officially.

    Args:
        scores: `(Q, 2)`, finite.
        preferred: `(Q,)` 1 or 2.
        names: `preference_rate`, `preference_accuracy`.

    Raises:
        ConfigError: another name.
        DataError: a score is not finite.
    """
    wrong = (~scores.isfinite()).any(1).nonzero().flatten().tolist()
    if wrong:
        raise DataError(f"a list's score is NaN or infinite at queries {first(wrong)}")
    found = {}
    for name in names:
        if name not in _MEASURES:
            raise ConfigError(f"unknown measure of preference {name!r}; known are {', '.join(_MEASURES)}")
        values = _MEASURES[name](scores, preferred)
        found[name] = _estimate(values) if len(values) else Estimate(0.0, 0.0, 0.0, 0)
    return found


def _estimate(values: Tensor) -> Estimate:
    low, high = interval(resampled_means(values[:, None], RESAMPLES, 0)).flatten().tolist()
    return Estimate(float(values.mean()), low, high, len(values))

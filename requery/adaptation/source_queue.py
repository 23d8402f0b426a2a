"""Which pairs of the stream look like the source domain, and what they say: its gap and its entropies."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from requery.adaptation.objective import confidence_margins, modality_gap, row_entropy
from requery.errors import ConfigError

Criterion = Literal["source_like", "diverse"]


def source_likeness(queries: Tensor, candidates: Tensor) -> Tensor:
    """Score how unlike the source each pair is: 2‖q - c‖ - ‖q - mean q‖ - ‖c - mean c‖ (TCR's SI).

    A small gap between the sides and a large spread within each are what the source model was trained to.

    Args:
        queries: `(B, D)`.
        candidates: `(B, D)`, the nearest of each query.

    Returns:
        `(B,)`; the smallest are the most source-like.
    """
    score: Tensor = 2 * torch.linalg.vector_norm(queries - candidates, dim=1)
    for side in (queries, candidates):
        score = score - torch.linalg.vector_norm(side - side.mean(0), dim=1)
    return score


class SourceQueue:
    """The most source-like pairs seen so far, as they were embedded when they were seen.

    The defaults are the official code's: each of the first ten batches offers its best 30 %, and when the
    queue is full the 64 best stay. It is frozen afterwards, which suits one shift; for a stream whose shift
    changes, `updates=None` with a `max_age` makes it roll.

    Args:
        capacity: pairs kept.
        ratio: share of a batch offered, at least one pair. (Officially none of a batch below 4, which then
            stops with an error.)
        updates: calls of `update` that count, or None for no end.
        temperature: divides the similarities before the entropy.
        max_age: updates after which a pair is dropped, or None to keep it (ours).
        quantile: of the queue's entropies that is `max_entropy`; 1 = the maximum, one outlier away from
            filtering nothing, below 1 = ours.
        criterion: `source_like` = TCR's SI; `diverse` = the farthest from the queries' centre (HAT-VTR).

    Raises:
        ConfigError: a value is out of range.
    """

    def __init__(
        self,
        capacity: int = 64,
        ratio: float = 0.3,
        updates: int | None = 10,
        temperature: float = 0.02,
        max_age: int | None = None,
        quantile: float = 1.0,
        criterion: Criterion = "source_like",
    ) -> None:
        if capacity < 1 or not 0 < ratio <= 1 or not 0 <= quantile <= 1 or temperature <= 0:
            raise ConfigError(
                f"a source queue needs capacity={capacity} of at least 1, ratio={ratio} in (0, 1], "
                f"quantile={quantile} in [0, 1] and temperature={temperature} above 0"
            )
        if any(limit is not None and limit < 1 for limit in (updates, max_age)):
            raise ConfigError(f"updates={updates} and max_age={max_age} must be at least 1, or null")
        self.capacity, self.ratio, self.updates, self.temperature = capacity, ratio, updates, temperature
        self.max_age, self.quantile, self.criterion = max_age, quantile, criterion
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.seen = 0
        self._columns: dict[str, Tensor] = {}
        self._summarise()

    def __len__(self) -> int:
        return self._columns["score"].numel() if self._columns else 0

    @property
    def is_open(self) -> bool:
        """Whether the next update counts."""
        return self.updates is None or self.seen < self.updates

    @property
    def scores(self) -> Tensor:
        """`(n,)` selection scores of the pairs, in the queue's order."""
        return self._columns["score"]

    @torch.no_grad()
    def update(self, queries: Tensor, candidates: Tensor, entropy: Tensor | None = None) -> None:
        """Offer a batch; does nothing once `updates` batches were offered.

        Args:
            queries: `(B, D)` unit embeddings.
            candidates: `(B, D)`, the nearest of each query, with repetition.
            entropy: `(B,)` of the refined predictions; None = of the softmax over `candidates`.
        """
        if not self.is_open:
            return
        self.seen += 1
        if entropy is None:
            entropy = row_entropy(queries @ candidates.T / self.temperature)
        if self.criterion == "source_like":
            score = source_likeness(queries, candidates)
        else:
            score = -torch.linalg.vector_norm(queries - queries.mean(0), dim=1)
        best = score.argsort(stable=True)[: max(1, int(self.ratio * len(queries)))]
        age = score.new_full((len(best),), self.seen, dtype=torch.int64)
        offered = (score[best], queries[best], candidates[best], entropy[best], age)
        new = dict(zip(("score", "query", "candidate", "entropy", "seen"), offered, strict=True))
        old = self._columns
        self._columns = {name: torch.cat([old[name], new[name]]) if old else new[name] for name in new}
        if self.max_age is not None:
            self._keep((self.seen - self._columns["seen"] < self.max_age).nonzero().flatten())
        if len(self) >= self.capacity:
            self._keep(self.scores.argsort(stable=True)[: self.capacity])
        self._summarise()

    def _keep(self, rows: Tensor) -> None:
        self._columns = {name: column[rows] for name, column in self._columns.items()}

    def _summarise(self) -> None:
        """Compute once per update what every step reads."""
        empty = not len(self)
        if empty:
            self.gap = self.max_entropy = self.margin = torch.tensor(torch.nan)
            return
        queries, candidates = self._columns["query"], self._columns["candidate"]
        self.gap = modality_gap(queries, candidates)
        """Scalar Delta_S, NaN while the queue is empty."""
        self.max_entropy = self._columns["entropy"].quantile(self.quantile)
        """Scalar E_m, in nats; NaN while the queue is empty."""
        self.margin = confidence_margins(queries @ candidates.T).mean()
        """Scalar mean of best minus second-best similarity among the pairs."""

    def state_dict(self) -> dict[str, Any]:
        """All that `load_state_dict` needs to go on: tensors and integers."""
        return {"seen": self.seen, "columns": dict(self._columns)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a `state_dict`."""
        self.seen, self._columns = int(state["seen"]), dict(state["columns"])
        self._summarise()

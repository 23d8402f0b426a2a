"""TCR: predictions refined to the nearest candidates, held against the source-like pairs of the stream."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from requery.adaptation.gallery import Gallery
from requery.adaptation.methods import TCR, Queued
from requery.adaptation.objective import modality_gap, noise_robust_entropy, query_uniformity, row_entropy
from requery.adaptation.recent import Pairs, Recent
from requery.adaptation.rules.base import Rule, Step
from requery.adaptation.source_queue import Criterion, SourceQueue


class View(NamedTuple):
    """A batch with its candidates, and with the past of the window where there is one.

    Args:
        pairs: of batch and window, the batch last.
        logits: `(B, K)` of the batch over the refined candidates.
    """

    pairs: Pairs
    logits: Tensor


class Bearings(Rule):
    """The source-like queue and the window that all of TCR's relatives share.

    Args:
        method: settings.
        gallery: fixed.
    """

    criterion: Criterion = "source_like"
    queue: SourceQueue

    def __init__(self, method: Queued, gallery: Gallery) -> None:
        self.settings = method
        self.recent = Recent(method.window)
        self.queue = SourceQueue(
            method.queue_capacity,
            method.queue_ratio,
            method.queue_updates,
            method.temperature,
            method.queue_max_age,
            method.threshold_quantile,
            self.criterion,
        )
        super().__init__(gallery)

    def nearest(self, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Candidate of each query: `(B,)` items and `(B, D)` embeddings."""
        return self.gallery.nearest(queries)

    def logits(self, queries: Tensor, items: Tensor) -> Tensor:
        """Refined predictions before the softmax: `(B, D)` queries over the candidates `items`."""
        if self.settings.refined == "gallery":
            return self.gallery.scores(queries) / self.settings.temperature
        if self.settings.deduplicate:
            items = torch.unique(items)
        return self.gallery.among(queries, items) / self.settings.temperature

    def view(self, queries: Tensor) -> View:
        """Look up the candidates of a batch and join it to the window."""
        items, candidates = self.nearest(queries)
        self.predicted = items
        past = self.recent.pairs
        if past is None:
            logits = self.logits(queries, items)
            return View(Pairs(queries, candidates, items, row_entropy(logits.detach())), logits)
        logits = self.logits(queries, torch.cat([past.items, items]))
        pairs = Pairs(queries, candidates, items, row_entropy(logits.detach()))
        return View(past.followed_by(pairs), logits)

    def offer(self, view: View) -> None:
        """Let the queue choose from the batch, or from the window once it is new as a whole."""
        if new := self.recent.due(len(view.logits)):
            queries, candidates, _, entropy = (column[-new:] for column in view.pairs.detached())
            self.queue.update(queries, candidates, entropy)

    def remember(self, view: View) -> None:
        """Keep the batch for the window of the next one."""
        self.recent.keep(view.pairs.detached())

    def reset(self) -> None:
        self.queue.reset()
        self.recent.reset()

    def state_dict(self) -> dict[str, Any]:
        return {"queue": self.queue.state_dict(), "recent": self.recent.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.queue.load_state_dict(state["queue"])
        self.recent.load_state_dict(state["recent"])


class Refined(Bearings):
    """TCR's step.

    Args:
        method: settings.
        gallery: fixed.
    """

    def __init__(self, method: TCR, gallery: Gallery) -> None:
        self.method = method
        super().__init__(method, gallery)

    def loss(self, step: Step) -> Tensor | None:
        view = self.view(step.queries)
        if step.number == 0:
            self.offer(view)
        if step.last:
            self.remember(view)
        if not len(self.queue):
            return None
        terms = self.terms(view, step)
        loss = torch.stack(list(terms.values())).sum()
        self.losses = {"total": loss.detach()} | {name: term.detach() for name, term in terms.items()}
        return loss

    def terms(self, view: View, step: Step) -> dict[str, Tensor]:
        """The terms of the loss by their names."""
        terms, wanted, pairs = {}, self.method.terms, view.pairs
        if "consistency" in wanted:
            terms["consistency"] = self.consistency(view)
        if "entropy" in wanted:
            terms["entropy"] = row_entropy(view.logits).mean()
        if "uniformity" in wanted:
            centre = pairs.queries.mean(0)
            terms["uniformity"] = query_uniformity(step.queries, self.method.uniformity_scale, centre)
        if "gap" in wanted or "zero_gap" in wanted:
            gap = modality_gap(pairs.queries, pairs.candidates)
            both = {"gap": (gap - self.queue.gap).square(), "zero_gap": gap.square()}
            terms |= {name: value for name, value in both.items() if name in wanted}
        return terms

    def consistency(self, view: View) -> Tensor:
        """Sharpen what is predicted with less entropy than the source-like pairs have."""
        return noise_robust_entropy(view.logits, self.queue.max_entropy)

"""The engine of test-time adaptation: a batch of queries in, its embeddings out, the encoder changed."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from requery.adaptation.collapse import Collapse, CollapseMonitor
from requery.adaptation.gallery import Gallery
from requery.adaptation.inputs import unit, usable
from requery.adaptation.layer_norms import freeze_all_but, layer_norm_parameters
from requery.adaptation.rules import Passes, Step, rule_for
from requery.adaptation.sam import Gradients
from requery.adaptation.settings import Method, Updating
from requery.cache import tensor_digest
from requery.files import sha256_bytes

log = logging.getLogger(__name__)


class Adapter:
    """Adapt a query encoder to a stream, batch by batch, against a fixed gallery.

    The encoder itself is changed: it is put in evaluation, all its weights are frozen but LayerNorm's scale
    and shift, and those are updated in place. Make the adapter once the encoder is on its device. It works
    under `torch.inference_mode` and `torch.no_grad`.

    Args:
        encoder: maps a batch to `(B, D)`; normalised here.
        gallery: `(M, D)`, or `(M, T, D)` with T embeddings an item, of which the best counts.
        method: settings.
        modules: parts of the encoder, or their names, whose LayerNorm is adapted; None = all.
        collapse: limits and whether to start anew beyond them.
        seed: for what is random: DeYO's patches, by (seed, step, query number).

    Attributes:
        counts: batches, queries, updates, `waited` steps without enough to learn from, `skipped` steps whose
            embeddings or gradients were not finite, `restarts` from the source weights.
        passes: through the encoder, forward and backward.
        collapses: (batch, reason) of every collapse that began.

    Raises:
        ConfigError: there is nothing to adapt.
        DataError: the gallery is empty.
        EmbeddingError: a gallery embedding has no direction.
    """

    _collapsed: bool
    _summed: int
    optimizer: torch.optim.AdamW

    def __init__(
        self,
        encoder: nn.Module,
        gallery: Tensor,
        method: Method,
        *,
        modules: Sequence[str | nn.Module] | None = None,
        collapse: Collapse | None = None,
        seed: int = 0,
    ) -> None:
        with torch.inference_mode(False):
            self.encoder, self.method, self.seed = encoder, method, seed
            updating = method if isinstance(method, Updating) else None
            self.adapted = layer_norm_parameters(encoder, modules) if updating else {}
            freeze_all_but(encoder, self.adapted)
            self.steps, self._accumulate = (updating.steps, updating.accumulate) if updating else (0, 1)
            self._rank_after = updating is None or updating.score == "after"
            self._parameters = list(self.adapted.values())
            self._source = [parameter.detach().clone() for parameter in self._parameters]
            self.gallery = Gallery(gallery)
            self.rule = rule_for(method, self.gallery)
            self.collapse = collapse or Collapse()
            self._monitor = CollapseMonitor(self.collapse)
        self.reset()

    def step(self, batch: Any) -> Tensor:
        """Adapt to a batch and embed it.

        Args:
            batch: the encoder's input: a tensor, or tensors in lists, tuples and dicts.

        Returns:
            `(B, D)` unit embeddings to rank with, without graph.
        """
        with torch.inference_mode(False), torch.enable_grad():
            batch = usable(batch)
            self._losses: list[dict[str, Tensor]] = []
            queries = self._adapt(batch)
            if queries is None or self._rank_after:
                with torch.no_grad():
                    queries = self._embed(batch)
            with torch.no_grad():
                queries = self.rule.refine(queries.detach())
                self._watch(queries)
        self.counts["batches"] += 1
        self.counts["queries"] += len(queries)
        return queries

    @torch.no_grad()
    def embed(self, batch: Any, weights: Sequence[Tensor] | None = None) -> Tensor:
        """Embed a batch without adapting to it: `(B, D)`.

        Args:
            batch: as for `step`.
            weights: of the adapted parameters, such as an earlier `weights()`; None = the present ones.
        """
        with torch.inference_mode(False), torch.no_grad():
            return self._embed(usable(batch)) if weights is None else self._embed_at(batch, weights)

    def weights(self) -> list[Tensor]:
        """Copies of the adapted parameters as they are."""
        return [parameter.detach().clone() for parameter in self._parameters]

    @torch.no_grad()
    def scores(self, queries: Tensor) -> Tensor:
        """Score the batch last stepped: `(B, D)` to `(B, M)` cosines (HAT-VTR: corrected for hubs)."""
        return self.rule.scores(queries)

    @property
    def losses(self) -> list[dict[str, float]]:
        """Loss and its terms at each step of the latest batch."""
        return [{name: float(value) for name, value in losses.items()} for losses in self._losses]

    def _adapt(self, batch: Any) -> Tensor | None:
        """Take the steps; the last forward's queries."""
        queries = None
        encode_source = cache(partial(self._embed_at, batch, self._source))
        for number in range(self.steps):
            queries = self._embed(batch)
            if not bool(queries.isfinite().all()):  # it would poison what is remembered
                self.counts["skipped"] += 1
                return queries
            start = self.counts["queries"]
            step = Step(
                batch=batch,
                queries=queries,
                items=torch.arange(start, start + len(queries)),
                number=number,
                last=number == self.steps - 1,
                parameters=self._parameters,
                source=self._source,
                at_source=not self._moved,
                encode=self._embed,
                encode_source=encode_source,
                seed=self.seed,
                passes=self.passes,
            )
            self._update(self.rule.gradients(step))
            if self.rule.starts_anew:
                self._restart()
        return queries

    def _update(self, gradients: Gradients | None) -> None:
        if gradients is None:
            self.counts["waited"] += 1
            return
        self._losses.append(self.rule.losses)
        norm = nn.utils.get_total_norm([g for g in gradients if g is not None])
        if not bool(norm.isfinite()):
            self.counts["skipped"] += 1
            log.warning("batch %d: the gradient is not finite, step skipped", self.counts["batches"])
            return
        self._summed += 1
        for parameter, gradient in zip(self._parameters, gradients, strict=True):
            _add(parameter, gradient, 1 / self._accumulate)
        if self._summed < self._accumulate:
            return
        self._summed = 0
        self.optimizer.step()
        self.optimizer.zero_grad()
        self._moved = True
        self.counts["updates"] += 1

    def _watch(self, queries: Tensor) -> None:
        """Record a collapse when it begins, and start anew where that is asked for."""
        reason = self._monitor.reason(queries, self.rule.predicted)
        if reason is not None and not self._collapsed:
            self.collapses.append((self.counts["batches"], reason))
            log.warning("batch %d: collapse, %s", *self.collapses[-1])
        self._collapsed = reason is not None
        if self._collapsed and self.collapse.reset:
            self._restart()

    def _embed(self, batch: Any) -> Tensor:
        self.passes.forward += 1
        return unit(self.encoder(batch))

    def _embed_at(self, batch: Any, weights: Sequence[Tensor]) -> Tensor:
        self.passes.forward += 1
        with torch.no_grad():
            given = dict(zip(self.adapted, weights, strict=True))
            # With tie_weights=True torch leaves the given weights in a module that goes by two names.
            return unit(functional_call(self.encoder, given, (batch,), tie_weights=False))

    def _restart(self) -> None:
        """Go back to the source weights in mid-stream."""
        self._from_source()
        self.counts["restarts"] += 1

    def _from_source(self) -> None:
        with torch.no_grad():
            for parameter, value in zip(self._parameters, self._source, strict=True):
                parameter.copy_(value)
                parameter.grad = None
        self._summed = 0
        if isinstance(self.method, Updating):
            self.optimizer = torch.optim.AdamW(
                self._parameters, lr=self.method.lr, weight_decay=self.method.weight_decay
            )
        self.rule.reset()
        self._monitor.reset()
        self._moved = self._collapsed = False

    def reset(self) -> None:
        """Forget the stream: source weights, a fresh optimizer, an empty queue, counts at 0."""
        self.counts = dict.fromkeys(("batches", "queries", "updates", "waited", "skipped", "restarts"), 0)
        self.collapses: list[tuple[int, str]] = []
        self.passes = Passes()
        self._losses = []
        with torch.inference_mode(False):
            self._from_source()

    def weights_digest(self) -> str:
        """SHA-256 of the adapted parameters: names, dtypes, shapes and bytes."""
        rows = [[name, tensor_digest(p.detach().cpu())] for name, p in sorted(self.adapted.items())]
        return sha256_bytes(json.dumps(rows).encode())

    def state_dict(self) -> dict[str, Any]:
        """What a new adapter of the same source encoder needs to go on with the stream, bit by bit."""
        return {
            "parameters": {name: p.detach().clone() for name, p in self.adapted.items()},
            "gradients": {n: p.grad.clone() for n, p in self.adapted.items() if p.grad is not None},
            "summed": self._summed,
            "optimizer": deepcopy(self.optimizer.state_dict()) if self.adapted else {},
            "rule": self.rule.state_dict(),
            "monitor": self._monitor.state_dict(),
            "counts": dict(self.counts),
            "collapses": list(self.collapses),
            "moved": self._moved,
            "collapsed": self._collapsed,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state_dict`; the source weights stay those the adapter was made with."""
        with torch.inference_mode(False), torch.no_grad():
            for name, parameter in self.adapted.items():
                parameter.copy_(state["parameters"][name])
                parameter.grad = state["gradients"].get(name)
            if self.adapted:
                self.optimizer.load_state_dict(deepcopy(state["optimizer"]))
            self.rule.load_state_dict(state["rule"])
            self._monitor.load_state_dict(state["monitor"])
        self.counts, self.collapses = dict(state["counts"]), [tuple(row) for row in state["collapses"]]
        self._moved, self._collapsed, self._summed = state["moved"], state["collapsed"], state["summed"]


def _add(parameter: Tensor, gradient: Tensor | None, share: float) -> None:
    """Add a share of a gradient to what the next update takes."""
    if gradient is None:
        return
    gradient = gradient if share == 1 else gradient * share
    parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient

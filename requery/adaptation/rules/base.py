"""What a method does in one step, and what it remembers between batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from requery.adaptation.gallery import Gallery
from requery.adaptation.sam import Gradients
from requery.adaptation.source_queue import SourceQueue


@dataclass
class Passes:
    """Passes of whole batches through the encoder.

    Args:
        forward: without or with graph.
        backward: through the graph of one.
    """

    forward: int = 0
    backward: int = 0

    @property
    def cost(self) -> int:
        """In forward passes; a backward pass is worth two."""
        return self.forward + 2 * self.backward


@dataclass(frozen=True)
class Step:
    """One forward pass of one batch, with what a rule may need beside it.

    Args:
        batch: the encoder's input.
        queries: `(B, D)` unit embeddings with their graph.
        items: `(B,)` numbers of the queries in the stream.
        number: of the step in its batch, from 0.
        last: whether no step follows in this batch.
        parameters: the adapted ones.
        source: their source values, aligned.
        at_source: whether they still have them.
        encode: another input at the present weights, with graph.
        encode_source: the batch at the source weights, without graph; computed once a batch.
        seed: for what is random.
        passes: where passes are counted.
    """

    batch: Any
    queries: Tensor
    items: Tensor
    number: int
    last: bool
    parameters: Sequence[Tensor]
    source: Sequence[Tensor]
    at_source: bool
    encode: Callable[[Any], Tensor]
    encode_source: Callable[[], Tensor]
    seed: int
    passes: Passes

    def gradients(self, loss: Tensor, *, keep_graph: bool = False) -> Gradients:
        """Gradient of a loss by each parameter, None where it is not reached."""
        self.passes.backward += 1
        return list(
            torch.autograd.grad(loss, list(self.parameters), retain_graph=keep_graph, allow_unused=True)
        )


class Rule:
    """A method at work; the base adapts nothing.

    Args:
        gallery: fixed.
    """

    queue: SourceQueue | None = None
    """The stream's source-like pairs, of methods that take their bearings from them."""
    ranks_by_scores = False
    """Whether `scores` differs from plain similarity, so that embeddings alone cannot be ranked."""

    def __init__(self, gallery: Gallery) -> None:
        self.gallery = gallery
        self.losses: dict[str, Tensor] = {}
        """Values of the latest step, `total` and its terms."""
        self.predicted: Tensor | None = None
        """`(B,)` nearest items of the latest step."""
        self.reset()

    def loss(self, step: Step) -> Tensor | None:
        """Scalar to descend, or None where there is nothing to learn from yet."""
        return None

    def gradients(self, step: Step) -> Gradients | None:
        """Gradients to update with, or None for no update."""
        loss = self.loss(step)
        return None if loss is None else step.gradients(loss)

    def refine(self, queries: Tensor) -> Tensor:
        """Change the embeddings themselves (methods without gradients)."""
        return queries

    def scores(self, queries: Tensor) -> Tensor:
        """What to rank the latest batch by: `(B, D)` to `(B, M)`."""
        return self.gallery.scores(queries)

    @property
    def starts_anew(self) -> bool:
        """Whether the method itself asks for a reset after the latest step."""
        return False

    def reset(self) -> None:
        """Forget all batches."""

    def state_dict(self) -> dict[str, Any]:
        """What is remembered: tensors and numbers."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a `state_dict`."""

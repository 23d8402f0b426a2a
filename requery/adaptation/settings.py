"""What the settings of all methods share: ranges, and the optimizer's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from requery.ranges import check_settings

_SHARES = {"queue_ratio", "threshold_quantile", "margin", "share", "hub_share", "confidence"}
_POSITIVE = {"lr", "pace", "temperature", "rho", "uniformity_scale", "scale", "decoupling_strength"}
_COUNTS = {
    "steps",
    "batch_size",
    "accumulate",
    "queue_capacity",
    "queue_updates",
    "queue_max_age",
    "subspace_rank",
    "grid",
    "memory",
}
_NOT_NEGATIVE = {"weight_decay", "window", "reset_below", "pseudo_label_weight", "confidence_weight"}


@dataclass(frozen=True)
class Method:
    """What every method has; `NoAdaptation`, `TCR`, `Tent` … are the ones to use.

    Args:
        batch_size: queries taken at a time; null = as many as arrive together (the stream's batch size).
        pace: forward passes of a batch that fit between two arrivals, a backward pass counting as two; null =
            the stream waits. While a method is busy, batches that arrive are answered by the weights it had
            before (after Alfarra et al., ICML 2024; in passes, as seconds would not reproduce).

    Raises:
        ConfigError: a value is out of range or unknown.
    """

    batch_size: int | None = field(default=None, kw_only=True)
    pace: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        check_settings(self, shares=_SHARES, positive=_POSITIVE, not_negative=_NOT_NEGATIVE, counts=_COUNTS)


@dataclass(frozen=True)
class Updating(Method):
    """A method that updates LayerNorm's affine parameters by AdamW.

    Args:
        steps: forward and backward passes a batch.
        lr: learning rate; officially 3e-4, but 3e-5 for text queries with BLIP.
        weight_decay: of AdamW.
        score: rank with the queries of the last step's forward, `before` its update (official; with one step
            adaptation then helps later batches only), or of one more forward `after` it (ours).
        accumulate: steps whose gradients are averaged into one update; above 1 = ours, for small batches.
    """

    steps: int = 3
    lr: float = 3e-4
    weight_decay: float = 1e-4
    score: Literal["before", "after"] = "before"
    accumulate: int = field(default=1, kw_only=True)

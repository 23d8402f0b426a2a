"""The ways to choose the corpus items a query is trained against."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal, get_args

from requery.errors import ConfigError

StrategyName = Literal["all", "top_k", "after_target_top_k", "two_drop", "two_drop_window"]


@dataclass(frozen=True)
class Strategy:
    """Which items of the corpus become a query's negatives.

    Args:
        name: `all` = every item but the target; `top_k` = the k best ranked but the target;
            `after_target_top_k` = the k that follow the target; `two_drop` = QuRe's rule, between two steep
            drops after the target; `two_drop_window` = the same, both drops within `window` items after it.
        k: items of `top_k` and `after_target_top_k`, and of the fallbacks.
        window: items after the target in which `two_drop_window` looks for both drops.
        consecutive_threshold: two drops at most so many positions apart are not a pair.
        exclude_reference: take the query's reference image out of the corpus first.

    Raises:
        ConfigError: unknown name (with a suggestion) or a value out of range.
    """

    name: StrategyName = "two_drop_window"
    k: int = 100
    window: int = 100
    consecutive_threshold: int = 1
    exclude_reference: bool = False

    def __post_init__(self) -> None:
        names = get_args(StrategyName)
        if self.name not in names:
            near = get_close_matches(str(self.name), names, 1, cutoff=0.4)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ConfigError(f"unknown strategy {self.name!r}{hint} (known: {', '.join(names)})")
        for field, least in (
            ("k", 1),
            ("window", self.consecutive_threshold + 3),
            ("consecutive_threshold", 0),
        ):
            if getattr(self, field) < least:
                why = " (a pair of drops needs so many items)" if field == "window" else ""
                raise ConfigError(f"{field}={getattr(self, field)} must be at least {least}{why}")

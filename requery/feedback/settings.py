"""The ranges that settings of feedback must lie in."""

from __future__ import annotations

from functools import partial

from requery import ranges

check_settings = partial(
    ranges.check_settings,
    shares={"wrong", "first_weight"},
    positive={"temperature"},
    not_negative={"alpha", "beta", "gamma", "position_bias", "query_weight"},
    counts={"rounds", "k", "pool", "budget", "batch"},
)
"""Refuse a dataclass of settings that is out of range; see `requery.ranges.check_settings`."""

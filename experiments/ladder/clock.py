"""How long each stage of a flow takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from requery.cost import CostMeter

T = TypeVar("T")


def timed(cost: CostMeter, name: str, stage: T) -> T:
    """A stage of the pipeline, whose time is added to `cost` under a name whenever it is called."""

    def call(*args: Any) -> Any:
        with cost.stage(name):
            return cast("Callable[..., Any]", stage)(*args)

    return cast("T", call)

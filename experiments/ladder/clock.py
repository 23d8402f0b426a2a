"""How long each stage of a flow takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar, cast

T = TypeVar("T")


class Clock:
    """Seconds by stage.

    Attributes:
        seconds: by name.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def timed(self, name: str, stage: T) -> T:
        """The stage, timed under a name."""

        def call(*args: Any) -> Any:
            began = time.perf_counter()
            try:
                return cast("Callable[..., Any]", stage)(*args)
            finally:
                self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began

        return cast("T", call)

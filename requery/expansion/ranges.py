"""The ranges that settings of query expansion must lie in."""

from __future__ import annotations

from collections.abc import Sequence

from requery.errors import ConfigError


def between(settings: object, low: float, high: float, *names: str) -> None:
    """Refuse settings outside `[low, high]`.

    Raises:
        ConfigError: names the class, the setting and its range.
    """
    for name in names:
        value = getattr(settings, name)
        if not low <= value <= high:
            rule = f"be at least {low:g}" if high == float("inf") else f"lie in [{low:g}, {high:g}]"
            raise ConfigError(f"{type(settings).__name__}: {name}={value!r} must {rule}")


def at_least(settings: object, low: float, *names: str) -> None:
    """Refuse settings below `low`, as `between` does."""
    between(settings, low, float("inf"), *names)


def one_of(settings: object, name: str, allowed: Sequence[str]) -> None:
    """Refuse an unknown name.

    Raises:
        ConfigError: lists what is known.
    """
    value = getattr(settings, name)
    if value not in allowed:
        raise ConfigError(
            f"{type(settings).__name__}: {name}={value!r} must be one of {', '.join(sorted(allowed))}"
        )

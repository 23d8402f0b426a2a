"""The ranges that settings must lie in."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal, get_args, get_origin, get_type_hints

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
        raise ConfigError(f"{type(settings).__name__}: {name}={value!r} must be one of {', '.join(allowed)}")


def check_settings(
    settings: object,
    *,
    shares: Collection[str],
    positive: Collection[str],
    not_negative: Collection[str],
    counts: Collection[str],
) -> None:
    """Refuse what is out of range or unknown in a dataclass; None is always allowed.

    Args:
        settings: an instance. Fields typed as a `Literal` must have one of its values.
        shares: names of fields, whatever the class, that lie in [0, 1].
        positive: that are above 0.
        not_negative: that are at least 0.
        counts: that are at least 1.

    Raises:
        ConfigError: names the class, the setting and its range.
    """
    for name, hint in get_type_hints(type(settings)).items():
        value = getattr(settings, name)
        if get_origin(hint) is Literal:
            one_of(settings, name, get_args(hint))
        elif value is None:
            continue
        elif name in shares:
            between(settings, 0, 1, name)
        elif name in positive and not value > 0:
            raise ConfigError(f"{type(settings).__name__}: {name}={value!r} must be above 0")
        elif name in not_negative:
            at_least(settings, 0, name)
        elif name in counts:
            at_least(settings, 1, name)

"""The ranges that settings of feedback must lie in."""

from __future__ import annotations

from typing import Literal, get_args, get_origin, get_type_hints

from requery.errors import ConfigError

_SHARES = {"wrong", "first_weight"}
_POSITIVE = {"temperature"}
_NOT_NEGATIVE = {"alpha", "beta", "gamma", "position_bias", "query_weight"}
_COUNTS = {"rounds", "k", "pool", "budget", "batch"}


def check_settings(settings: object) -> None:
    """Refuse what is out of range or unknown in a dataclass.

    Raises:
        ConfigError: names the class, the setting and its range.
    """
    for name, hint in get_type_hints(type(settings)).items():
        value = getattr(settings, name)
        rule = None
        if get_origin(hint) is Literal and value not in get_args(hint):
            rule = f"be one of {', '.join(get_args(hint))}"
        elif value is None:
            continue
        elif name in _SHARES and not 0 <= value <= 1:
            rule = "lie in [0, 1]"
        elif name in _POSITIVE and not value > 0:
            rule = "be above 0"
        elif name in _NOT_NEGATIVE and not value >= 0:
            rule = "be at least 0"
        elif name in _COUNTS and not value >= 1:
            rule = "be at least 1"
        if rule is not None:
            raise ConfigError(f"{type(settings).__name__}: {name}={value!r} must {rule}")

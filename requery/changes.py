"""Settings in dataclasses changed by dotted names, such as `weighting.caption`."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar, get_args, get_type_hints

from requery.errors import ConfigError

T = TypeVar("T")


def changed(settings: T, change: Mapping[str, Any]) -> T:
    """Settings with some of them changed.

    Args:
        settings: an instance of a dataclass, which may hold others.
        change: values by name; `outer.inner` and a mapping below `outer` say the same. Where `outer` is None,
            its class's defaults are changed.

    Raises:
        ConfigError: a name is unknown (with a suggestion), or a value is of another type or out of range.

    >>> from requery.expansion import ExpansionSettings
    >>> changed(ExpansionSettings(), {"image": False, "weighting.caption": 1.0}).weighting.caption
    1.0
    """
    names = {f.name for f in fields(settings)}  # type: ignore[arg-type]
    new: dict[str, Any] = {}
    for name, value in change.items():
        head, _, rest = name.partition(".")
        if head not in names:
            raise _unknown(settings, name)
        current = new.get(head, getattr(settings, head))
        part = _part(settings, head) if current is None else current
        if rest and not is_dataclass(part):
            raise _unknown(settings, name)
        if rest:
            new[head] = changed(part, {rest: value})
        elif is_dataclass(part) and isinstance(value, Mapping):
            new[head] = changed(part, value)
        else:
            new[head] = _fitting(settings, head, current, value)
    return replace(settings, **new)  # type: ignore[type-var]


def _part(settings: Any, name: str) -> Any:
    """A default instance of the dataclass that an empty field may hold; None where it holds no such thing."""
    hint = get_type_hints(type(settings))[name]
    kinds = [kind for kind in (hint, *get_args(hint)) if is_dataclass(kind)]
    return kinds[0]() if kinds else None  # type: ignore[operator]


def _fitting(settings: Any, name: str, current: Any, value: Any) -> Any:
    """The value, where it is of the kind of what is there."""
    if isinstance(current, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(current, tuple) and isinstance(value, list):
        return tuple(value)
    optional = type(None) in get_args(get_type_hints(type(settings))[name])
    if current is None or type(value) is type(current) or (value is None and optional):
        return value
    kind = type(current).__name__
    raise ConfigError(f"{type(settings).__name__}: {name}={value!r} must be of the kind {kind}")


def _unknown(settings: Any, name: str) -> ConfigError:
    known = list(_names(settings))
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
    return ConfigError(f"{type(settings).__name__} has no setting {name!r}: {hint}")


def _names(settings: Any, above: str = "") -> Iterator[str]:
    for f in fields(settings):
        yield above + f.name
        value = getattr(settings, f.name)
        part = _part(settings, f.name) if value is None else value
        if is_dataclass(part):
            yield from _names(part, f"{above}{f.name}.")

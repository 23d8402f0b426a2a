"""Say that a kind of corruption or a severity does not exist."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from requery.errors import ConfigError


def require(kind: str, severity: int, kinds: Sequence[str], severities: int, what: str) -> None:
    """Check a kind and its severity.

    Args:
        kind: what was asked for.
        severity: how strong.
        kinds: what there is.
        severities: how strong `kind` can be.
        what: `image` or `text`, for the message.

    Raises:
        ConfigError: there is no such kind or severity.
    """
    require_kind(kind, kinds, what)
    if not 1 <= severity <= severities:
        raise ConfigError(f"severity of {kind} is {severity}; it must be in 1…{severities}")


def require_kind(kind: str, kinds: Sequence[str], what: str) -> None:
    """Check a kind.

    Raises:
        ConfigError: there is no such kind.
    """
    if kind not in kinds:
        near = difflib.get_close_matches(kind, kinds, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(kinds)}"
        raise ConfigError(f"unknown {what} corruption {kind}: {hint}")

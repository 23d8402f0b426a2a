"""Errors a user can act on: each message names the file, the item and the remedy."""

from __future__ import annotations

from collections.abc import Iterable


class RequeryError(Exception):
    """Base of every error Requery raises on purpose; the command line prints it without a traceback."""


class ConfigError(RequeryError):
    """A setting is unknown, of the wrong type or out of range."""


class DataError(RequeryError):
    """A dataset, an image or an annotation is missing, unreadable or inconsistent."""


class EmbeddingError(RequeryError):
    """An embedding cannot be ranked (NaN, infinite or zero norm)."""


class RunError(RequeryError):
    """A run folder cannot be written, read or resumed."""


def first(items: Iterable[object], limit: int = 10) -> str:
    """List the first `limit` items for a message, and count the rest."""
    names = [str(item) for item in items]
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown}, … ({len(names) - limit} more)"

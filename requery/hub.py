"""Repositories of the hub are read at a commit, or not at all."""

from __future__ import annotations

import re

from requery.errors import ConfigError


def require_commit(what: str, source: str, revision: str | None) -> str:
    """The commit a repository is to be read at.

    Args:
        what: what the repository holds, for the message.
        source: its id, `owner/name`.
        revision: as it was given.

    Raises:
        ConfigError: it is no full commit hash.
    """
    if revision is None or not re.fullmatch(r"[0-9a-f]{40}", revision):
        raise ConfigError(
            f"{what} {source}: a hub repository needs its commit (40 hexadecimal digits) as `revision`, "
            f"so that tomorrow's run reads the same files; got {revision!r}"
        )
    return revision


def is_hub_id(source: str) -> bool:
    """Whether a source can only be a repository: `owner/name`, and no path."""
    return source.count("/") == 1 and not source.startswith((".", "/", "~"))

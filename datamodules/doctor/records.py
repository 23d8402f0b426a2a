"""Annotation files and records that cannot be read."""

from __future__ import annotations

from datamodules.doctor.findings import Finding
from datamodules.sources import Sources


def unreadable_records(sources: Sources) -> list[Finding]:
    """What the reader of the official files could not use."""
    if not sources.problems:
        return []
    lost = [problem.query_id for problem in sources.problems if problem.query_id is not None]
    items = {problem.message: "" for problem in sources.problems}
    return [Finding(sources.where, "files or records unusable", items, {"record": lost} if lost else {})]

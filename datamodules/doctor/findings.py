"""What a check found: which items, what is wrong with each, which queries that affects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from requery.errors import first


@dataclass(frozen=True)
class Finding:
    """One kind of problem in one place.

    Args:
        where: benchmark and split, or two of them.
        check: what was found, such as `images missing`.
        items: image, record or query -> what is wrong with it.
        affected: role (`reference`, `target`, `member`, …) -> ids of the queries that use an item in it.
        of: how many items were looked at; None where that says nothing.
        remedy: what to do.
        fails: False for a remark: worth knowing, and so by the data's design.
    """

    where: str
    check: str
    items: Mapping[str, str]
    affected: Mapping[str, Sequence[str]] = field(default_factory=dict)
    of: int | None = None
    remedy: str = ""
    fails: bool = True

    @property
    def queries(self) -> list[str]:
        """Ids of the queries affected, each once."""
        return list(dict.fromkeys(query for ids in self.affected.values() for query in ids))

    @property
    def count(self) -> str:
        """How many items, of how many."""
        return f"{len(self.items):,}" + ("" if self.of is None else f" of {self.of:,}")

    @property
    def detail(self) -> str:
        """What is wrong with the first item of which something is said."""
        return next((f"{item}: {text}" for item, text in self.items.items() if text), "")

    def as_dict(self) -> dict[str, Any]:
        """All of it, fit for JSON."""
        return {
            "where": self.where,
            "check": self.check,
            "fails": self.fails,
            "items": dict(self.items),
            "queries": self.queries,
            "affected": {role: list(ids) for role, ids in self.affected.items()},
            "remedy": self.remedy,
        }


def explain(finding: Finding) -> str:
    """One line: the first items, the first queries, what is wrong with the first item, what to do."""
    queries = finding.queries
    parts = [
        f"{finding.where}: {finding.check}: {finding.count} ({first(finding.items)})",
        f"queries affected: {len(queries):,} ({first(queries)})" if queries else "",
        finding.detail,
        finding.remedy,
    ]
    return "; ".join(part for part in parts if part)

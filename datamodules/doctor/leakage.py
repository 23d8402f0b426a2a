"""What two splits share: images by name or by content, and whole queries."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from datamodules.doctor.findings import Finding
from datamodules.doctor.images import Inspected
from datamodules.sources import Query, Sources

REMEDY = (
    "scores of the second are not those of unseen data: take the official splits, or remove what is shared"
)


def leakage(
    one: Sources, other: Sources, inspected: Mapping[Path, Inspected], trained: bool
) -> list[Finding]:
    """What lies in both of two splits; the queries affected are the second's.

    Args:
        one: the first split.
        other: the second.
        inspected: what the image files hold.
        trained: whether the first is trained on; else what is shared is a remark. So is the text of a query
            without reference image: different images may well be described alike.
    """
    listed = set(one.names)
    names = {name: "listed by both" for name in other.names if name in listed}
    copies = _copies(one, other, inspected)
    composed, texts = _repeated(one, other)
    found = (
        ("images in both splits", names, other.affected(names), trained),
        ("images with the bytes of one in the other split", copies, other.affected(copies), trained),
        ("queries in both splits (reference and text)", composed, {"query": list(composed)}, trained),
        ("queries of the same text in both splits", texts, {"query": list(texts)}, False),
    )
    where = f"{one.where} and {other.where}"
    return [
        Finding(where, check, items, affected, remedy=REMEDY if fails else "", fails=fails)
        for check, items, affected, fails in found
        if items
    ]


def _copies(one: Sources, other: Sources, inspected: Mapping[Path, Inspected]) -> dict[str, str]:
    """Images of the second split -> the image of the first with another name and the same bytes."""
    by_digest = {inspected[path].digest: name for name, path in one.paths.items() if path in inspected}
    twins = {
        name: by_digest[inspected[path].digest]
        for name, path in other.paths.items()
        if path in inspected and inspected[path].digest in by_digest
    }
    return {name: f"same bytes as {twin}" for name, twin in twins.items() if name != twin}


def _repeated(one: Sources, other: Sources) -> tuple[dict[str, str], dict[str, str]]:
    """Queries of the second split that the first asks too: those with a reference image, and the others."""
    asked = {_key(query): query.query_id for query in one.queries if query.text is not None}
    composed: dict[str, str] = {}
    texts: dict[str, str] = {}
    for query in other.queries:
        if query.text is not None and _key(query) in asked:
            same = composed if query.images.get("reference") else texts
            same[query.query_id] = f"asks what {asked[_key(query)]} asks"
    return composed, texts


def _key(query: Query) -> tuple[object, ...]:
    return query.images.get("reference"), query.text

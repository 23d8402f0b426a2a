"""Names in queries that lead nowhere, or out of the gallery."""

from __future__ import annotations

from collections.abc import Container

from datamodules.doctor.findings import Finding
from datamodules.sources import Sources

REMEDY = "correct the names, or take captions and image splits of the same release"


def unresolved(sources: Sources) -> list[Finding]:
    """Images that queries name and the files do not know.

    A reference must be of the split; a target or member may be of another split's list.
    """
    own = set(sources.names)
    everywhere = own | sources.elsewhere
    items: dict[str, str] = {}
    affected: dict[str, list[str]] = {}
    for query in sources.queries:
        for role, names in query.images.items():
            known: Container[str] = own if role == "reference" else everywhere
            unknown = [name for name in names if name not in known]
            if unknown:
                lists = sources.listed_in if role == "reference" else "every split's image list"
                items.update({name: f"a {role} unknown to {lists}" for name in unknown})
                affected.setdefault(role, []).append(query.query_id)
    return [Finding(sources.where, "image names unknown", items, affected, remedy=REMEDY)] if items else []


def outside_gallery(sources: Sources) -> list[Finding]:
    """A remark on targets that another split lists: misses in evaluation, not trained on."""
    outside = sources.elsewhere.difference(sources.names)
    if not outside:
        return []
    affected = sources.affected(outside).get("target", [])
    targets = (name for query in sources.queries for name in query.images.get("target", ()))
    items = {name: "" for name in targets if name in outside}
    check = "targets in another split's list (a miss when tested, left out when trained on)"
    return [Finding(sources.where, check, items, {"target": affected}, fails=False)] if items else []

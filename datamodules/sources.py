"""What the files of one split say, problems included, before anything is built from it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from datamodules.layouts.problems import Problem
from requery.decode import Background
from requery.images import FileImages
from requery.task import RetrievalTask


@dataclass(frozen=True)
class Query:
    """One query as its file states it.

    Args:
        query_id: its name.
        images: names of the images it uses, by role: `reference`, `target`, `member` of its subset.
        text: what it says; None for a query that is an image.
    """

    query_id: str
    images: Mapping[str, tuple[str, ...]]
    text: str | None = None


@dataclass(frozen=True)
class Sources:
    """Queries and images of one split; names may lead nowhere and files may be absent.

    Args:
        where: benchmark and official split, for messages.
        names: its images.
        queries: its queries.
        n_gallery: items that can be retrieved.
        listed_in: the file that lists the images.
        paths: the file of each image; empty where images are generated.
        elsewhere: images that other splits list: known, but not in this split's gallery.
        has_truth: False where the benchmark keeps its targets.
        problems: what could not be read.
        skip_bad: whether bad images are left out (`on_bad: skip`) rather than an error.
        background: as images will be decoded.
        what: the images, or what takes their place, for messages.
    """

    where: str
    names: Sequence[str]
    queries: Sequence[Query]
    n_gallery: int
    listed_in: str = "the split's images"
    paths: Mapping[str, Path] = field(default_factory=dict)
    elsewhere: frozenset[str] = frozenset()
    has_truth: bool = True
    problems: Sequence[Problem] = ()
    skip_bad: bool = False
    background: Background = "none"
    what: str = "images"

    def affected(self, names: Collection[str]) -> dict[str, list[str]]:
        """Role -> ids of the queries that use one of some images in it; roles without any are left out."""
        found: dict[str, list[str]] = {}
        for query in self.queries:
            for role, used in query.images.items():
                if any(name in names for name in used):
                    found.setdefault(role, []).append(query.query_id)
        return found


def of_task(task: RetrievalTask) -> Sources:
    """The same of a task that is already built, for data that no file describes."""
    names, images, gallery = list(task.images.ids), task.images, task.gallery_set
    roles: dict[str, list[int]] = {}
    if task.query_image is not None:
        roles["reference"] = task.query_image.tolist()
    if task.gallery_image is not None:
        place = task.gallery_image.tolist()
        first = 0 if gallery is images else len(names)
        roles["target"] = [first + place[j] if j >= 0 else -1 for j in task.qrels.target.tolist()]
        names += [] if gallery is images else gallery.ids
    queries = [
        Query(
            query_id,
            {role: (names[at[i]],) for role, at in roles.items() if at[i] >= 0},
            None if task.query_text is None else task.query_text[i],
        )
        for i, query_id in enumerate(task.query_ids)
    ]
    paths = dict(zip(images.ids, images.paths, strict=True)) if isinstance(images, FileImages) else {}
    where = f"{task.protocol.key} ({task.split})"
    return Sources(where, names, queries, task.n_gallery, paths=paths, has_truth=task.has_truth)

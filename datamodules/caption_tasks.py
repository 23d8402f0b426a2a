"""Retrieval tasks of captioned images, in both directions."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from datamodules.layouts.captioned import Captioned
from requery.images import FileImages
from requery.ragged import Ragged
from requery.ranking.protocols import Protocol
from requery.ranking.qrels import TARGET_GRADE, Qrels
from requery.task import RetrievalTask


def text_to_image(
    items: Sequence[Captioned], images: FileImages, protocol: Protocol, split: str
) -> RetrievalTask:
    """Make every caption a query: its image is the target, the others of its group have grade 1.

    Where its image is left out, the group's first is the target; where all are, the caption is a miss, or
    dropped in training: nothing is learnt from a caption without an image.

    Args:
        items: the images as the files list them.
        images: those that can be used, in the same order.
        protocol: the rules.
        split: `train`, `val` or `test`.
    """
    at = {name: position for position, name in enumerate(images.ids)}
    alike: dict[str, list[int]] = {}
    for item in items:
        if item.name in at:
            alike.setdefault(item.group, []).append(at[item.name])
    asked = [item for item in items if item.group in alike or split != "train"]
    relevant = [alike.get(item.group, []) for item in asked for _ in item.captions]
    own = [at.get(item.name) for item in asked for _ in item.captions]
    target = [
        position if position is not None else next(iter(row), -1)
        for position, row in zip(own, relevant, strict=True)
    ]
    return RetrievalTask(
        protocol=protocol,
        split=split,
        images=images,
        query_ids=[caption_id for item in asked for caption_id in item.caption_ids],
        gallery_ids=images.ids,
        qrels=graded(target, relevant),
        query_text=[caption for item in asked for caption in item.captions],
        gallery_image=torch.arange(len(images)),
    )


def image_to_text(
    items: Sequence[Captioned], images: FileImages, protocol: Protocol, split: str
) -> RetrievalTask:
    """Make every image a query: the first caption of its group is the target, the others have grade 1.

    Captions of images that were left out stay in the gallery: they need no image to be retrieved.

    Args:
        items: the images as the files list them.
        images: those that can be used.
        protocol: the rules.
        split: `train`, `val` or `test`.
    """
    fitting: dict[str, list[int]] = {}
    n = 0
    for item in items:
        fitting.setdefault(item.group, []).extend(range(n, n + len(item.captions)))
        n += len(item.captions)
    group = {item.name: item.group for item in items}
    relevant = [fitting[group[name]] for name in images.ids]
    return RetrievalTask(
        protocol=protocol,
        split=split,
        images=images,
        query_ids=images.ids,
        gallery_ids=[caption_id for item in items for caption_id in item.caption_ids],
        qrels=graded([row[0] for row in relevant], relevant),
        query_image=torch.arange(len(images)),
        gallery_text=[caption for item in items for caption in item.captions],
    )


def graded(target: Sequence[int], relevant: Sequence[Sequence[int]]) -> Qrels:
    """Truth of queries with a target, grade 2 (-1: not in the gallery), among their right items, grade 1."""
    lengths = torch.tensor([0, *map(len, relevant)], dtype=torch.int64)
    values = torch.tensor([position for row in relevant for position in row], dtype=torch.int64)
    rows = Ragged(values, lengths.cumsum(0))
    targets = torch.tensor(target, dtype=torch.int64)
    return Qrels(targets, rows, torch.where(values == targets[rows.row_of], TARGET_GRADE, 1))

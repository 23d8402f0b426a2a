"""Captions for questions whose data bring none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from requery.encode import Progress
from requery.expansion.trace import VisualQuestion
from requery.generation.caption_source import CaptionSource


def captioned(
    asked: Sequence[VisualQuestion],
    source: CaptionSource,
    cache: Path,
    device: str = "auto",
    progress: Progress | None = None,
) -> list[VisualQuestion]:
    """Caption the images of those questions that have none; without a source they stay as they are.

    Args:
        asked: questions; their images are of one set.
        source: of the captions.
        cache: folder of the feature cache.
        device: for a captioner.
        progress: told after each batch.

    Raises:
        DataError: some images could not be captioned; names them.
    """
    found = list(asked)
    bare = [(i, one.image) for i, one in enumerate(asked) if not one.caption and one.image is not None]
    if not bare or (source.generator is None and source.store is None):
        return found
    images = bare[0][1][0]
    texts = source.texts(images, [position for _, (_, position) in bare], cache, device, progress)
    for (i, _), text in zip(bare, texts, strict=True):
        found[i] = replace(found[i], caption=text)
    return found

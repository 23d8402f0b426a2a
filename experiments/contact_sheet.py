"""A sheet of pictures: a row for each kind of shift, a column for each image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from requery.corruptions import corrupt_image, max_severity
from requery.task import RetrievalTask

CELL, GAP, LABEL, HEAD = 112, 4, 172, 22
"""Side of a picture, space between pictures, width of the labels and height of the names, in pixels."""


def contact_sheet(
    task: RetrievalTask,
    items: int,
    kinds: Sequence[str],
    severity: int | None,
    seed: int,
    reference_side: int | None,
) -> Image.Image:
    """Draw the first reference images of a task's queries, as they are and under each kind.

    Args:
        task: the unshifted task.
        items: how many images.
        kinds: kinds of image corruption.
        severity: how strong, at most; None for each kind's highest.
        seed: seed of the draws.
        reference_side: as for `corrupt_image`.
    """
    assert task.query_image is not None
    positions = list(dict.fromkeys(task.query_image.tolist()))[:items]
    names = [task.images.ids[position] for position in positions]
    pictures = [np.asarray(task.images.load(position).convert("RGB")) for position in positions]
    side = CELL + GAP
    sheet = Image.new("RGB", (LABEL + side * len(pictures), HEAD + side * (len(kinds) + 1)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)

    def row(number: int, label: str, shown: Sequence[np.ndarray]) -> None:
        pen.text((GAP, HEAD + side * number + CELL // 2), label, "black", font, "lm")
        for column, pixels in enumerate(shown):
            sheet.paste(_fitted(pixels), (LABEL + side * column, HEAD + side * number))

    for column, name in enumerate(names):
        pen.text((LABEL + side * column, HEAD // 2), name[-16:], "black", font, "lm")
    row(0, "as it is", pictures)
    for number, kind in enumerate(kinds, start=1):
        level = min(severity or max_severity(kind), max_severity(kind))
        shown = [
            corrupt_image(pixels, kind, level, key=name, seed=seed, reference_side=reference_side)
            for pixels, name in zip(pictures, names, strict=True)
        ]
        row(number, f"{kind}@{level}", shown)
    return sheet


def _fitted(pixels: np.ndarray) -> Image.Image:
    """A picture of `CELL` pixels' longer side; small ones keep their pixels' edges."""
    image = Image.fromarray(pixels)
    scale = CELL / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS)

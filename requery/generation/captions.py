"""Captions as a case of generation: the paper's prompts, and one request an image.

The prompts are those of Khaertdinov, Popa and Tintarev (2025), "A Little More Like This", for LLaVA-1.5.
"""

from __future__ import annotations

from collections.abc import Sequence

from requery.generation.request import Request
from requery.images import ImageSet

DESCRIBE = (
    "Describe the image and main visual features one sentence.",
    "Generate a short caption for this image, focusing on the visual details.",
    "Provide a concise description, one sentence, of the image visual features and surroundings.",
    "Write a brief caption, one sentence, that describes the image visual features.",
    "Summarize the image visual features in a precise caption, maximum one sentence.",
)
"""First turn; the image's position modulo 5 chooses."""
SHORTEN = (
    "Pay attention to the visual settings and details on the image. "
    "Write exactly one sentence under 10 words."
)
"""Second turn, whose answer is the caption."""


def caption_requests(
    images: ImageSet, positions: Sequence[int] | None = None, prompted: bool = True
) -> list[Request]:
    """Ask for a caption of each image.

    Args:
        images: the images.
        positions: positions in `images`; None for all.
        prompted: in the paper's two turns; False for a captioner (`generator.takes_prompts`).
    """
    chosen = range(len(images)) if positions is None else positions
    return [
        Request(
            name=images.ids[position],
            turns=(DESCRIBE[position % len(DESCRIBE)], SHORTEN) if prompted else (),
            image=(images, position),
        )
        for position in chosen
    ]

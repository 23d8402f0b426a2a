"""The image transform of CLIP4Cir and QuRe, on Pillow alone: pad, resize, crop, normalise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from requery.errors import ConfigError

PAD_RATIO = 1.25
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


class Transform(Protocol):
    """From what an image set loads to a tower's input."""

    @property
    def key(self) -> str:
        """What determines the result, for cache keys."""
        ...

    def __call__(self, item: Any, /) -> Tensor:
        """Transform one item."""
        ...

    def batch(self, items: Sequence[Any], /) -> Tensor:
        """Transform some items, stacked."""
        ...


Shape = Literal["pad", "crop", "squash"]
"""How an image becomes square: padded to a ratio of 1.25, then cropped (composed retrieval); cropped (CLIP);
or both sides resized to the same length, so that nothing is lost (SigLIP; TCR's benchmark)."""


@dataclass(frozen=True)
class Preprocess:
    """PIL image to `(3, size, size)` float32, the same in training and evaluation.

    The order and the roundings are those of torchvision's `Resize` and `CenterCrop` after `TargetPad`
    (Baldrati et al. 2022, §3.3), which QuRe trains and tests with.

    Args:
        size: side of the result in pixels.
        mean: per channel, subtracted from values in [0, 1].
        std: per channel, divided by.
        pad_ratio: images with a longer side over shorter side of at least this are padded with black until
            about this ratio is left; None never pads.
        interpolation: `nearest`, `bilinear`, `bicubic` or `lanczos`.
        squash: resize both sides to `size`, whatever the shape, and crop nothing (SigLIP); leaves no padding.
    """

    size: int
    mean: tuple[float, float, float] = CLIP_MEAN
    std: tuple[float, float, float] = CLIP_STD
    pad_ratio: float | None = PAD_RATIO
    interpolation: str = "bicubic"
    squash: bool = False

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ConfigError(f"image size {self.size} is not positive")
        if self.pad_ratio is not None and self.pad_ratio < 1:
            raise ConfigError(f"pad_ratio {self.pad_ratio} is below 1 (a square); use null for no padding")
        if self.interpolation not in RESAMPLING:
            raise ConfigError(f"interpolation {self.interpolation!r} is none of {', '.join(RESAMPLING)}")
        if self.squash and self.pad_ratio is not None:
            raise ConfigError("squash leaves nothing to pad: set pad_ratio to null")

    @property
    def key(self) -> str:
        """What determines the result, for cache keys."""
        return (
            f"preprocess@1({'squash' if self.squash else f'pad={self.pad_ratio}'},"
            f"size={self.size},{self.interpolation},"
            f"mean={tuple(self.mean)},std={tuple(self.std)})"
        )

    def __call__(self, image: Image.Image) -> Tensor:
        """Transform one image of any mode."""
        image = self._square(image)
        pixels = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)  # (3, S, S) uint8
        mean, std = (
            torch.tensor(values, dtype=torch.float32).view(3, 1, 1) for values in (self.mean, self.std)
        )
        return ((pixels.float() / 255 - mean) / std).contiguous()

    def _square(self, image: Image.Image) -> Image.Image:
        resampling = RESAMPLING[self.interpolation]
        if self.squash:
            return image.resize((self.size, self.size), resampling)
        if self.pad_ratio is not None:
            image = target_pad(image, self.pad_ratio)
        return _centre_crop(_resize_shorter_side(image, self.size, resampling), self.size)

    def shaped(self, shape: Shape) -> Preprocess:
        """The same with another way to the square."""
        return replace(self, pad_ratio=PAD_RATIO if shape == "pad" else None, squash=shape == "squash")

    def batch(self, images: Sequence[Image.Image]) -> Tensor:
        """Transform `B` images to `(B, 3, size, size)` float32."""
        if not images:
            return torch.empty(0, 3, self.size, self.size)
        return torch.stack([self(image) for image in images])


def target_pad(image: Image.Image, ratio: float) -> Image.Image:
    """Pad the shorter side with black, evenly on both ends, until the sides are about `ratio` apart."""
    width, height = image.size
    longer, shorter = max(width, height), min(width, height)
    if longer / shorter < ratio:
        return image
    across = max(int((longer / ratio - width) / 2), 0)
    along = max(int((longer / ratio - height) / 2), 0)
    return image.crop(
        (-across, -along, width + across, height + along)
    )  # outside the image Pillow gives zeros


def _resize_shorter_side(image: Image.Image, size: int, resampling: Image.Resampling) -> Image.Image:
    width, height = image.size
    if width <= height:
        return image.resize((size, int(size * height / width)), resampling)
    return image.resize((int(size * width / height), size), resampling)


def _centre_crop(image: Image.Image, size: int) -> Image.Image:
    left = round((image.width - size) / 2)
    top = round((image.height - size) / 2)
    return image.crop((left, top, left + size, top + size))

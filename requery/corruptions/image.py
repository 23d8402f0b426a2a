"""The sixteen image corruptions of COCO-C and Flickr-C (Qiu et al. 2022), each in five severities."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from requery.corruptions import blur, digital, elastic, noise, weather
from requery.corruptions.setting import Floats, Setting, stream
from requery.corruptions.severity import require

KINDS: dict[str, Callable[[Floats, Setting], Floats]] = {
    "gaussian_noise": noise.gaussian_noise,
    "shot_noise": noise.shot_noise,
    "impulse_noise": noise.impulse_noise,
    "speckle_noise": noise.speckle_noise,
    "defocus_blur": blur.defocus_blur,
    "glass_blur": blur.glass_blur,
    "motion_blur": blur.motion_blur,
    "zoom_blur": blur.zoom_blur,
    "snow": weather.snow,
    "frost": weather.frost,
    "fog": weather.fog,
    "brightness": digital.brightness,
    "contrast": digital.contrast,
    "elastic_transform": elastic.elastic_transform,
    "pixelate": digital.pixelate,
    "jpeg": digital.jpeg,
}
IMAGE_KINDS = tuple(KINDS)
IMAGE_SEVERITIES = 5


def corrupt_image(
    image: NDArray[np.uint8],
    kind: str,
    severity: int,
    *,
    key: str | int,
    seed: int = 0,
    reference_side: int | None = None,
    legacy: bool = False,
) -> NDArray[np.uint8]:
    """Corrupt one image; the result depends on the arguments alone.

    Parameters are those published for ImageNet-C as MM_Robustness (Qiu et al. 2022) applies them. What
    differs: frost is drawn by rule, snow keeps the whole image, glass blur moves all pixels rather than one
    row, images are not saved as JPEG afterwards.

    Args:
        image: `(H, W, 3)` RGB of any size.
        kind: one of `IMAGE_KINDS`.
        severity: 1 to 5; an item's severities share their random draws.
        key: names the item.
        seed: another seed, other draws.
        reference_side: scale lengths in pixels by the shorter side over this (224: what the parameters were
            chosen for); None takes them as they stand, as is done with photographs.
        legacy: repeat the official code's mistakes: one row in glass blur, height and width exchanged by
            pixelate, red and blue in jpeg and frost.

    Returns:
        `(H, W, 3)` uint8, a new array.

    Raises:
        ConfigError: there is no such kind or severity.
        ValueError: the array is no RGB image.
    """
    require(kind, severity, IMAGE_KINDS, IMAGE_SEVERITIES, "image")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(f"an RGB image is (H, W, 3) uint8, not {image.shape} {image.dtype}")
    scale = 1.0 if reference_side is None else min(image.shape[:2]) / reference_side
    setting = Setting(severity, stream(key, kind, seed), scale, legacy)
    out = KINDS[kind](image.astype(np.float32) / np.float32(255), setting)
    return np.ascontiguousarray((out.clip(0, 1) * 255).round().astype(np.uint8))

"""Brightness, contrast, pixels, JPEG, with the parameters of ImageNet-C (Hendrycks and Dietterich 2019)."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from requery.corruptions.resample import resized_by_area
from requery.corruptions.setting import Floats, Setting


def brightness(image: Floats, setting: Setting) -> Floats:
    """Raise the V of HSV: hue and saturation stay, so each pixel is scaled; black turns grey."""
    value = image.max(axis=2, keepdims=True)
    raised = np.minimum(value + 0.1 * setting.severity, 1)
    scaled: Floats = image * (raised / np.where(value > 0, value, 1))
    return np.where(value > 0, scaled, raised)


def contrast(image: Floats, setting: Setting) -> Floats:
    """Draw every value towards its channel's mean."""
    kept = (0.4, 0.3, 0.2, 0.1, 0.05)[setting.severity - 1]
    mean: Floats = image.mean(axis=(0, 1), keepdims=True, dtype=np.float64).astype(np.float32)
    return (image - mean) * np.float32(kept) + mean


def pixelate(image: Floats, setting: Setting) -> Floats:
    """Reduce to a grid of `224 c` squared and enlarge again.

    Scaled, the grid shrinks with the image: a block is `1 / c` pixels. The official code gives the enlarged
    image the other side's height and width: `legacy` does too.
    """
    share = (0.6, 0.5, 0.4, 0.3, 0.25)[setting.severity - 1]
    side = max(1, int(224 * share * setting.scale))
    height, width = image.shape[1::-1] if setting.legacy else image.shape[:2]
    return resized_by_area(resized_by_area(image, side, side), height, width)


def jpeg(image: Floats, setting: Setting) -> Floats:
    """Compress by JPEG; `legacy` takes blue for red, as the official code does."""
    quality = (25, 18, 15, 10, 7)[setting.severity - 1]
    order = slice(None, None, -1 if setting.legacy else 1)
    pixels = np.ascontiguousarray((image[..., order] * 255).round().astype(np.uint8))
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file).convert("RGB"), dtype=np.float32)[..., order] / np.float32(255)

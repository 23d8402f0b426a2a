"""Fog, frost and snow, with the parameters of ImageNet-C (Hendrycks and Dietterich 2019).

Their fields are made at the size the parameters are meant for and brought to the image's.
"""

from __future__ import annotations

import math

import numpy as np

from requery.corruptions import frost as ice
from requery.corruptions.filters import line_mean
from requery.corruptions.plasma import plasma
from requery.corruptions.resample import resized, zoomed
from requery.corruptions.setting import Floats, Setting

GREY = np.asarray([0.299, 0.587, 0.114], dtype=np.float32)
FOG_LEVELS = 9
"""The fog's field has 512 pixels a side (Flickr-C), or twice as many where the image is larger (COCO-C)."""


def fog(image: Floats, setting: Setting) -> Floats:
    """Lay a cloudy field over the image and darken the sum to the image's own maximum."""
    strength, decay = ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4))[setting.severity - 1]
    height, width = image.shape[:2]
    rows, columns = setting.reference(height), setting.reference(width)
    levels = max(FOG_LEVELS, math.ceil(math.log2(max(rows, columns))))
    skipped = max(0, math.floor(-math.log2(setting.scale)))  # detail finer than the image's pixels
    field = plasma(levels - skipped, decay, setting.rng)[..., None]
    part = field[: math.ceil(rows / 2**skipped), : math.ceil(columns / 2**skipped)]
    brightest = np.float32(image.max())
    foggy: Floats = (image + strength * resized(part, height, width)) * (brightest / (brightest + strength))
    return foggy


def frost(image: Floats, setting: Setting) -> Floats:
    """Mix the image with frost: textures of our own (see `frost.py`), a random part of one of five.

    The official code mixes red and blue up where it lays frost on; `legacy` does too.
    """
    kept, added = ((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75))[setting.severity - 1]
    height, width = image.shape[:2]
    number = int(setting.rng.integers(ice.TEXTURES))
    top, left = setting.rng.integers(2**ice.LEVELS, size=2)
    part = ice.cut(number, int(top), int(left), setting.reference(height), setting.reference(width))
    if setting.legacy:
        part = part[..., ::-1]
    return kept * image + added * resized(part, height, width)


def snow(image: Floats, setting: Setting) -> Floats:
    """Whiten the image and let flakes fall through it, from both sides.

    The whole image is kept; the official code cuts 224 x 224 pixels out of it.
    """
    mean, deviation, zoom, threshold, radius, sigma, mix = (
        (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
        (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
        (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
        (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
        (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
    )[setting.severity - 1]
    height, width = image.shape[:2]
    shape = (setting.reference(height), setting.reference(width), 1)
    angle = setting.rng.uniform(-135, -45)
    flakes = zoomed(mean + deviation * setting.rng.standard_normal(shape, dtype=np.float32), zoom)
    flakes = np.where(flakes < threshold, 0, flakes).clip(0, 1).astype(np.float32)
    flakes = resized(line_mean(flakes, radius, sigma, angle), height, width)
    grey = (image @ GREY)[..., None]
    image = mix * image + (1 - mix) * np.maximum(image, 1.5 * grey + 0.5)
    return image + flakes + flakes[::-1, ::-1]

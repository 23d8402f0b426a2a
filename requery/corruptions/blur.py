"""Blurs, with the parameters of ImageNet-C (Hendrycks and Dietterich 2019); lengths are in pixels."""

from __future__ import annotations

import numpy as np

from requery.corruptions.filters import along, correlate, gaussian, gaussian_taps, line_mean
from requery.corruptions.resample import bilinear, zoomed
from requery.corruptions.setting import Floats, Setting

SUBPIXELS = 16
"""Points a side by which a scaled disk's share of a pixel is measured."""


def defocus_blur(image: Floats, setting: Setting) -> Floats:
    """Spread each point over a disk."""
    radius, alias = ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5))[setting.severity - 1]
    kernel = disk(radius, alias) if setting.scale == 1 else covered_disk(radius * setting.scale)
    return correlate(image, kernel)


def disk(radius: int, alias: float) -> Floats:
    """A disk of whole pixels with a slightly blurred rim; sums to 1 (but for what the rim loses)."""
    reach = np.arange(-max(radius, 8), max(radius, 8) + 1)
    inside = (reach[:, None] ** 2 + reach**2 <= radius**2).astype(np.float32)
    taps = gaussian_taps(alias, 1 if radius <= 8 else 2)
    kernel = (inside / inside.sum())[..., None]
    return along(along(kernel, taps, 0, "reflect"), taps, 1, "reflect")[..., 0]


def covered_disk(radius: float) -> Floats:
    """The share of each pixel that a disk of any radius covers; sums to 1."""
    radius = max(radius, 1 / SUBPIXELS)
    reach = int(np.ceil(radius))
    n = 2 * reach + 1
    at = (np.arange(n * SUBPIXELS) + 0.5) / SUBPIXELS - n / 2
    inside = (at[:, None] ** 2 + at**2 <= radius**2).astype(np.float32)
    kernel = inside.reshape(n, SUBPIXELS, n, SUBPIXELS).mean((1, 3))
    return np.asarray(kernel / kernel.sum(), dtype=np.float32)


def glass_blur(image: Floats, setting: Setting) -> Floats:
    """Blur, move each pixel a little at random, several times, and blur.

    Each pass reads every pixel at an offset of its own, uniform in -delta … delta both ways (published:
    pixels in turn, each exchanged with the one at its offset). The official loop overwrites its own bounds
    and moves the pixels of one row alone: `legacy` does that.
    """
    passes = ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2))
    sigma, delta, times = passes[setting.severity - 1]
    image = gaussian(image, sigma * setting.scale)
    if setting.legacy:
        image = _one_row_moved(image, delta, setting.rng)
        return gaussian(image, sigma)
    height, width = image.shape[:2]
    for _ in range(times):
        moves = setting.rng.integers(-delta, delta + 1, size=(2, height, width)) * np.float32(setting.scale)
        y = np.arange(height, dtype=np.float32)[:, None] + moves[0]
        x = np.arange(width, dtype=np.float32) + moves[1]
        image = bilinear(image, y.astype(np.float32), x.astype(np.float32), "edge")
    return gaussian(image, sigma * setting.scale)


def _one_row_moved(image: Floats, delta: int, rng: np.random.Generator) -> Floats:
    image = image.copy()
    row = min(image.shape[0], 224) - delta
    for column in range(min(image.shape[1], 224) - delta, delta, -1):
        down, right = rng.integers(-delta, delta, size=2)
        if 0 <= row < image.shape[0] and 0 <= row + down < image.shape[0]:
            image[row, column] = image[row + down, column + right]
    return image


def motion_blur(image: Floats, setting: Setting) -> Floats:
    """Smear along a line, within 45 degrees of the horizontal."""
    radius, sigma = ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15))[setting.severity - 1]
    angle = setting.rng.uniform(-45, 45)
    return line_mean(image, radius * setting.scale, sigma * setting.scale, angle)


def zoom_blur(image: Floats, setting: Setting) -> Floats:
    """Average the image with its enlargements."""
    last, step = ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.33, 0.03))[setting.severity - 1]
    factors = np.arange(1, last, step)
    total = image.copy()
    for factor in factors:
        total += zoomed(image, float(factor), centred=setting.scale != 1)
    return total / np.float32(len(factors) + 1)

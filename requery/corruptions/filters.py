"""Linear filters on images: Gaussians, kernels of two dimensions, and means along a line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from requery.corruptions.setting import Floats

Border = Literal["edge", "reflect", "symmetric"]
"""What lies beyond the image, in `numpy.pad`'s words: the last pixel, or a mirror on it or behind it."""

DIRECT = 64
"""Taps from which a Fourier transform is faster than shifted sums."""


def gaussian(image: Floats, sigma: float, truncate: float = 4.0, border: Border = "edge") -> Floats:
    """Blur `(H, W, C)` by a Gaussian of `sigma` pixels, cut off at `truncate` deviations."""
    radius = int(truncate * sigma + 0.5)
    if radius == 0:
        return image
    taps = gaussian_taps(sigma, radius)
    return along(along(image, taps, 0, border), taps, 1, border)


def gaussian_taps(sigma: float, radius: int) -> Floats:
    """`(2 radius + 1,)` weights that sum to 1."""
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return np.asarray(taps / taps.sum(), dtype=np.float32)


def along(image: Floats, taps: Floats, axis: int, border: Border) -> Floats:
    """Correlate one axis of `(H, W, C)` with an odd number of taps."""
    n, radius = image.shape[axis], len(taps) // 2
    widths = [(radius, radius) if at == axis else (0, 0) for at in range(image.ndim)]
    padded = np.pad(image, widths, mode=border)
    if len(taps) <= DIRECT:
        out = np.zeros_like(image)
        for shift, weight in enumerate(taps):
            out += weight * padded.take(np.arange(shift, shift + n), axis)
        return out
    length = fast_length(padded.shape[axis])
    shape = [-1 if at == axis else 1 for at in range(image.ndim)]
    spectrum = np.fft.rfft(padded, length, axis) * np.fft.rfft(taps[::-1], length).reshape(shape)
    whole = np.fft.irfft(spectrum, length, axis)
    return whole.take(np.arange(2 * radius, 2 * radius + n), axis).astype(np.float32)


def correlate(image: Floats, kernel: Floats, border: Border = "reflect") -> Floats:
    """Correlate `(H, W, C)` with a kernel of odd sides."""
    rows, columns = (side // 2 for side in kernel.shape)
    height, width = image.shape[:2]
    padded = np.pad(image, ((rows, rows), (columns, columns), (0, 0)), mode=border)
    shape = fast_length(padded.shape[0]), fast_length(padded.shape[1])
    transfer = np.fft.rfft2(kernel[::-1, ::-1], shape)[..., None]
    whole = np.fft.irfft2(np.fft.rfft2(padded, shape, (0, 1)) * transfer, shape, (0, 1))
    part = whole[2 * rows : 2 * rows + height, 2 * columns : 2 * columns + width]
    return part.astype(np.float32)


def line_mean(image: Floats, radius: float, sigma: float, angle: float) -> Floats:
    """Smear `(H, W, C)` to one side along a line, as ImageMagick's motion blur does.

    The weights are the half of a Gaussian of `sigma` at 0, 1, … pixels, `2 radius + 1` of them; positions are
    rounded to pixels, and beyond the image lies its last pixel.

    Args:
        image: the image.
        radius: in pixels.
        sigma: in pixels.
        angle: degrees clockwise from rightwards.
    """
    reach = np.arange(math.ceil(2 * radius + 1))
    weights = np.exp(-0.5 * (reach / sigma) ** 2)
    turn = math.radians(angle)
    offsets = [(math.ceil(i * math.sin(turn) - 0.5), math.ceil(i * math.cos(turn) - 0.5)) for i in reach]
    return shifted_mean(image, offsets, weights / weights.sum())


def shifted_mean(image: Floats, offsets: Sequence[tuple[int, int]], weights: Sequence[float]) -> Floats:
    """The weighted sum of `(H, W, C)` read at offsets (down, right), its last pixels repeated outside."""
    height, width = image.shape[:2]
    reach = max(max(abs(down), abs(right)) for down, right in offsets)
    padded = np.pad(image, ((reach, reach), (reach, reach), (0, 0)), mode="edge")
    out = np.zeros_like(image)
    for (down, right), weight in zip(offsets, weights, strict=True):
        top, left = reach + down, reach + right
        out += np.float32(weight) * padded[top : top + height, left : left + width]
    return out


def fast_length(n: int) -> int:
    """The first length from `n` on without a prime factor above 5."""
    while True:
        rest = n
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return n
        n += 1

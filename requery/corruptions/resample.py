"""Read images between pixels, and at other sizes."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from requery.corruptions.setting import Floats

Integers = NDArray[np.int64]


def bilinear(image: Floats, y: Floats, x: Floats, border: Literal["mirror", "reflect", "edge"]) -> Floats:
    """Read `(H, W, C)` at rows `y` and columns `x`, both `(H', W')`.

    Args:
        image: the image.
        y: rows, from 0.
        x: columns, from 0.
        border: how it goes on outside: mirrored on its last pixel, behind it, or repeating it.
    """
    top, left = np.floor(y), np.floor(x)
    down, right = (y - top)[..., None], (x - left)[..., None]
    rows = [_fold(top.astype(np.int64) + i, image.shape[0], border) for i in (0, 1)]
    columns = [_fold(left.astype(np.int64) + i, image.shape[1], border) for i in (0, 1)]
    flat = image.reshape(-1, image.shape[2])

    def read(row: int, column: int) -> Floats:
        at: Integers = rows[row] * image.shape[1] + columns[column]
        return flat[at]

    upper = read(0, 0) * (1 - right) + read(0, 1) * right
    lower = read(1, 0) * (1 - right) + read(1, 1) * right
    return np.asarray(upper * (1 - down) + lower * down, dtype=np.float32)


def _fold(index: Integers, n: int, border: str) -> Integers:
    """Bring positions outside `0 … n-1` back inside."""
    if border == "edge" or n == 1:
        return index.clip(0, n - 1)
    period = 2 * n - 2 if border == "mirror" else 2 * n
    index = index % period
    return np.where(index < n, index, period - index - (0 if border == "mirror" else 1))


def zoomed(image: Floats, factor: float, centred: bool = False) -> Floats:
    """Enlarge the middle of `(H, W, C)` by `factor` >= 1, linearly, and crop it to `(H, W, C)`.

    As published, whole pixels are cut out, enlarged to whole pixels and trimmed, which moves a small image by
    up to a pixel; `centred`, the centre stays where it is.
    """
    for axis, n in enumerate(image.shape[:2]):
        crop = math.ceil(n / factor)
        size = max(n, round(crop * factor))
        at = (n - crop) // 2 + (np.arange(n) + (size - n) // 2) * ((crop - 1) / max(size - 1, 1))
        middle = (n - 1) / 2
        image = _linear(image, axis, middle + (np.arange(n) - middle) / factor if centred else at)
    return image


def _linear(image: Floats, axis: int, at: NDArray[np.float64]) -> Floats:
    """Read an axis at ascending positions inside it."""
    n = image.shape[axis]
    low = np.minimum(at.astype(np.int64), max(n - 2, 0))
    shape = [-1 if axis == other else 1 for other in range(image.ndim)]
    share = (at - low).astype(np.float32).reshape(shape)
    high = np.minimum(low + 1, n - 1)
    between: Floats = np.take(image, low, axis) * (1 - share) + np.take(image, high, axis) * share
    return between


def resized(field: Floats, height: int, width: int) -> Floats:
    """Bring `(h, w, C)` to `(height, width, C)`: means over areas to shrink it, linearly to enlarge it."""
    for axis, size in enumerate((height, width)):
        n = field.shape[axis]
        if size < n:
            field = _weighted(field, axis, area_weights(n, size))
        elif size > n:
            field = _linear(field, axis, np.linspace(0, n - 1, size))
    return field


def resized_by_area(image: Floats, height: int, width: int) -> Floats:
    """Resize `(h, w, C)` as OpenCV's INTER_AREA does; enlarged pixels are blocks with thin blended rims."""
    shrinks = height <= image.shape[0] and width <= image.shape[1]
    weights = area_weights if shrinks else block_weights
    for axis, size in enumerate((height, width)):
        image = _weighted(image, axis, weights(image.shape[axis], size))
    return image


def _weighted(image: Floats, axis: int, weights: Floats) -> Floats:
    return np.moveaxis(np.tensordot(weights, image, (1, axis)), 0, axis)


def area_weights(n: int, size: int) -> Floats:
    """`(size, n)`: the share that each of `n` pixels has in each of `size` <= `n` equal intervals."""
    edges = np.arange(size + 1) * (n / size)
    pixels = np.arange(n)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return np.asarray(overlap.clip(0) * (size / n), dtype=np.float32)


def block_weights(n: int, size: int) -> Floats:
    """`(size, n)`: each of `size` positions takes the pixel it lies in, or blends the two it lies across."""
    at = np.arange(size)
    low = np.floor(at * (1 / (size / n))).astype(np.int64)  # rounded as OpenCV does, where pixels meet
    share = ((at + 1) - (low + 1) * (size / n)).astype(np.float32)
    share = np.where(share <= 0, 0, share - np.floor(share))
    weights = np.zeros((size, n), dtype=np.float32)
    weights[at, low] = 1 - share
    weights[at, np.minimum(low + 1, n - 1)] += share
    return weights

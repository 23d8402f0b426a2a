"""Elastic deformation, with the parameters of ImageNet-C (Hendrycks and Dietterich 2019)."""

from __future__ import annotations

import numpy as np

from requery.corruptions.filters import gaussian
from requery.corruptions.resample import bilinear
from requery.corruptions.setting import Floats, Setting

SIDE = 244
"""The size that the parameters are shares of (244 and not 224: so it is in the published code)."""


def elastic_transform(image: Floats, setting: Setting) -> Floats:
    """Shear and stretch the image by moving three points, then displace each pixel by a smooth field.

    A field smoothed over `sigma` pixels has a deviation in inverse proportion to `sigma`, so displacements
    scale with the image where their factor scales with its square.
    """
    alpha, sigma, shift = (
        (2.0, 0.7, 0.1),
        (2.0, 0.08, 0.2),
        (0.05, 0.01, 0.02),
        (0.07, 0.01, 0.02),
        (0.12, 0.01, 0.02),
    )[setting.severity - 1]
    scale, rng = setting.scale, setting.rng
    height, width = image.shape[:2]
    rows = np.arange(height, dtype=np.float32)[:, None]
    columns = np.arange(width, dtype=np.float32)[None, :]
    moved = _moved_points(height, width, SIDE * shift * scale, rng)
    x, y = (row[0] * columns + row[1] * rows + row[2] for row in moved)
    image = bilinear(image, y, x, "mirror")
    noise = 2 * rng.random((height, width, 2), dtype=np.float32) - 1
    field = gaussian(noise, SIDE * sigma * scale, truncate=3, border="symmetric") * (SIDE * alpha * scale**2)
    return bilinear(image, rows + field[..., 0], columns + field[..., 1], "reflect")


def _moved_points(height: int, width: int, shift: float, rng: np.random.Generator) -> Floats:
    """The affine map, `(2, 3)`, from pixels (x, y) of the new image back to those of the old one."""
    centre = np.asarray([height // 2, width // 2])  # in this order, as published
    reach = max(1, min(height, width) // 3)
    old = centre + reach * np.asarray([[1, 1], [1, -1], [-1, -1]])
    new = old + rng.uniform(-shift, shift, size=(3, 2))
    ones = np.ones((3, 1))
    back = np.linalg.lstsq(np.hstack([new, ones]), np.hstack([old, ones]), rcond=None)[0]
    return np.asarray(back.T[:2], dtype=np.float32)

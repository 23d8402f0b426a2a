"""Noise of single values, with the parameters of ImageNet-C (Hendrycks and Dietterich 2019)."""

from __future__ import annotations

import numpy as np

from requery.corruptions.setting import Floats, Setting


def gaussian_noise(image: Floats, setting: Setting) -> Floats:
    """Add N(0, σ)."""
    sigma = (0.08, 0.12, 0.18, 0.26, 0.38)[setting.severity - 1]
    return image + sigma * setting.rng.standard_normal(image.shape, dtype=np.float32)


def shot_noise(image: Floats, setting: Setting) -> Floats:
    """Count photons: Poisson(c x) / c."""
    photons = (60, 25, 12, 5, 3)[setting.severity - 1]
    return (setting.rng.poisson(image * photons) / photons).astype(np.float32)


def impulse_noise(image: Floats, setting: Setting) -> Floats:
    """Set a share of the values to 0 or 1."""
    amount = (0.03, 0.06, 0.09, 0.17, 0.27)[setting.severity - 1]
    drawn = setting.rng.random(image.shape, dtype=np.float32)
    white = setting.rng.random(image.shape, dtype=np.float32) < 0.5
    return np.where(drawn < amount, white.astype(np.float32), image)


def speckle_noise(image: Floats, setting: Setting) -> Floats:
    """Multiply by N(1, σ)."""
    sigma = (0.15, 0.2, 0.35, 0.45, 0.6)[setting.severity - 1]
    return image + image * sigma * setting.rng.standard_normal(image.shape, dtype=np.float32)

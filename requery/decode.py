"""Decode an image file to RGB, or say which file cannot be and what to do."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from requery.errors import DataError

Background = Literal["none", "white"]
"""What shows under transparent pixels: `none` keeps the stored colours (`Image.convert("RGB")`)."""

DECODER = "rgb@1"
"""Raised whenever the pixels of some file would change, so that cached features are not reused."""

REMEDY = "fetch the file again, or leave it out with on_bad: skip"

MAX_PIXELS = 2**28 // 3
"""Largest image decoded, 89,478,485 pixels (256 MiB as RGB): Pillow's own warning level."""

MAX_SIDE = 16_384
"""Longest side decoded, in pixels: padding a thin image towards a square takes its side squared."""


def load_rgb(path: Path, background: Background = "none") -> Image.Image:
    """Decode the first frame of an image file, upright, as RGB.

    The camera's orientation (EXIF) is applied, 16-bit grey is scaled to 8 bits, CMYK, grey and palettes are
    converted, and transparency is dropped or composited on white.

    Args:
        path: the file.
        background: what to do with transparency.

    Raises:
        DataError: the file is missing, empty, not an image, damaged or too large.
    """
    data = read_bytes(path)
    try:
        with Image.open(io.BytesIO(data)) as image:
            _check_size(path, image)
            image.load()
            return _to_rgb(path, _upright(image), background)
    except DataError:
        raise
    except Image.DecompressionBombError as error:
        raise _too_large(path, str(error)) from error
    except UnidentifiedImageError as error:
        raise DataError(f"{path}: not an image Pillow can read; {REMEDY}") from error
    except Exception as error:  # damaged bytes make decoders raise anything, even SyntaxError
        raise DataError(
            f"{path}: truncated or damaged ({type(error).__name__}: {error}); {REMEDY}"
        ) from error


def read_bytes(path: Path) -> bytes:
    """Read a file that must exist and hold something.

    Raises:
        DataError: it is missing, unreadable or empty.
    """
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a name no file system accepts
        raise DataError(f"{path}: cannot be read ({error}); check image_root, or {REMEDY}") from error
    if not data:
        raise DataError(f"{path}: the file is empty (0 bytes); {REMEDY}")
    return data


def _check_size(path: Path, image: Image.Image) -> None:
    """Refuse by the header, before any pixel is decoded."""
    width, height = image.size
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise _too_large(path, f"{width} × {height} pixels")


def _too_large(path: Path, what: str) -> DataError:
    return DataError(
        f"{path}: {what}: above the limit of {MAX_PIXELS:,} pixels or {MAX_SIDE:,} on a side "
        "(a decompression bomb?); scale the image down, or leave it out with on_bad: skip"
    )


def _upright(image: Image.Image) -> Image.Image:
    """Turn the image as its camera tag says; an unreadable tag leaves whole pixels as they are."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # Pillow's TIFF reader raises anything on damaged tags
        return image


def _to_rgb(path: Path, image: Image.Image, background: Background) -> Image.Image:
    if image.mode.startswith("I"):  # Pillow would clip everything above 255 to white
        eight_bit = (np.asarray(image).clip(0, 65_535) / 257 + 0.5).astype(np.uint8)
        return Image.fromarray(eight_bit).convert("RGB")
    if image.mode == "F":
        raise DataError(
            f"{path}: floating-point pixels have no known range; convert the image to 8 or 16 bits"
        )
    if image.has_transparency_data:
        image = image.convert("RGBA")
        if background == "white":
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")

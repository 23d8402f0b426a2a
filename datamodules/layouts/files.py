"""Where a dataset and its images lie, and which of its images cannot be used."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from requery.decode import Background, load_rgb
from requery.errors import DataError

OnBad = Literal["error", "skip"]
"""Missing or unreadable images: `error` lists them, `skip` leaves them out, counting the queries affected."""


def dataset_root(root: str | None, name: str) -> Path:
    """The folder of a dataset: `root`, or `$REQUERY_DATA/name`.

    Raises:
        DataError: neither is set, or the folder does not exist.
    """
    if root is None and not os.environ.get("REQUERY_DATA"):
        raise DataError(
            f"where is {name}? Set root, or the environment variable REQUERY_DATA to the folder above {name}/"
        )
    folder = Path(root) if root is not None else Path(os.environ["REQUERY_DATA"]) / name
    if not folder.is_dir():
        raise DataError(
            f"{folder}: no such folder; set root to where {name} lies, or REQUERY_DATA to the folder above it"
        )
    return folder


def image_folder(image_root: str | None, root: Path) -> Path:
    """The folder that image paths start from.

    Args:
        image_root: a folder within `root` if it has one of that name, else one as it stands; None is `root`.
        root: the dataset's folder.
    """
    if image_root is None:
        return root
    return root / image_root if (root / image_root).is_dir() else Path(image_root)


def unusable(paths: Mapping[str, Path], background: Background) -> set[str]:
    """The images that are missing or cannot be decoded: each is decoded once, before anything is counted.

    Args:
        paths: the file of each image.
        background: as images will be decoded.
    """
    return {name for name, path in paths.items() if not _decodes(path, background)}


def _decodes(path: Path, background: Background) -> bool:
    try:
        load_rgb(path, background)
    except DataError:
        return False
    return True

"""Where a dataset and its images lie, and which of its images cannot be used."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal

from requery.decode import Background, load_rgb
from requery.errors import DataError, first

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


def bad_images(
    paths: Mapping[str, Path],
    uses: Sequence[Collection[str | None]],
    on_bad: OnBad,
    background: Background,
    where: str,
) -> set[str]:
    """Find the images that cannot be used.

    `error` looks for missing and empty files only (a damaged one is an error when it is decoded); `skip`
    decodes every image once, since an unreadable one can only be left out before anything is counted.

    Args:
        paths: the file of each image.
        uses: the images each query depends on, to count the queries affected.
        on_bad: what to do with unusable images.
        background: as images will be decoded.
        where: benchmark and split, for the message.

    Returns:
        The unusable images, empty unless `on_bad` is `skip`.

    Raises:
        DataError: there are some and `on_bad` is `error`.
    """
    if on_bad == "skip":
        return {name for name, path in paths.items() if not _decodes(path, background)}
    bad = {name: path for name, path in paths.items() if not _has_bytes(path)}
    if not bad:
        return set()
    affected = sum(not bad.keys().isdisjoint(names) for names in uses)
    raise DataError(
        f"{where}: {len(bad)} of {len(paths)} images are missing or empty: {first(bad)}; {affected} of "
        f"{len(uses)} queries depend on them. The first was looked for at {next(iter(bad.values()))}: "
        "fetch them, set image_root to the folder image paths start from, or leave them out with on_bad: skip"
    )


def _has_bytes(path: Path) -> bool:
    try:
        return path.is_file() and path.stat().st_size > 0
    except (OSError, ValueError):  # a name the file system does not accept
        return False


def _decodes(path: Path, background: Background) -> bool:
    try:
        load_rgb(path, background)
    except DataError:
        return False
    return True

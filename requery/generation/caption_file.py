"""Caption files of the paper's code: `{basename: caption}`, or `{captions: […], img_paths: […]}`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from requery.errors import DataError, first
from requery.files import atomic_write

Layout = Literal["basenames", "lists"]


def read_captions(path: Path, names: Sequence[str]) -> list[str]:
    """Read the captions of some images.

    They are found by their names where the file has all of these, else by file names without folders, as the
    paper's code does.

    Args:
        path: a file in either layout.
        names: `N` names or paths of images, such as `images.ids`.

    Returns:
        `N` captions, without space around them.

    Raises:
        DataError: the file is damaged, an image has no caption, or two share a file name and cannot be told
            apart; names them.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error}); fetch or export it again") from error
    captions = _captions(path, content)
    if not all(name in captions for name in names):
        _distinct(path, names)
        _distinct(path, list(captions))
        captions = {basename(name): text for name, text in captions.items()}
        names = [basename(name) for name in names]
    lost = [name for name in names if not captions.get(name)]
    if lost:
        raise DataError(
            f"{path}: {len(lost)} of {len(names)} images have no caption there: {first(lost)}; caption them, "
            "or check that the file belongs to these images"
        )
    return [captions[name] for name in names]


def write_captions(
    path: Path, names: Sequence[str], captions: Sequence[str], layout: Layout = "basenames"
) -> None:
    """Write captions as the paper's code reads them.

    Args:
        path: the file; an old one is replaced.
        names: `N` names or paths of images.
        captions: `N` captions.
        layout: `basenames` (their `--by_image_path`) or `lists`, which keeps whole paths.

    Raises:
        DataError: two images share a file name in the layout of basenames; names them.
        RunError: the file cannot be written.
    """
    if layout == "basenames":
        _distinct(path, names)
        content: Any = {basename(n): c for n, c in zip(names, captions, strict=True)}
    else:
        content = {"captions": list(captions), "img_paths": list(names)}
    with atomic_write(path) as file:
        json.dump(content, file, ensure_ascii=False, indent=1)


def basename(name: str) -> str:
    """A path's last part, whichever system wrote it."""
    return PurePosixPath(name.replace("\\", "/")).name


def _captions(path: Path, content: Any) -> dict[str, str]:
    """Caption of each name, from either layout."""
    if isinstance(content, Mapping) and set(content) == {"captions", "img_paths"}:
        names, captions = content["img_paths"], content["captions"]
        if not isinstance(names, list) or not isinstance(captions, list) or len(names) != len(captions):
            raise DataError(f"{path}: captions and img_paths must be lists of one length; export it again")
        content = dict(zip(map(str, names), captions, strict=True))
    if not isinstance(content, Mapping) or not all(isinstance(text, str) for text in content.values()):
        raise DataError(
            f"{path}: neither {{basename: caption}} nor {{captions: […], img_paths: […]}}; export it again"
        )
    return {name: text.strip() for name, text in content.items()}


def _distinct(path: Path, names: Sequence[str]) -> None:
    counts = Counter(map(basename, names))
    same = [name for name in names if counts[basename(name)] > 1]
    if same:
        raise DataError(
            f"{path}: {len(same)} images share file names, by which captions are told apart: {first(same)}; "
            "rename them, or export with layout lists"
        )

"""Image files that are missing, empty, damaged or the same as another."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from datamodules.doctor.findings import Finding
from datamodules.sources import Sources
from requery.decode import Background, load_rgb, read_bytes
from requery.errors import DataError
from requery.files import sha256_bytes
from requery.sound import read_wav
from requery.video import decode_frames, decode_sound

REMEDY = "fetch them, correct their root, or leave them out with on_bad: skip"


@dataclass(frozen=True)
class Inspected:
    """An image file that has something in it.

    Args:
        digest: SHA-256 of its bytes.
        error: why it cannot be decoded; None where it can.
    """

    digest: str
    error: str | None = None


def absent(sources: Sources) -> list[Finding]:
    """Images whose file is missing or has 0 bytes; nothing is read."""
    missing, empty = {}, {}
    for name, path in sources.paths.items():
        size = _size(path)
        if size is None:
            missing[name] = f"looked for at {path}"
        elif size == 0:
            empty[name] = str(path)
    return [
        Finding(sources.where, check, items, sources.affected(items), len(sources.paths), REMEDY)
        for check, items in (
            (f"{sources.what} missing", missing),
            (f"{sources.what} empty (0 bytes)", empty),
        )
        if items
    ]


def inspect(path: Path, background: Background) -> Inspected | None:
    """Read and decode one file; None where it is missing or empty, which `absent` reports."""
    try:
        digest = sha256_bytes(read_bytes(path))
    except DataError:
        return None
    try:
        _decode(path, background)
    except DataError as error:
        return Inspected(digest, str(error))
    return Inspected(digest)


def _decode(path: Path, background: Background) -> None:
    """Decode an image, a WAV file, or both sides of a video file."""
    match path.suffix.lower():
        case ".wav":
            read_wav(path)
        case ".mp4":
            decode_sound(path)
            decode_frames(path, 1)
        case _:
            load_rgb(path, background)


def unreadable(sources: Sources, inspected: Mapping[Path, Inspected]) -> list[Finding]:
    """Images that cannot be decoded."""
    found = {name: inspected[path].error for name, path in sources.paths.items() if path in inspected}
    items = {name: error for name, error in found.items() if error is not None}
    if not items:
        return []
    check = f"{sources.what} truncated or unreadable"
    return [Finding(sources.where, check, items, sources.affected(items), len(sources.paths), REMEDY)]


def duplicates(sources: Sources, inspected: Mapping[Path, Inspected]) -> list[Finding]:
    """A remark on images with the same bytes under several names: one scores like the other."""
    names: dict[str, list[str]] = {}
    for name, path in sources.paths.items():
        if path in inspected:
            names.setdefault(inspected[path].digest, []).append(name)
    groups = [group for group in names.values() if len(group) > 1]
    items = {
        name: f"same bytes as {', '.join(n for n in group if n != name)}"
        for group in groups
        for name in group
    }
    check = f"{sources.what} with the bytes of another (they tie in every ranking)"
    return (
        [Finding(sources.where, check, items, sources.affected(items), len(sources.paths), fails=False)]
        if items
        else []
    )


def _size(path: Path) -> int | None:
    """Bytes of a file; None where there is none."""
    try:
        found = path.stat()
    except (OSError, ValueError):  # ValueError: a name no file system accepts
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None

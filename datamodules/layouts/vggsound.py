"""VGGSound's layout (Chen et al. 2020): one CSV file of clips, and three ways in which clips may lie."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from datamodules.layouts.problems import Problem, Report, fail, reporting
from datamodules.layouts.records import require_distinct
from requery.clips import AudioFiles, VideoFiles
from requery.errors import DataError
from requery.images import ImageSet, Medium
from requery.stored import StoredFeatures
from requery.video import frame_files

ANNOTATIONS = "vggsound.csv"
ORIGIN = "it is at www.robots.ox.ac.uk/~vgg/data/vggsound"
VAL_PART = 50
"""Of the official train split, the clips of every 50th YouTube video, by hash, are our val."""

Clips = Literal["folders", "mp4", "features"]
"""`folders`: `<clip>.wav` and frames in `<clip>/`; `mp4`: `<clip>.mp4`; `features`: stored ones by medium."""


@dataclass(frozen=True)
class Clip:
    """One clip.

    Args:
        name: `<YouTube id>_<start second, six digits>`, as its files are called.
        label: what is heard.
    """

    name: str
    label: str


def read_vggsound(path: Path, split: str, report: Report = fail) -> list[Clip]:
    """Read the clips of `train`, `val` or `test`.

    A problem is that the file is absent or malformed, repeats a clip, or holds none of the split.
    """
    clips: list[Clip] = []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = list(csv.reader(file, strict=True))
    except FileNotFoundError:
        report(Problem(f"{path}: no such file; {ORIGIN}"))
        return clips
    except (OSError, ValueError, csv.Error) as error:
        report(Problem(f"{path}: cannot be read ({error}); fetch the file again"))
        return clips
    for number, line in enumerate(lines, 1):
        with reporting(report):
            clip, its_split = _clip(line, f"{path}, line {number}")
            if its_split == split:
                clips.append(clip)
    with reporting(report):
        require_distinct((clip.name for clip in clips), "clips", path)
    if not clips:
        report(Problem(f"{path}: no clip of the {split} split; fetch the file again"))
    return list({clip.name: clip for clip in clips}.values())


def _clip(line: list[str], where: str) -> tuple[Clip, str]:
    if len(line) != 4 or not line[1].isdecimal() or line[3] not in ("train", "test"):
        raise DataError(f"{where}: expected YouTube id, start second, label, train or test; found {line}")
    youtube, start, label, split = line
    name = f"{youtube}_{int(start):06d}"
    digest = hashlib.blake2b(youtube.encode(), digest_size=8).digest()
    held_out = split == "train" and int.from_bytes(digest, "big") % VAL_PART == 0
    return Clip(name, label), "val" if held_out else split


def clip_files(root: Path, clips: Clips, medium: Medium, names: Sequence[str]) -> dict[str, Path]:
    """The file of each clip that is looked at before any is decoded, by what messages call it.

    Of a folder of frames it is the first, or, where there is none, the folder; of features, their folder.
    """
    if clips == "features":
        return {f"{medium}/{name}": root / medium for name in names}
    if clips == "mp4":
        return {f"{name}.mp4": root / f"{name}.mp4" for name in names}
    if medium == "audio":
        return {f"{name}.wav": root / f"{name}.wav" for name in names}
    return {f"{name}/": next(iter(frame_files(root / name)), root / name) for name in names}


def open_clips(
    root: Path, clips: Clips, medium: Medium, names: Sequence[str] | None, frames: int
) -> ImageSet:
    """One side of some clips.

    Args:
        root: folder of the clips.
        clips: how they lie.
        medium: `audio` or `video`.
        names: of the clips; None, of stored features alone, for all that are there.
        frames: taken of each video.

    Raises:
        DataError: stored features are missing or malformed.
    """
    if clips == "features":
        return StoredFeatures(root / medium, medium, names)
    assert names is not None
    ending = ".mp4" if clips == "mp4" else ".wav" if medium == "audio" else ""
    paths = [root / f"{name}{ending}" for name in names]
    return AudioFiles(paths, names) if medium == "audio" else VideoFiles(paths, names, frames)

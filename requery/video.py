"""Video as evenly spaced frames: from a folder of images, or from a file through PyAV."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from requery.decode import REMEDY, load_rgb, read_bytes
from requery.errors import ConfigError, DataError
from requery.sound import Waveform

Frames = NDArray[np.uint8]
"""`(T, H, W, 3)` RGB."""
SUFFIXES = (".jpg", ".jpeg", ".png")


def spread(total: int, frames: int) -> list[int]:
    """Which of `total` frames are taken: `frames` of them, from the first to the last; of few, some twice."""
    return [number * (total - 1) // max(frames - 1, 1) for number in range(frames)]


def frame_files(folder: Path) -> list[Path]:
    """The images of a folder in the order of their names; none where there is no such folder."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


def read_frames(folder: Path, frames: int) -> Frames:
    """Decode evenly spaced images of a folder, `(frames, H, W, 3)`.

    Raises:
        DataError: there is none, one cannot be decoded, or they differ in size.
    """
    files = frame_files(folder)
    if not files:
        raise DataError(f"{folder}: holds no frame (*.jpg, *.png); {REMEDY}")
    pictures = [np.asarray(load_rgb(files[number])) for number in spread(len(files), frames)]
    if len({picture.shape for picture in pictures}) > 1:
        raise DataError(f"{folder}: its frames differ in size; extract them again")
    return np.stack(pictures)


def decode_frames(path: Path, frames: int) -> Frames:
    """Decode evenly spaced frames of a video file, `(frames, H, W, 3)`.

    Raises:
        ConfigError: PyAV is not installed.
        DataError: the file cannot be decoded, or has no picture.
    """
    read_bytes(path)  # names a file that is missing or empty
    av = _pyav(path)
    try:
        with av.open(str(path)) as file:
            total = sum(1 for _ in file.decode(video=0))  # headers are often wrong
        taken = spread(total, frames) if total else []
        pictures: dict[int, Frames] = {}
        with av.open(str(path)) as file:
            for number, frame in enumerate(file.decode(video=0)):
                if number in taken:
                    pictures[number] = frame.to_ndarray(format="rgb24")
    except (av.FFmpegError, IndexError) as error:
        raise DataError(f"{path}: its pictures cannot be decoded ({error}); {REMEDY}") from error
    if not taken:
        raise DataError(f"{path}: holds no picture; {REMEDY}")
    return np.stack([pictures[number] for number in taken])


def decode_sound(path: Path) -> Waveform:
    """Decode the sound of a video file at its own rate; channels are mixed to one.

    Raises:
        ConfigError: PyAV is not installed.
        DataError: the file cannot be decoded, or has no sound.
    """
    read_bytes(path)
    av = _pyav(path)
    try:
        with av.open(str(path)) as file:
            rate = int(file.streams.audio[0].rate)
            mono = av.AudioResampler(format="flt", layout="mono", rate=rate)
            parts = [p.to_ndarray()[0] for frame in file.decode(audio=0) for p in mono.resample(frame)]
    except (av.FFmpegError, IndexError) as error:
        raise DataError(f"{path}: its sound cannot be decoded ({error}); {REMEDY}") from error
    if not parts:
        raise DataError(f"{path}: holds no sound; {REMEDY}")
    return Waveform(np.concatenate(parts).astype(np.float32), rate)


def _pyav(path: Path) -> Any:
    try:
        import av
    except ImportError as error:
        raise ConfigError(
            f"{path}: decoding video files needs PyAV: pip install av, or extract sound and "
            "frames (clips: folders)"
        ) from error
    return av

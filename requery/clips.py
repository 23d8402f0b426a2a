"""Sets of sounds and of videos in files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from requery.decode import DECODER, read_bytes
from requery.errors import ConfigError
from requery.images import Medium
from requery.sound import Waveform, read_wav
from requery.video import Frames, decode_frames, decode_sound, frame_files, read_frames, spread

CLIPS = "clips@1"
"""Raised whenever some samples or frames would change, so that cached features are not reused."""


class AudioFiles:
    """Sounds in WAV files or video files, decoded when asked for (an ImageSet).

    Args:
        paths: `N` files.
        ids: `N` names.
    """

    medium: ClassVar[Medium] = "audio"

    def __init__(self, paths: Sequence[Path], ids: Sequence[str]) -> None:
        if len(paths) != len(ids):
            raise ConfigError(f"{len(paths)} sound files for {len(ids)} names")
        self.paths, self.ids = paths, ids

    def __len__(self) -> int:
        return len(self.paths)

    def load(self, position: int) -> Waveform:
        """Decode one sound; raises DataError naming the file where it cannot be."""
        path = self.paths[position]
        return read_wav(path) if path.suffix.lower() == ".wav" else decode_sound(path)

    def digest(self, position: int) -> str:
        """SHA-256 of the decoding and the file's bytes."""
        return _digest("audio", [self.paths[position]])


class VideoFiles:
    """Videos in files, or in folders of frames, decoded when asked for (an ImageSet).

    Args:
        paths: `N` files or folders.
        ids: `N` names.
        frames: frames taken of each, evenly spaced.
    """

    medium: ClassVar[Medium] = "video"

    def __init__(self, paths: Sequence[Path], ids: Sequence[str], frames: int = 16) -> None:
        if len(paths) != len(ids):
            raise ConfigError(f"{len(paths)} videos for {len(ids)} names")
        if frames < 1:
            raise ConfigError(f"data.frames is {frames}; it must be at least 1")
        self.paths, self.ids, self.frames = paths, ids, frames

    def __len__(self) -> int:
        return len(self.paths)

    def load(self, position: int) -> Frames:
        """Decode the frames of one video; raises DataError naming the file where they cannot be."""
        path = self.paths[position]
        return (decode_frames if path.is_file() else read_frames)(path, self.frames)

    def digest(self, position: int) -> str:
        """SHA-256 of the decoding, the number of frames and the bytes of what is decoded."""
        path = self.paths[position]
        files = [path] if path.is_file() else frame_files(path)
        taken = files if path.is_file() or not files else [files[i] for i in spread(len(files), self.frames)]
        return _digest(f"video:{self.frames}", taken or [path])


def _digest(what: str, files: Sequence[Path]) -> str:
    content = hashlib.sha256(f"{CLIPS}:{DECODER}:{what}:".encode())
    for file in files:
        content.update(hashlib.sha256(read_bytes(file)).digest())
    return content.hexdigest()

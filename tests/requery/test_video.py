"""Evenly spaced frames from folders and from video files."""

import sys

import numpy as np
import pytest
from PIL import Image

from requery.errors import ConfigError, DataError
from requery.video import decode_frames, decode_sound, read_frames, spread
from tests.datamodules.clips import tone, write_mp4


def folder(path, sizes):
    path.mkdir()
    for number, size in enumerate(sizes):
        Image.new("RGB", size, (number * 10, 0, 0)).save(path / f"{number:04d}.png")
    return path


def test_frames_are_spread_from_the_first_to_the_last():
    assert spread(9, 3) == [0, 4, 8] and spread(10, 4) == [0, 3, 6, 9]
    assert spread(2, 4) == [0, 0, 0, 1] and spread(5, 1) == [0]


def test_frames_of_a_folder(tmp_path):
    frames = read_frames(folder(tmp_path / "a", [(6, 4)] * 5), 3)
    assert frames.shape == (3, 4, 6, 3) and frames.dtype == np.uint8
    assert frames[:, 0, 0, 0].tolist() == [0, 20, 40]


def test_faults_name_the_folder(tmp_path):
    with pytest.raises(DataError, match=r"absent: holds no frame"):
        read_frames(tmp_path / "absent", 2)
    with pytest.raises(DataError, match=r"mixed: its frames differ in size"):
        read_frames(folder(tmp_path / "mixed", [(6, 4), (4, 6)]), 2)


def test_video_files_need_pyav(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    (tmp_path / "a.mp4").write_bytes(b"video")
    for decode in (decode_sound, lambda path: decode_frames(path, 2)):
        with pytest.raises(ConfigError, match=r"a\.mp4: decoding video files needs PyAV: pip install"):
            decode(tmp_path / "a.mp4")


def test_sound_and_frames_of_a_video_file(tmp_path):
    av = pytest.importorskip("av")
    sound = tone(440, 0.5, 16000)
    write_mp4(tmp_path / "a.mp4", av, [(0, 0, 0), (120, 120, 120), (250, 250, 250)], sound)
    frames = decode_frames(tmp_path / "a.mp4", 3)
    assert frames.shape == (3, 16, 32, 3)
    assert np.abs(frames.mean((1, 2, 3)) - [0, 120, 250]).max() < 12
    read = decode_sound(tmp_path / "a.mp4")
    loudest = np.abs(np.fft.rfft(read.samples)).argmax()
    assert read.rate == 16000 and abs(loudest * 16000 / len(read.samples) - 440) < 4


def test_damaged_video_files_are_named(tmp_path):
    pytest.importorskip("av")
    (tmp_path / "a.mp4").write_bytes(b"no video at all" * 100)
    with pytest.raises(DataError, match=r"a\.mp4: its pictures cannot be decoded"):
        decode_frames(tmp_path / "a.mp4", 2)
    with pytest.raises(DataError, match=r"a\.mp4: its sound cannot be decoded"):
        decode_sound(tmp_path / "a.mp4")

"""A handful of clips in VGGSound's layout, in each of the ways in which they may lie."""

import json
import wave
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from requery.sound import Waveform

LABELS = ("dog barking", "rain")


def write_csv(root: Path, splits: dict[str, int]) -> list[str]:
    """So many clips of each official split; returns their names."""
    rows = [
        (f"{split}-{number}", number, split) for split, count in splits.items() for number in range(count)
    ]
    root.mkdir(parents=True, exist_ok=True)
    lines = [f"{youtube},{start},{LABELS[start % 2]},{split}" for youtube, start, split in rows]
    (root / "vggsound.csv").write_text("\n".join(lines) + "\n")
    return [f"{youtube}_{start:06d}" for youtube, start, _ in rows]


def tone(hertz: float, seconds: float = 0.1, rate: int = 8000) -> Waveform:
    """A sine at half scale."""
    at = np.arange(round(seconds * rate)) / rate
    return Waveform((0.5 * np.sin(2 * np.pi * hertz * at)).astype(np.float32), rate)


def write_wav(path: Path, sound: Waveform, width: int = 2, channels: int = 1) -> None:
    """PCM of `width` bytes; every channel holds the same."""
    full = 2 ** (8 * width - 1)
    whole = (sound.samples.astype(np.float64) * full).round().clip(-full, full - 1).astype(np.int64)
    whole = whole + (128 if width == 1 else 0)
    data = whole.astype("<i8").view(np.uint8).reshape(-1, 8)[:, :width].repeat(channels, 0).tobytes()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(sound.rate)
        file.writeframes(data)


def write_clips(root: Path, names: list[str]) -> None:
    """Sounds of different pitch and videos of different colours, three frames each."""
    for number, name in enumerate(names):
        write_wav(root / f"{name}.wav", tone(200 + 150 * number))
        (root / name).mkdir()
        for frame in range(3):
            colour = (number * 37 % 256, frame * 60, 255 - number * 20 % 256)
            Image.new("RGB", (20, 12), colour).save(root / name / f"{frame:03d}.png")


def write_mp4(path: Path, av: ModuleType, colours: list, sound: Waveform) -> None:
    """A video file of one frame a colour, ten a second."""
    with av.open(str(path), "w") as file:
        video = file.add_stream("mpeg4", rate=10)
        video.width, video.height, video.pix_fmt = 32, 16, "yuv420p"
        audio = file.add_stream("aac", rate=sound.rate)
        audio.layout = "mono"
        for colour in colours:
            frame = av.VideoFrame.from_image(Image.new("RGB", (32, 16), colour))
            file.mux(video.encode(frame))
        file.mux(video.encode())
        frame = av.AudioFrame.from_ndarray(sound.samples[None], format="fltp", layout="mono")
        frame.sample_rate, frame.time_base = sound.rate, Fraction(1, sound.rate)
        file.mux([*audio.encode(frame), *audio.encode()])


def write_features(folder: Path, names: list[str], rows: torch.Tensor) -> None:
    """Stored features, `(N, L, W)` or `(N, D)`."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({"features": rows.contiguous()}, folder / "features.safetensors")
    (folder / "ids.json").write_text(json.dumps(names))


def write_paired_features(root: Path, names: list[str], shifts: dict[str, float], seed: int = 0) -> None:
    """Features of 12 hidden causes that both sides share; `shifts` adds so much noise to the sounds'."""
    draw = torch.Generator().manual_seed(seed)
    causes = torch.randn(len(names), 12, generator=draw)
    audio = causes @ torch.randn(12, 24, generator=draw) + 0.3 * torch.randn(len(names), 24, generator=draw)
    video = causes @ torch.randn(12, 16, generator=draw) + 0.3 * torch.randn(len(names), 16, generator=draw)
    write_features(root / "audio", names, audio)
    tokens = video[:, None] + 0.1 * torch.randn(len(names), 3, 16, generator=draw)
    write_features(root / "video", names, tokens)
    offset = torch.randn(24, generator=draw)
    for shift, strength in shifts.items():
        noise = torch.randn(len(names), 24, generator=draw) + offset
        write_features(root / "audio" / shift, names, audio + strength * noise)

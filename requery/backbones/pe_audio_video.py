"""PE-AV (Perception Encoder audio-visual, Vyas et al. 2025, arXiv 2512.19687): sounds and videos."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from requery.backbones.paired import Paired
from requery.backbones.source import pretrained, read_json
from requery.errors import ConfigError
from requery.files import atomic_bytes
from requery.sound import Waveform, resample
from requery.video import spread

PE_TYPE = "pe_audio_video"
TIMM = "timm_wrapper"


@dataclass(frozen=True)
class PePreprocess:
    """What PE-AV's processors make of a clip, on numpy and Pillow, in one shape for all clips.

    Args:
        rate: samples a second.
        hop: samples per step of the audio encoder; the end is filled up to a whole step by reflection.
        seconds: a sound is cut to so many; a shorter one is filled with zeros that its mask leaves out.
        frames: taken of a video, evenly spaced.
        size: sides of a frame, (height, width), to which it is stretched bilinearly.
        mean: per channel, subtracted from values in [0, 1].
        std: per channel, divided by.
    """

    rate: int = 48_000
    hop: int = 1920
    seconds: float = 10.0
    frames: int = 16
    size: tuple[int, int] = (336, 336)
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.5, 0.5, 0.5)

    @property
    def key(self) -> str:
        """What determines the result, for cache keys."""
        return f"pe@1({self})"

    def __call__(self, item: Any) -> Tensor:
        """A sound to `(2, N)`, samples and mask; a video `(T, H, W, 3)` to `(frames, 3, *size)`.

        Raises:
            ConfigError: the item is neither.
        """
        if isinstance(item, Waveform):
            return self._sound(item)
        if isinstance(item, np.ndarray) and item.dtype == np.uint8 and item.ndim == 4:
            return self._video(item)
        raise ConfigError("PE-AV reads sounds and videos, no stored features: set clips: folders or mp4")

    def batch(self, items: Sequence[Any]) -> Tensor:
        """Transform items of one medium, stacked."""
        return torch.stack([self(item) for item in items])

    def _sound(self, sound: Waveform) -> Tensor:
        limit = round(self.seconds * self.rate)
        samples = resample(sound, self.rate).samples[:limit]
        own = -(-len(samples) // self.hop) * self.hop
        out = torch.zeros(2, -(-limit // self.hop) * self.hop)
        out[0, :own] = torch.from_numpy(np.pad(samples, (0, own - len(samples)), "reflect"))
        out[1, :own] = 1
        return out

    def _video(self, video: np.ndarray[Any, Any]) -> Tensor:
        height, width = self.size
        pictures = [
            np.asarray(Image.fromarray(video[at]).resize((width, height), Image.Resampling.BILINEAR))
            for at in spread(len(video), self.frames)
        ]
        pixels = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (self.mean, self.std))
        return ((pixels - mean) / std).contiguous()


class _Tower(nn.Module):
    """An encoder's pooled output through its contrastive head, `(B, D)`."""

    def __init__(self, encoder: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.encoder, self.head = encoder, head

    def forward(self, inputs: Tensor) -> Tensor:
        """`(B, 2, N)` samples and mask, or `(B, T, 3, H, W)`."""
        if inputs.ndim == 3:
            found = self.encoder(input_values=inputs[:, :1], padding_mask=inputs[:, 1].long())
        else:
            found = self.encoder(pixel_values_videos=inputs)
        out: Tensor = self.head(found.pooler_output)
        return out


class PeAudioVideo(Paired):
    """`transformers.PeAudioVideoModel`: its audio and its video encoder with their heads.

    What it scores as audio and video is the product of these embeddings; the encoder of both together and the
    texts are not used. Its own normalisations are RMSNorm and GroupNorm: what an adapting method finds as
    LayerNorm is the head's in the audio tower, and in the video tower the vision model's and the head's.

    Args:
        model: the model.
        preprocess: from sounds and videos to its inputs.
    """

    preprocess: PePreprocess

    def __init__(self, model: Any, preprocess: PePreprocess) -> None:
        audio, video = model.audio_model, model.video_model
        towers = {
            "audio": _Tower(audio.audio_encoder, audio.audio_head),
            "video": _Tower(video.video_encoder, video.video_head),
        }
        super().__init__(nn.ModuleDict(towers), preprocess)
        self._whole = [model]  # in a list: what is not used is no part of this module

    @classmethod
    def load(cls, folder: Path) -> PeAudioVideo:
        """Read a `PeAudioVideoModel` with the settings of its processors, as the hub lays them out.

        Raises:
            ConfigError: its vision model is timm's, and timm cannot be imported.
        """
        vision = read_json(folder / "config.json")
        for part in ("audio_video_config", "video_config", "vision_config"):
            vision = vision.get(part) or {}
        _require_timm(folder, vision.get("model_type", TIMM))
        from transformers import AutoConfig, PeAudioVideoConfig, PeAudioVideoModel

        config: Any = PeAudioVideoConfig.from_pretrained(folder)
        if vision.get("model_type", TIMM) != TIMM:  # read as timm's whatever it says
            config.audio_video_config.video_config.vision_config = AutoConfig.for_model(**vision)
        return cls(pretrained(PeAudioVideoModel, folder, config).eval(), _preprocess_of(folder))

    def save(self, folder: str) -> None:
        """Write the whole model and its processors' settings."""
        self._whole[0].save_pretrained(folder)
        made = self.preprocess
        sound = {"sampling_rate": made.rate, "hop_length": made.hop, "chunk_length_s": made.seconds}
        size = dict(zip(("height", "width"), made.size, strict=True))
        video = {
            "num_frames": made.frames,
            "size": size,
            "image_mean": made.mean,
            "image_std": made.std,
        }
        settings = {"feature_extractor": sound, "video_processor": video}
        atomic_bytes(Path(folder) / "processor_config.json", (json.dumps(settings, indent=1) + "\n").encode())


def _require_timm(folder: Path, vision: str) -> None:
    missing = [name for name in ("timm", "torchvision") if find_spec(name) is None]
    if vision == TIMM and missing:
        raise ConfigError(
            f"{folder}: PE-AV's vision model is timm's, and there is no {' and no '.join(missing)}; install "
            "timm with the torchvision that belongs to your torch, or encode the clips elsewhere and use "
            "what comes out (clips: features, a backbone of model_type requery-stored)"
        )


def _preprocess_of(folder: Path) -> PePreprocess:
    """The settings of both processors, in one file or one each; what they leave open is PE-AV's default."""
    one = folder / "processor_config.json"
    both = read_json(one) if one.is_file() else {}
    sound = both.get("feature_extractor") or _settings(folder / "preprocessor_config.json")
    video = both.get("video_processor") or _settings(folder / "video_preprocessor_config.json")
    given: dict[str, Any] = {
        "rate": sound.get("sampling_rate"),
        "hop": sound.get("hop_length"),
        "seconds": sound.get("chunk_length_s"),
        "frames": video.get("num_frames"),
        "size": (video["size"]["height"], video["size"]["width"]) if "size" in video else None,
        "mean": tuple(video.get("image_mean") or ()) or None,
        "std": tuple(video.get("image_std") or ()) or None,
    }
    return PePreprocess(**{name: value for name, value in given.items() if value is not None})


def _settings(path: Path) -> dict[str, Any]:
    return read_json(path) if path.is_file() else {}

"""Four corruptions of sound, each in five severities: kinds and parameters are ours, no benchmark's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from requery.corruptions.setting import stream
from requery.corruptions.severity import require
from requery.sound import Samples, Waveform

PACKET = 0.02
"""Seconds that are lost together, as in a telephone call."""


@dataclass(frozen=True)
class _Kind:
    """How a kind acts, and its parameter at severities 1 to 5."""

    act: Callable[[Waveform, float, np.random.Generator], Samples]
    levels: tuple[float, float, float, float, float]


def _audio_noise(sound: Waveform, decibels: float, rng: np.random.Generator) -> Samples:
    """Add white Gaussian noise; `decibels` is the ratio of the clip's power to the noise's."""
    loudness = np.sqrt(np.mean(np.square(sound.samples, dtype=np.float64)))
    noise = rng.standard_normal(len(sound.samples), dtype=np.float32)
    return sound.samples + noise * np.float32(loudness * 10 ** (-decibels / 20))


def _clipping(sound: Waveform, share: float, rng: np.random.Generator) -> Samples:
    """Cut off the peaks: `share` of the samples, the loudest, are held at the level of the next one."""
    limit = np.quantile(np.abs(sound.samples), 1 - share).astype(np.float32)
    return sound.samples.clip(-limit, limit)


def _band_limit(sound: Waveform, hertz: float, rng: np.random.Generator) -> Samples:
    """Take out all above `hertz`, as a narrow channel does."""
    spectrum = np.fft.rfft(sound.samples)
    spectrum[np.fft.rfftfreq(len(sound.samples), 1 / sound.rate) > hertz] = 0
    return np.fft.irfft(spectrum, len(sound.samples)).astype(np.float32)


def _audio_dropout(sound: Waveform, share: float, rng: np.random.Generator) -> Samples:
    """Silence packets of 20 ms, `share` of them; what is lost at a severity is lost at every higher one."""
    length = max(1, round(PACKET * sound.rate))
    lost = rng.random(-(-len(sound.samples) // length)) < share
    return np.where(np.repeat(lost, length)[: len(sound.samples)], np.float32(0), sound.samples)


KINDS = {
    "audio_noise": _Kind(_audio_noise, (20, 15, 10, 5, 0)),
    "clipping": _Kind(_clipping, (0.1, 0.2, 0.4, 0.6, 0.8)),
    "band_limit": _Kind(_band_limit, (4000, 2000, 1000, 500, 250)),
    "audio_dropout": _Kind(_audio_dropout, (0.1, 0.2, 0.3, 0.45, 0.6)),
}
AUDIO_KINDS = tuple(KINDS)
AUDIO_SEVERITIES = 5


def corrupt_audio(sound: Waveform, kind: str, severity: int, *, key: str | int, seed: int = 0) -> Waveform:
    """Corrupt one sound; the result depends on the arguments alone.

    Args:
        sound: `(N,)` samples of any rate.
        kind: one of `AUDIO_KINDS`.
        severity: 1 to 5; an item's severities share their random draws.
        key: names the item.
        seed: another seed, other draws.

    Returns:
        As many samples at the same rate, in a new array.

    Raises:
        ConfigError: there is no such kind or severity.
        ValueError: the array is no sound of one channel.
    """
    require(kind, severity, AUDIO_KINDS, AUDIO_SEVERITIES, "audio")
    samples = sound.samples
    if samples.dtype != np.float32 or samples.ndim != 1 or not samples.size:
        raise ValueError(f"a sound is (N,) float32, not {samples.shape} {samples.dtype}")
    made = KINDS[kind].act(sound, KINDS[kind].levels[severity - 1], stream(key, kind, seed))
    return Waveform(made, sound.rate)

"""Sound as one channel of samples: read from WAV files, brought to another rate."""

from __future__ import annotations

import io
import math
import wave
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from requery.decode import REMEDY, read_bytes
from requery.errors import DataError

Samples = NDArray[np.float32]
"""`(N,)` samples of one channel, full scale at ±1."""

ZEROS = 16
"""Zero crossings of the sinc on each side of its centre."""
CHUNK = 2**16
"""Samples made at a time, which bounds the memory of the table of weights."""


class Waveform(NamedTuple):
    """One channel of sound.

    Args:
        samples: `(N,)` float32, full scale at ±1.
        rate: samples a second.
    """

    samples: Samples
    rate: int


def read_wav(path: Path) -> Waveform:
    """Read PCM of 8, 16, 24 or 32 bits; channels are averaged.

    Raises:
        DataError: the file is missing, holds no sound or something else than PCM.
    """
    try:
        with wave.open(io.BytesIO(read_bytes(path))) as file:
            channels, width, rate = file.getnchannels(), file.getsampwidth(), file.getframerate()
            data = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise DataError(f"{path}: no PCM in a WAV file ({error}); {REMEDY}") from error
    whole = len(data) - len(data) % (channels * width)
    if not whole or rate < 1:
        raise DataError(f"{path}: holds no sample; {REMEDY}")
    samples = _floats(data[:whole], width).reshape(-1, channels).mean(1, dtype=np.float32)
    return Waveform(samples, rate)


def _floats(data: bytes, width: int) -> Samples:
    """Little-endian PCM of `width` bytes a sample, of which 8 bits alone are unsigned."""
    if width == 1:
        return (np.frombuffer(data, np.uint8).astype(np.float32) - 128) / np.float32(128)
    wide = np.zeros((len(data) // width, 4), np.uint8)  # the upper bytes of an int32
    wide[:, 4 - width :] = np.frombuffer(data, np.uint8).reshape(-1, width)
    out: Samples = (wide.view("<i4")[:, 0] / 2.0**31).astype(np.float32)
    return out


def resample(sound: Waveform, rate: int) -> Waveform:
    """Bring a sound to another rate: a sinc in a Hann window, cut off at the lower of the two rates' halves.

    Args:
        sound: `(N,)` samples.
        rate: samples a second that are wanted.

    Returns:
        `(ceil(N · rate / sound.rate),)` samples; the same object where the rate is right already.
    """
    if sound.rate == rate:
        return sound
    divisor = math.gcd(rate, sound.rate)
    up, down = rate // divisor, sound.rate // divisor
    cutoff = min(1.0, up / down)  # of the source's own half rate
    reach = math.ceil(ZEROS / cutoff)
    offsets = np.arange(1 - reach, reach + 1)
    at = np.arange(up)[:, None] * down % up / up - offsets  # (up, taps): a phase each, in source samples
    window = np.cos(np.pi / 2 * np.clip(at * cutoff / ZEROS, -1, 1)) ** 2
    taps = np.sinc(at * cutoff) * window * cutoff
    taps = (taps / taps.sum(1, keepdims=True)).astype(np.float32)
    padded = np.pad(sound.samples, reach + 1)
    n = -(-len(sound.samples) * up // down)
    out = np.empty(n, np.float32)
    for start in range(0, n, CHUNK):
        number = np.arange(start, min(start + CHUNK, n))
        places = (number * down // up)[:, None] + offsets + reach + 1
        out[number] = np.einsum("nt,nt->n", padded[places], taps[number % up])
    return Waveform(out, rate)

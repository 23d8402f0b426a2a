"""Sound from WAV files, and at another rate."""

import wave

import numpy as np
import pytest

from requery.errors import DataError
from requery.sound import Waveform, read_wav, resample
from tests.datamodules.clips import tone, write_wav


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2])
def test_every_width_of_pcm_is_read(tmp_path, width, channels):
    sound = tone(440)
    write_wav(tmp_path / "a.wav", sound, width, channels)
    read = read_wav(tmp_path / "a.wav")
    assert read.rate == 8000 and read.samples.dtype == np.float32
    assert np.abs(read.samples - sound.samples).max() <= 1.01 / 2 ** (8 * width - 1) + 1e-7


def test_channels_are_averaged(tmp_path):
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((2, 2, 8000, 0, "NONE", None))
        file.writeframes(np.array([[16384, 0], [-16384, -16384]], "<i2").tobytes())
    assert read_wav(tmp_path / "a.wav").samples.tolist() == [0.25, -0.5]


def test_what_is_no_sound_is_named(tmp_path):
    write_wav(tmp_path / "empty.wav", Waveform(np.zeros(0, np.float32), 8000))
    (tmp_path / "text.wav").write_bytes(b"no sound at all")
    for name, reason in (("absent", "cannot be read"), ("text", "no PCM"), ("empty", "holds no sample")):
        with pytest.raises(DataError, match=rf"{name}\.wav: {reason}"):
            read_wav(tmp_path / f"{name}.wav")


@pytest.mark.parametrize(("rate", "wanted"), [(8000, 16000), (44100, 16000), (48000, 44100), (16000, 8000)])
def test_a_tone_stays_that_tone_at_another_rate(rate, wanted):
    made = resample(tone(1000, 0.2, rate), wanted)
    exact = tone(1000, 0.2, wanted)
    assert made.rate == wanted and len(made.samples) == -(-round(0.2 * rate) * wanted // rate)
    inside = slice(200, len(exact.samples) - 200)  # the ends see the silence outside
    assert np.abs(made.samples[inside] - exact.samples[inside]).max() < 2e-3


def test_what_the_lower_rate_cannot_hold_is_taken_out():
    made = resample(tone(5000, 0.2, 16000), 8000).samples[200:-200]
    assert np.abs(made).max() < 5e-3


def test_the_right_rate_is_left_alone():
    sound = tone(440)
    assert resample(sound, 8000) is sound

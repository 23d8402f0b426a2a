"""Corruptions of sound: the same bytes each time, and more damage at each severity."""

from itertools import pairwise

import numpy as np
import pytest

from requery.corruptions.audio import AUDIO_KINDS, corrupt_audio
from requery.errors import ConfigError
from requery.sound import Waveform


@pytest.fixture(scope="module")
def sound():
    """Coloured noise: something at all frequencies, and more at the low ones."""
    white = np.random.default_rng(0).standard_normal(16000)
    spectrum = np.fft.rfft(white) / (1 + np.arange(8001) / 500)
    samples = np.fft.irfft(spectrum)
    return Waveform((samples / np.abs(samples).max()).astype(np.float32), 16000)


def damage(sound, kind, severity, key="a", seed=0):
    made = corrupt_audio(sound, kind, severity, key=key, seed=seed)
    assert made.rate == sound.rate and made.samples.dtype == np.float32
    assert made.samples.shape == sound.samples.shape
    return float(np.sqrt(np.mean((made.samples - sound.samples) ** 2)))


@pytest.mark.parametrize("kind", AUDIO_KINDS)
def test_damage_grows_with_severity(sound, kind):
    grows = [damage(sound, kind, severity) for severity in range(1, 6)]
    assert 0 < grows[0] and all(a < b for a, b in pairwise(grows))


@pytest.mark.parametrize("kind", AUDIO_KINDS)
def test_the_same_item_gives_the_same_bytes_and_the_input_stays(sound, kind):
    before = sound.samples.copy()
    one, two = (corrupt_audio(sound, kind, 3, key="a").samples.tobytes() for _ in range(2))
    assert one == two and np.array_equal(sound.samples, before)
    drawn = kind in ("audio_noise", "audio_dropout")
    assert (corrupt_audio(sound, kind, 3, key="b").samples.tobytes() != one) == drawn
    assert (corrupt_audio(sound, kind, 3, key="a", seed=1).samples.tobytes() != one) == drawn


def test_severities_share_their_draws(sound):
    lost = [corrupt_audio(sound, "audio_dropout", s, key="a").samples == 0 for s in (2, 4)]
    assert (lost[0] <= lost[1]).all()
    noise = [corrupt_audio(sound, "audio_noise", s, key="a").samples - sound.samples for s in (1, 5)]
    assert np.allclose(noise[1], 10 * noise[0], atol=1e-4)  # 20 dB apart


def test_each_kind_does_what_its_parameter_says(sound):
    noise = corrupt_audio(sound, "audio_noise", 5, key="a").samples - sound.samples  # 0 dB
    assert np.isclose(np.std(noise), np.sqrt(np.mean(sound.samples**2)), rtol=0.05)
    clipped = np.abs(corrupt_audio(sound, "clipping", 3, key="a").samples)
    assert np.isclose(np.mean(clipped == clipped.max()), 0.4, atol=0.001)
    spectrum = np.abs(np.fft.rfft(corrupt_audio(sound, "band_limit", 2, key="a").samples))
    assert spectrum[2001:].max() < 1e-3 * spectrum.max()  # a bin is 1 Hz
    lost = corrupt_audio(sound, "audio_dropout", 5, key="a").samples.reshape(50, 320)  # packets of 20 ms
    assert set((lost == 0).all(1)) == {True, False} and abs((lost == 0).all(1).mean() - 0.6) < 0.2


def test_silence_and_single_samples_pass(sound):
    for kind in AUDIO_KINDS:
        for samples in (np.zeros(100, np.float32), np.full(1, 0.5, np.float32)):
            assert np.isfinite(corrupt_audio(Waveform(samples, 8000), kind, 5, key="a").samples).all()


def test_wrong_arguments_are_named(sound):
    with pytest.raises(ConfigError, match="unknown audio corruption clipped: did you mean clipping"):
        corrupt_audio(sound, "clipped", 1, key="a")
    with pytest.raises(ConfigError, match="severity of clipping is 6"):
        corrupt_audio(sound, "clipping", 6, key="a")
    with pytest.raises(ValueError, match=r"\(N,\) float32"):
        corrupt_audio(Waveform(np.zeros((2, 9), np.float32), 8000), "clipping", 1, key="a")

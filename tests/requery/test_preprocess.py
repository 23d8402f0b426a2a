from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from requery.errors import ConfigError
from requery.preprocess import CLIP_MEAN, CLIP_STD, Preprocess, target_pad

OFFICIAL = np.load(Path(__file__).parents[1] / "fixtures" / "qure" / "targetpad.npz")
GREY_LEVEL = 1 / 255 / min(CLIP_STD)


@pytest.mark.parametrize("case", range(7))
def test_parity_with_the_official_transform(case):
    image = Image.fromarray(OFFICIAL[f"in{case}"])
    assert target_pad(image, 1.25).size == tuple(OFFICIAL[f"padsize{case}"])
    result = Preprocess(32)(image)
    assert (result.shape, result.dtype) == ((3, 32, 32), torch.float32)
    difference = np.abs(result.numpy() - OFFICIAL[f"out{case}"])
    assert difference.max() < GREY_LEVEL + 1e-5  # another Pillow may round one grey level apart
    assert np.median(difference) < 1e-5


def test_a_square_of_the_right_size_is_only_normalised():
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    expected = (pixels / 255 - np.array(CLIP_MEAN)) / np.array(CLIP_STD)
    result = Preprocess(16)(Image.fromarray(pixels))
    np.testing.assert_allclose(result.permute(1, 2, 0).numpy(), expected, atol=1e-5)


def test_without_padding_the_centre_is_kept():
    image = Image.new("RGB", (30, 10))
    image.paste("white", (10, 0, 20, 10))
    kept = Preprocess(10, mean=(0, 0, 0), std=(1, 1, 1), pad_ratio=None)(image)
    assert bool((kept == 1).all())
    padded = Preprocess(10, mean=(0, 0, 0), std=(1, 1, 1))(image)
    assert 0.05 < float(padded.mean()) < 0.3  # the white square shrinks, black bars come above and below


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (5, 4)])
def test_any_size_gives_the_same_shape(size):
    for ratio in (None, 1.25):
        assert Preprocess(8, pad_ratio=ratio)(Image.new("RGB", size)).shape == (3, 8, 8)


def test_batch_is_the_stack():
    transform = Preprocess(8)
    images = [Image.new("RGB", (9, 9), colour) for colour in ("red", "blue")]
    batch = transform.batch(images)
    assert batch.shape == (2, 3, 8, 8)
    assert torch.equal(batch[1], transform(images[1]))
    assert transform.batch([]).shape == (0, 3, 8, 8)


def test_key_tells_settings_apart():
    variants = [
        Preprocess(8),
        Preprocess(9),
        Preprocess(8, pad_ratio=None),
        Preprocess(8, interpolation="bilinear"),
        Preprocess(8, mean=(0, 0, 0)),
        Preprocess(8, std=(1, 1, 1)),
    ]
    assert len({variant.key for variant in variants}) == len(variants)
    assert Preprocess(8).key == Preprocess(8).key


@pytest.mark.parametrize("wrong", [{"size": 0}, {"pad_ratio": 0.9}, {"interpolation": "cubic"}])
def test_wrong_settings(wrong):
    with pytest.raises(ConfigError):
        Preprocess(**{"size": 8, **wrong})

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from requery.corruptions import IMAGE_KINDS, corrupt_image, max_severity
from requery.errors import ConfigError
from requery.shapes.scene import ShapesConfig
from requery.shapes.world import ShapesImages
from tests.conftest import ROOT

OFFICIAL = np.load(ROOT / "tests" / "fixtures" / "rest" / "mmrobustness_image.npz")
PHOTO = OFFICIAL["image_uint8_hwc"]
LARGE = np.asarray(Image.fromarray(PHOTO).resize((288, 224), Image.Resampling.BICUBIC))
EXACT = ("contrast", "brightness", "defocus_blur", "zoom_blur", "pixelate")
NOISY = ("gaussian_noise", "shot_noise", "impulse_noise", "speckle_noise")
UNEVEN = ("snow", "frost", "fog", "elastic_transform")
"""Kinds whose severities differ in more than strength: in size, shape and share."""
DRAWN = (*NOISY, "glass_blur", "motion_blur", "snow", "frost", "fog", "elastic_transform")


def shapes(n: int, px: int = 48) -> list[np.ndarray]:
    images = ShapesImages(ShapesConfig(px=px), "test", n)
    return [np.asarray(images.load(i)) for i in range(n)]


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def psnr(image: np.ndarray, other: np.ndarray) -> float:
    return -10 * np.log10(np.square(image / 255 - other / 255).mean() + 1e-12)


@pytest.mark.parametrize("severity", [1, 3, 5])
@pytest.mark.parametrize("kind", EXACT)
def test_kinds_without_draws_are_the_official_ones_to_one_grey_level(kind, severity):
    made = corrupt_image(PHOTO, kind, severity, key=0, legacy=kind == "pixelate")
    official = OFFICIAL[f"{kind}_s{severity}"].astype(int)
    assert made.shape == official.shape
    assert np.abs(made.astype(int) - official).max() <= 1


@pytest.mark.parametrize("severity", [1, 3, 5])
@pytest.mark.parametrize("kind", [*NOISY, "glass_blur"])
def test_noise_and_glass_have_the_official_moments(kind, severity):
    made = corrupt_image(PHOTO, kind, severity, key=0, legacy=True).astype(float)
    mean, deviation, change = OFFICIAL[f"{kind}_s{severity}_stats"][2:]
    assert abs(made.mean() - mean) < 2 and abs(made.std() - deviation) < 1.5
    assert np.abs(made - PHOTO).mean() == pytest.approx(change, rel=0.2)


@pytest.mark.parametrize("severity", [1, 3, 5])
@pytest.mark.parametrize("kind", ["fog", "elastic_transform"])
def test_official_fog_and_elastic_draws_are_among_ours(kind, severity):
    made = [corrupt_image(PHOTO, kind, severity, key=key).astype(float) for key in range(40)]
    ours = np.array([(image.mean(), image.std(), np.abs(image - PHOTO).mean()) for image in made])
    official = OFFICIAL[f"{kind}_s{severity}_stats"][2:]
    margin = 0.1 * (ours.max(0) - ours.min(0))
    assert (ours.min(0) - margin <= official).all() and (official <= ours.max(0) + margin).all()


@pytest.mark.parametrize("reference_side", [None, 224])
@pytest.mark.parametrize("size", [(1, 1), (3, 5), (48, 48), (97, 31)])
def test_every_kind_and_severity_on_images_of_any_size(size, reference_side):
    image = noise(*size)
    for kind in IMAGE_KINDS:
        for severity in range(1, max_severity(kind) + 1):
            made = corrupt_image(image, kind, severity, key="a", reference_side=reference_side)
            assert made.shape == image.shape and made.dtype == np.uint8, (kind, severity)
    assert np.array_equal(image, noise(*size))  # the input is left alone


@pytest.mark.parametrize("kind", IMAGE_KINDS)
def test_a_photograph_at_its_own_size(kind):
    image = noise(480, 640)
    for severity in (1, 5):
        made = corrupt_image(image, kind, severity, key=0)
        assert made.shape == image.shape and not np.array_equal(made, image)


@pytest.mark.parametrize("kind", IMAGE_KINDS)
def test_bytes_depend_on_key_kind_severity_and_seed_alone(kind):
    images = shapes(4)
    keys = [f"test-{i}" for i in range(4)]

    def bytes_of(order):
        made = {i: corrupt_image(images[i], kind, 4, key=keys[i], reference_side=224) for i in order}
        return [made[i].tobytes() for i in range(4)]

    assert bytes_of([0, 1, 2, 3]) == bytes_of([2, 0, 3, 1])
    if kind in DRAWN:
        one = corrupt_image(PHOTO, kind, 5, key="a")
        assert not np.array_equal(one, corrupt_image(PHOTO, kind, 5, key="b"))
        assert not np.array_equal(one, corrupt_image(PHOTO, kind, 5, key="a", seed=1))
    assert np.array_equal(corrupt_image(PHOTO, kind, 2, key=7), corrupt_image(PHOTO, kind, 2, key="7"))


def digest() -> str:
    """Of every kind on one image."""
    made = [corrupt_image(PHOTO, kind, 5, key="a", reference_side=224) for kind in IMAGE_KINDS]
    return hashlib.sha256(b"".join(image.tobytes() for image in made)).hexdigest()


def test_another_process_and_other_threads_make_the_same_bytes():
    code = "from tests.requery.corruptions.test_image import digest; print(digest())"
    for threads in ("1", "2"):
        env = {**os.environ, "OMP_NUM_THREADS": threads, "PYTHONHASHSEED": threads}
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True)
        assert done.stdout.strip() == digest(), done.stderr


@pytest.mark.parametrize("reference_side", [None, 224])
@pytest.mark.parametrize("kind", [kind for kind in IMAGE_KINDS if kind not in UNEVEN])
def test_a_higher_severity_distorts_more(kind, reference_side):
    images = [LARGE] if reference_side is None else shapes(8)
    distances = [
        np.mean([psnr(corrupt_image(i, kind, s, key=0, reference_side=reference_side), i) for i in images])
        for s in range(1, 6)
    ]
    assert distances == sorted(distances, reverse=True), distances


@pytest.mark.parametrize("kind", UNEVEN)
def test_every_severity_is_far_off(kind):
    assert all(psnr(corrupt_image(LARGE, kind, severity, key=0), LARGE) < 42 for severity in range(1, 6))


def test_lengths_scale_with_the_image():
    """What is made for 224 pixels looks alike on 56: shrinking and corrupting commute."""
    big = np.kron(noise(14, 14), np.ones((16, 16, 1), dtype=np.uint8))
    small = big.reshape(56, 4, 56, 4, 3).mean((1, 3)).round().astype(np.uint8)
    for kind in ("defocus_blur", "motion_blur", "zoom_blur", "frost", "snow", "fog"):
        full = corrupt_image(big, kind, 3, key=0, reference_side=224).astype(float)
        shrunk = full.reshape(56, 4, 56, 4, 3).mean((1, 3))
        made = corrupt_image(small, kind, 3, key=0, reference_side=224)
        native = corrupt_image(small, kind, 3, key=0)
        assert np.abs(made - shrunk).mean() < 0.35 * np.abs(native - shrunk).mean(), kind


def test_legacy_repeats_the_official_mistakes():
    moved = corrupt_image(PHOTO, "glass_blur", 5, key=0)
    official = corrupt_image(PHOTO, "glass_blur", 5, key=0, legacy=True)
    assert psnr(official, PHOTO) > psnr(moved, PHOTO) + 1  # one row moved is hardly any
    assert corrupt_image(PHOTO, "pixelate", 1, key=0, legacy=True).shape == (72, 56, 3)
    for kind in ("jpeg", "frost"):
        mixed_up = corrupt_image(PHOTO[..., ::-1].copy(), kind, 3, key=0, legacy=True)[..., ::-1]
        assert np.array_equal(mixed_up, corrupt_image(PHOTO, kind, 3, key=0))


def test_black_images_stay_finite():
    black = np.zeros((8, 8, 3), dtype=np.uint8)
    made = {kind: corrupt_image(black, kind, 5, key=0) for kind in IMAGE_KINDS}
    assert (made["brightness"] == 128).all() and not made["fog"].any() and made["snow"].max() > 0


def test_unknown_kinds_and_severities_are_named():
    with pytest.raises(
        ConfigError, match="unknown image corruption gausian_noise: did you mean gaussian_noise"
    ):
        corrupt_image(PHOTO, "gausian_noise", 1, key=0)
    with pytest.raises(ConfigError, match="severity of snow is 6; it must be in 1…5"):
        corrupt_image(PHOTO, "snow", 6, key=0)
    with pytest.raises(ConfigError, match="severity of snow is 0"):
        corrupt_image(PHOTO, "snow", 0, key=0)
    with pytest.raises(ValueError, match="RGB"):
        corrupt_image(PHOTO[..., 0], "snow", 1, key=0)

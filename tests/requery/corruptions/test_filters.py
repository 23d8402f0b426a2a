import numpy as np
import pytest

from requery.corruptions.filters import (
    DIRECT,
    along,
    correlate,
    fast_length,
    gaussian,
    gaussian_taps,
    line_mean,
)

IMAGE = np.random.default_rng(0).random((9, 14, 3), dtype=np.float32)


def naive(image, kernel, mode):
    rows, columns = (side // 2 for side in kernel.shape)
    padded = np.pad(image, ((rows, rows), (columns, columns), (0, 0)), mode=mode)
    out = np.zeros(image.shape)
    for i in range(image.shape[0]):
        for j in range(image.shape[1]):
            window = padded[i : i + kernel.shape[0], j : j + kernel.shape[1]]
            out[i, j] = (window * kernel[..., None]).sum((0, 1))
    return out


def test_a_kernel_is_correlated_not_convolved():
    kernel = np.random.default_rng(1).random((3, 5)).astype(np.float32)
    assert np.allclose(correlate(IMAGE, kernel), naive(IMAGE, kernel, "reflect"), atol=1e-5)


@pytest.mark.parametrize("border", ["edge", "reflect", "symmetric"])
@pytest.mark.parametrize("radius", [2, 60])
def test_few_and_many_taps_give_the_naive_sum(radius, border):
    taps = np.random.default_rng(2).random(2 * radius + 1).astype(np.float32)
    taps /= taps.sum()
    assert (len(taps) > DIRECT) == (radius == 60)
    assert np.allclose(along(IMAGE, taps, 1, border), naive(IMAGE, taps[None, :], border), atol=1e-5)
    assert np.allclose(along(IMAGE, taps, 0, border), naive(IMAGE, taps[:, None], border), atol=1e-5)


def test_a_gaussian_is_the_product_of_two():
    taps = gaussian_taps(1.3, int(4 * 1.3 + 0.5))
    assert taps.sum() == pytest.approx(1)
    assert np.allclose(gaussian(IMAGE, 1.3), naive(IMAGE, np.outer(taps, taps), "edge"), atol=1e-5)
    assert gaussian(IMAGE, 0.01) is IMAGE


def test_a_line_smears_to_one_side():
    point = np.zeros((9, 9, 1), dtype=np.float32)
    point[4, 4] = 1
    made = line_mean(point, radius=1, sigma=1, angle=0)[..., 0]
    weights = np.exp(-0.5 * np.arange(3) ** 2)
    assert np.allclose(made[4, [4, 3, 2]], weights / weights.sum()) and made.sum() == pytest.approx(1)
    down = line_mean(point, radius=1, sigma=1, angle=90)[..., 0]
    assert np.allclose(down[[4, 3, 2], 4], weights / weights.sum())


def test_lengths_have_small_factors():
    assert [fast_length(n) for n in (1, 7, 11, 97, 125, 1021)] == [1, 8, 12, 100, 125, 1024]

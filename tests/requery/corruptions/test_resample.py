import numpy as np
import pytest

from requery.corruptions.resample import (
    area_weights,
    bilinear,
    block_weights,
    resized,
    resized_by_area,
    zoomed,
)

IMAGE = np.random.default_rng(0).random((6, 8, 3), dtype=np.float32)


def grid(shift=0.0):
    rows, columns = np.meshgrid(np.arange(6), np.arange(8), indexing="ij")
    return (rows + shift).astype(np.float32), (columns + shift).astype(np.float32)


@pytest.mark.parametrize("border", ["mirror", "reflect", "edge"])
def test_whole_positions_are_read_as_they_are(border):
    assert np.array_equal(bilinear(IMAGE, *grid(), border), IMAGE)


@pytest.mark.parametrize(
    ("border", "mode"), [("mirror", "reflect"), ("reflect", "symmetric"), ("edge", "edge")]
)
def test_outside_the_image_it_goes_on_as_numpy_pads(border, mode):
    padded = np.pad(IMAGE, ((4, 4), (4, 4), (0, 0)), mode=mode)
    for shift in (-4.0, 4.0):
        start = 4 + int(shift)
        assert np.allclose(
            bilinear(IMAGE, *grid(shift), border), padded[start : start + 6, start : start + 8]
        )


def test_between_pixels_it_is_their_mean():
    y, x = np.full((1, 1), 2.5, np.float32), np.full((1, 1), 3.5, np.float32)
    assert np.allclose(bilinear(IMAGE, y, x, "edge"), IMAGE[2:4, 3:5].mean((0, 1)))


@pytest.mark.parametrize("border", ["mirror", "reflect", "edge"])
def test_one_pixel_is_everywhere(border):
    assert np.allclose(bilinear(IMAGE[:1, :1], *grid(3.7), border), IMAGE[0, 0])


@pytest.mark.parametrize(("n", "size"), [(8, 8), (8, 4), (7, 3), (1, 1), (100, 7)])
def test_areas_share_every_pixel(n, size):
    weights = area_weights(n, size)
    assert np.allclose(weights.sum(1), 1) and np.allclose(weights.sum(0), size / n, atol=1e-5)


def test_half_the_size_is_the_mean_of_four():
    blocks = IMAGE.reshape(3, 2, 4, 2, 3).mean((1, 3))
    assert np.allclose(resized_by_area(IMAGE, 3, 4), blocks, atol=1e-6)
    assert np.allclose(resized(IMAGE, 3, 4), blocks, atol=1e-6)


def test_a_multiple_of_the_size_repeats_pixels():
    assert np.array_equal(block_weights(4, 12), np.kron(np.eye(4), np.ones((3, 1))))
    assert np.allclose(resized_by_area(IMAGE, 18, 16), np.kron(IMAGE, np.ones((3, 2, 1))))
    assert np.allclose(block_weights(5, 7).sum(1), 1)


def test_enlarged_linearly_the_corners_stay():
    made = resized(IMAGE, 11, 15)
    assert np.allclose(made[::2, ::2], IMAGE, atol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (6, 8), (31, 20)])
def test_a_zoom_keeps_the_size_and_the_middle(size):
    image = np.random.default_rng(1).random((*size, 3), dtype=np.float32)
    for factor in (1.0, 1.01, 1.32, 4.5):
        assert zoomed(image, factor).shape == image.shape
    assert np.allclose(zoomed(image, 1.0), image)
    flat = np.full((9, 9, 1), 0.3, np.float32)
    assert np.allclose(zoomed(flat, 3.0), flat)

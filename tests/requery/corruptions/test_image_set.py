import numpy as np
import pytest

from requery.corruptions import corrupt_image
from requery.corruptions.image_set import ShiftedImages, Version
from requery.shapes.scene import ShapesConfig
from requery.shapes.world import ShapesImages

IMAGES = ShapesImages(ShapesConfig(), "test", 4)
VERSIONS = [Version(2, "snow", 5), Version(2, "snow", 4), Version(0, "jpeg", 1)]


@pytest.fixture
def shifted():
    return ShiftedImages(IMAGES, VERSIONS, seed=3, reference_side=224)


def test_originals_come_first_unchanged(shifted):
    assert len(shifted) == 7 and len(set(shifted.ids)) == 7
    for position in range(4):
        assert shifted.ids[position] == IMAGES.ids[position]
        assert shifted.digest(position) == IMAGES.digest(position)
        assert shifted.load(position).tobytes() == IMAGES.load(position).tobytes()


def test_versions_are_corrupted_when_loaded(shifted):
    original = np.asarray(IMAGES.load(2))
    made = corrupt_image(original, "snow", 5, key=IMAGES.ids[2], seed=3, reference_side=224)
    assert np.array_equal(np.asarray(shifted.load(4)), made)
    assert shifted.ids[4] == f"{IMAGES.ids[2]}~snow@5"


def test_digests_tell_all_versions_apart(shifted):
    others = [
        ShiftedImages(IMAGES, VERSIONS, seed=4, reference_side=224),
        ShiftedImages(IMAGES, VERSIONS, seed=3),
        ShiftedImages(IMAGES, [Version(1, "snow", 5)], seed=3, reference_side=224),
    ]
    digests = [images.digest(position) for images in (shifted, *others) for position in range(4, len(images))]
    assert len(set(digests)) == 3 + 3 + 3 + 1
    assert shifted.digest(4) == ShiftedImages(IMAGES, VERSIONS, 3, 224).digest(4)

import numpy as np
import pytest
import torch

from requery.clips import AudioFiles, VideoFiles
from requery.corruptions import corrupt_audio, corrupt_image
from requery.corruptions.image_set import ShiftedImages, Version
from requery.errors import DataError
from requery.shapes.scene import ShapesConfig
from requery.shapes.world import ShapesImages
from requery.stored import StoredFeatures
from tests.datamodules.clips import write_clips, write_features

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


def test_sounds_are_corrupted_when_loaded(tmp_path):
    write_clips(tmp_path, ["a"])
    sounds = AudioFiles([tmp_path / "a.wav"], ["a"])
    shifted = ShiftedImages(sounds, [Version(0, "audio_noise", 5)], seed=3)
    made = corrupt_audio(sounds.load(0), "audio_noise", 5, key="a", seed=3)
    assert shifted.medium == "audio" and shifted.load(1).samples.tobytes() == made.samples.tobytes()
    assert shifted.digest(1) != shifted.digest(0) == sounds.digest(0)


def test_videos_are_corrupted_frame_by_frame(tmp_path):
    write_clips(tmp_path, ["a"])
    videos = VideoFiles([tmp_path / "a"], ["a"], 2)
    shifted = ShiftedImages(videos, [Version(0, "gaussian_noise", 5)], seed=3)
    made, clean = shifted.load(1), videos.load(0)
    assert shifted.medium == "video" and made.shape == clean.shape and made.dtype == np.uint8
    for number in range(2):  # each frame has draws of its own
        alone = corrupt_image(clean[number], "gaussian_noise", 5, key=f"a#{number}", seed=3)
        assert np.array_equal(made[number], alone)


def test_versions_of_stored_features_are_looked_up(tmp_path):
    write_features(tmp_path, ["a", "b"], torch.eye(2))
    features = StoredFeatures(tmp_path, "audio")
    with pytest.raises(DataError, match=r"clipping@2: no such folder"):
        ShiftedImages(features, [Version(1, "clipping", 2)])
    write_features(tmp_path / "clipping@2", ["b"], torch.full((1, 2), 7.0))
    shifted = ShiftedImages(features, [Version(1, "clipping", 2)])
    assert shifted.load(2).tolist() == [[7, 7]] and shifted.load(1).tolist() == [[0, 1]]
    assert len({shifted.digest(position) for position in range(3)}) == 3

from pathlib import Path

import pytest
from PIL import Image

from requery.errors import ConfigError, DataError
from requery.images import FileImages


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / f"{name}.png" for name in "ab"]
    for path, colour in zip(paths, ("red", "blue"), strict=True):
        Image.new("RGBA", (3, 2), colour).save(path)
    return paths


def test_loads_by_position(files):
    images = FileImages(files, ["a", "b"])
    assert len(images) == 2
    assert [images.load(i).getpixel((0, 0)) for i in range(2)] == [(255, 0, 0), (0, 0, 255)]


def test_digest_follows_content_and_background_not_the_name(files, tmp_path):
    copy = tmp_path / "elsewhere.png"
    copy.write_bytes(files[0].read_bytes())
    images = FileImages([*files, copy], ["a", "b", "c"])
    assert images.digest(0) == images.digest(2) != images.digest(1)
    assert FileImages(files, ["a", "b"], background="white").digest(0) != images.digest(0)
    assert len(images.digest(0)) == 64


def test_unusable_files_are_named():
    images = FileImages([Path("absent.png")], ["a"])
    for use in (images.load, images.digest):
        with pytest.raises(DataError, match=r"absent\.png"):
            use(0)
    with pytest.raises(ConfigError, match="1 image files for 2 names"):
        FileImages([Path("absent.png")], ["a", "b"])

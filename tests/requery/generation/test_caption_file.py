"""The caption files of the paper's code, there and back."""

import json

import pytest

from requery.errors import DataError
from requery.generation import read_captions, write_captions

NAMES = ["val/1.png", "val/2.png", "val/ü 3.png"]
CAPTIONS = ["a red circle", "„zwei“ Sterne", "🙂"]


@pytest.mark.parametrize("layout", ["basenames", "lists"])
def test_what_is_written_is_read(tmp_path, layout):
    write_captions(tmp_path / "captions.json", NAMES, CAPTIONS, layout)
    assert read_captions(tmp_path / "captions.json", NAMES) == CAPTIONS
    assert read_captions(tmp_path / "captions.json", NAMES[::-1]) == CAPTIONS[::-1]
    elsewhere = [f"/other/{name}" for name in NAMES[:2]]
    assert read_captions(tmp_path / "captions.json", elsewhere) == CAPTIONS[:2]


def test_the_layouts_are_the_papers(tmp_path):
    write_captions(tmp_path / "a.json", NAMES, CAPTIONS)
    assert json.loads((tmp_path / "a.json").read_text()) == dict(
        zip(["1.png", "2.png", "ü 3.png"], CAPTIONS, strict=True)
    )
    write_captions(tmp_path / "b.json", NAMES, CAPTIONS, "lists")
    assert json.loads((tmp_path / "b.json").read_text()) == {"captions": CAPTIONS, "img_paths": NAMES}


def test_captions_of_the_paper_are_found_by_file_name(tmp_path):
    path = tmp_path / "captions.json"
    path.write_text(
        json.dumps({"img_paths": ["C:\\flickr\\1.png", "/data/2.png"], "captions": [" one ", "two"]})
    )
    assert read_captions(path, ["images/2.png", "images/1.png"]) == ["two", "one"]


def test_images_that_share_a_file_name_are_reported(tmp_path):
    path, names = tmp_path / "captions.json", ["train/1.png", "val/1.png", "val/2.png"]
    with pytest.raises(DataError, match=r"2 images share file names.*train/1\.png, val/1\.png"):
        write_captions(path, names, CAPTIONS)
    write_captions(path, names, CAPTIONS, "lists")
    assert read_captions(path, names) == CAPTIONS
    with pytest.raises(DataError, match="share file names"):
        read_captions(path, ["1.png"])
    path.write_text(json.dumps({"1.png": "one", "2.png": "two"}))
    with pytest.raises(DataError, match="share file names"):
        read_captions(path, names)


def test_images_without_a_caption_are_listed(tmp_path):
    path = tmp_path / "captions.json"
    path.write_text(json.dumps({"1.png": "one", "2.png": "  "}))
    with pytest.raises(DataError, match=r"2 of 3 images have no caption there: 2\.png, 3\.png"):
        read_captions(path, ["1.png", "2.png", "3.png"])


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[1, 2]",
        '{"1.png": 5}',
        '{"captions": ["a"], "img_paths": []}',
        '{"captions": 1, "img_paths": 2}',
    ],
)
def test_a_damaged_file_is_named(tmp_path, content):
    path = tmp_path / "captions.json"
    path.write_text(content)
    with pytest.raises(DataError, match=r"captions\.json"):
        read_captions(path, ["1.png"])

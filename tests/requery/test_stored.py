"""Features that were made elsewhere."""

import json

import pytest
import torch

from requery.errors import DataError
from requery.stored import StoredFeatures
from tests.datamodules.clips import write_features

ROWS = torch.arange(24.0).reshape(3, 2, 4)


@pytest.fixture
def folder(tmp_path):
    write_features(tmp_path / "audio", ["a", "b", "c"], ROWS)
    return tmp_path / "audio"


def test_rows_by_name(folder):
    some = StoredFeatures(folder, "audio", ["c", "a"])
    assert (len(some), some.width, some.medium) == (2, 4, "audio")
    assert some.load(0).tolist() == ROWS[2].tolist()
    every = StoredFeatures(folder, "audio")
    assert every.ids == ["a", "b", "c"] and every.digest(2) == some.digest(0) != some.digest(1)


def test_an_embedding_is_one_token(tmp_path):
    write_features(tmp_path, ["a", "b"], torch.eye(2).half())
    assert StoredFeatures(tmp_path, "video").load(1).tolist() == [[0, 1]]


def test_shifted_features_lie_below(folder):
    features = StoredFeatures(folder, "audio", ["a", "c"])
    with pytest.raises(DataError, match=r"clipping@5: no such folder; .* put there.*features\.safetensors"):
        features.shifted("clipping", 5, ["a"])
    write_features(folder / "clipping@5", ["c", "b"], -ROWS[:2])
    assert features.shifted("clipping", 5, ["b"]).load(0).tolist() == (-ROWS[1]).tolist()
    with pytest.raises(DataError, match=r"clipping@5/ids\.json: no row for 1 of 2 items \(a\)"):
        features.shifted("clipping", 5, ["a", "c"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: (f / "ids.json").unlink(), r"ids\.json: cannot be read"),
        (lambda f: (f / "ids.json").write_text('{"a": 0}'), r"ids\.json: holds no list of names"),
        (lambda f: (f / "ids.json").write_text('["a", "a", "b"]'), "some names occur twice"),
        (lambda f: (f / "ids.json").write_text('["a"]'), r"\(3, 2, 4\) features for 1 names"),
        (lambda f: (f / "features.safetensors").write_bytes(b"damaged"), "cannot be read"),
        (lambda f: (f / "features.safetensors").unlink(), "cannot be read"),
    ],
)
def test_malformed_folders_are_named(folder, change, message):
    change(folder)
    with pytest.raises(DataError, match=message):
        StoredFeatures(folder, "audio")


def test_missing_rows_and_nan_are_named(folder):
    with pytest.raises(DataError, match=r"ids\.json: no row for 1 of 2 items \(z\)"):
        StoredFeatures(folder, "audio", ["a", "z"])
    write_features(folder, json.loads((folder / "ids.json").read_text()), ROWS / 0)
    with pytest.raises(DataError, match="NaN or infinite features of b"):
        StoredFeatures(folder, "audio").load(1)

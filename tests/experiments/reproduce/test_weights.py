"""Published weights are looked for, not presumed."""

import json

import pytest

from experiments.reproduce import needs
from experiments.reproduce.needs import Place, prepare
from experiments.reproduce.table import Source
from experiments.reproduce.table_file import read_sources, read_table
from experiments.reproduce.weights import find

COMMIT = "0123456789" * 4
HUB = Source("a CLIP", "MIT", "hf download", hub="owner/name", revision=COMMIT)


def checkpoint(folder, model_type="clip", files=("model.safetensors",)):
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model_type": model_type}))
    for file in files:
        (folder / file).touch()
    return folder


@pytest.fixture(autouse=True)
def hub(monkeypatch, tmp_path):
    """An empty cache of the hub."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.mark.parametrize("name", ["owner--name", "owner/name"])
def test_a_local_copy_takes_the_hub_s_place(tmp_path, name):
    folder = checkpoint(tmp_path / "local" / name)
    found = find("model.backbone", "clip", HUB, tmp_path / "local")
    assert found == ({"model.backbone": str(folder), "model.revision": None}, "")


def test_the_hub_s_cache_must_have_the_commit(hub, tmp_path):
    settings = {"model.captions.generator": "owner/name", "model.captions.revision": COMMIT}
    found = find("model.captions.generator", "x", HUB, tmp_path / "local")
    assert found == (settings, f"owner/name is not in the hub's cache at {COMMIT}")
    checkpoint(hub / "models--owner--name" / "snapshots" / COMMIT)
    assert find("model.captions.generator", "x", HUB, None) == (settings, "")


def test_what_is_on_no_hub_has_a_folder_or_a_name(tmp_path):
    source = Source("converted", "BSD", "convert", folder=str(tmp_path / "made"))
    missing = find("model.backbone", "blip2", source, tmp_path / "local").missing
    assert missing == f"no local folder of blip2 ({tmp_path / 'local' / 'blip2'}, {tmp_path / 'made'})"
    checkpoint(tmp_path / "made", "blip-2")
    assert find("model.backbone", "blip2", source, tmp_path / "local").missing == ""


def test_an_incomplete_copy_is_missing(tmp_path):
    folder = checkpoint(tmp_path / "owner--name", files=())
    assert "no model.safetensors" in find("model.backbone", "x", HUB, tmp_path).missing
    index = {"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "one.safetensors").touch()
    assert f"{folder}: no two.safetensors" in find("model.backbone", "x", HUB, tmp_path).missing
    (folder / "config.json").write_text("[")
    assert "no config.json that can be read" in find("model.backbone", "x", HUB, tmp_path).missing


def test_a_type_of_model_that_is_not_read_is_missing_too(tmp_path):
    checkpoint(tmp_path / "owner--name", "blip")
    assert (
        "no backbone of Requery reads model_type 'blip'" in find("model.backbone", "x", HUB, tmp_path).missing
    )
    assert find("model.generator.checkpoint", "x", HUB, tmp_path).missing == ""
    absent = read_sources()["blip_b_coco"]
    assert (
        "and no backbone of Requery reads model_type 'blip'"
        in find("model.backbone", "x", absent, None).missing
    )


@pytest.mark.parametrize(("there", "expected"), [(0.0, "no GPU here"), (24.0, "24 GB here"), (79.6, None)])
def test_memory_is_asked_for(monkeypatch, tmp_path, there, expected):
    monkeypatch.setattr(needs, "_gpu_memory", lambda: there)
    monkeypatch.setattr(needs, "_look", lambda *_: [])
    monkeypatch.setenv("REQUERY_DATA", str(tmp_path))
    missing = prepare(read_table("queryformer_t2"), "lora", Place(tmp_path), read_sources()).missing
    whats = [one.what for one in missing if one.kind == "memory"]
    assert (expected in whats[0]) if expected else not whats

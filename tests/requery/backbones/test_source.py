"""A checkpoint folder is data: nothing in it is executed, and what is damaged or absent is named."""

import json
import os
import shutil
import socket

import pytest
import torch
from safetensors.torch import load_file, save_file

from requery.backbones import load_backbone
from requery.errors import ConfigError, DataError

COMMIT = "0123456789" * 4


class Payload:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.fixture
def folder(checkpoints, tmp_path):
    return shutil.copytree(checkpoints / "clip", tmp_path / "clip")


def edit(path, **settings):
    path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))


def lose_a_weight(folder):
    state = load_file(folder / "model.safetensors")
    del state["visual_projection.weight"]
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


def truncate(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:3000])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "model.safetensors").unlink(), r"needs .* safetensors"),
        (lambda f: (f / "model.safetensors").write_bytes(b""), "SafetensorError"),
        (truncate, "SafetensorError"),
        (lose_a_weight, r"safetensors lack visual_projection\.weight"),
        (lambda f: (f / "tokenizer.json").unlink(), "tokenizer"),
        (lambda f: (f / "tokenizer.json").write_text('{"a": 1}'), "tokenizer"),
        (lambda f: (f / "preprocessor_config.json").write_text('{"image_mean": 3}'), "settings"),
        (lambda f: (f / "config.json").write_text("[]"), r"config\.json: holds no settings"),
        (lambda f: (f / "config.json").write_text("{"), r"config\.json: cannot be read"),
    ],
)
def test_damaged_checkpoints_are_named(folder, damage, message):
    damage(folder)
    with pytest.raises(DataError, match=message) as error:
        load_backbone(str(folder))
    assert (str(folder) in str(error.value) and "again" in str(error.value)) or "lack" in str(error.value)


def test_weights_in_a_pickle_are_never_opened(folder, tmp_path):
    (folder / "model.safetensors").unlink()
    torch.save({"weight": Payload(tmp_path / "executed")}, folder / "pytorch_model.bin")
    with pytest.raises(DataError, match=r"needs .* safetensors"):
        load_backbone(str(folder))
    assert not (tmp_path / "executed").exists()


def test_code_of_the_checkpoint_is_never_run(folder, tmp_path):
    code = f"import os\nos.mkdir({str(tmp_path / 'executed')!r})\nclass Own: pass\n"
    (folder / "own.py").write_text(code)
    edit(folder / "config.json", auto_map={"AutoModel": "own.Own", "AutoConfig": "own.Own"})
    edit(
        folder / "tokenizer_config.json", auto_map={"AutoTokenizer": ["own.Own", None]}, tokenizer_class="Own"
    )
    load_backbone(str(folder))
    assert not (tmp_path / "executed").exists()


@pytest.fixture
def no_network(monkeypatch, tmp_path):
    """A machine whose every connection fails, with an empty hub cache; returns the cache."""

    def refuse(*_, **__):
        raise OSError("Network is unreachable")

    monkeypatch.setattr("time.sleep", lambda _: None)  # the hub's client tries again for 20 seconds
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def test_without_a_network_a_hub_id_says_what_to_do(no_network):
    with pytest.raises(DataError, match=rf"owner/name@{COMMIT}: .*hub cannot be reached.*give its folder"):
        load_backbone("owner/name", COMMIT)
    with pytest.raises(ConfigError, match="40 hexadecimal"):
        load_backbone("owner/name", "main")


def test_without_a_network_a_cached_commit_is_enough(no_network, folder):
    shutil.copytree(folder, no_network / "models--owner--name" / "snapshots" / COMMIT)
    assert load_backbone("owner/name", COMMIT).max_text == 24

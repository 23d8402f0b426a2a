import errno
import os

import pytest
import torch

from callbacks.checkpoint_io import AtomicCheckpointIO
from requery.errors import RunError

STATE = {"state_dict": {"weight": torch.arange(6.0)}, "list": [torch.zeros(2, dtype=torch.int64)], "epoch": 3}


def test_what_is_written_is_read(tmp_path):
    AtomicCheckpointIO().save_checkpoint(STATE, tmp_path / "new" / "last.ckpt")
    read = AtomicCheckpointIO().load_checkpoint(tmp_path / "new" / "last.ckpt")
    assert torch.equal(read["state_dict"]["weight"], STATE["state_dict"]["weight"]) and read["epoch"] == 3


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_an_interrupted_write_leaves_the_old_checkpoint(tmp_path, monkeypatch, step):
    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"epoch": 1}, path)

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(RunError, match=r"last\.ckpt: the disk is full; 40 bytes needed"):
        AtomicCheckpointIO().save_checkpoint(STATE, path)
    monkeypatch.undo()
    assert AtomicCheckpointIO().load_checkpoint(path) == {"epoch": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["last.ckpt"]


class Trap:
    def __reduce__(self):
        return print, ("executed",)


def test_nothing_in_a_checkpoint_is_executed(tmp_path, capsys):
    torch.save({"trap": Trap()}, tmp_path / "evil.ckpt")
    with pytest.raises(Exception, match=r"(?i)weights.only"):
        AtomicCheckpointIO().load_checkpoint(tmp_path / "evil.ckpt", weights_only=False)
    assert "executed" not in capsys.readouterr().out

"""SIGTERM: a checkpoint first, then the end; the resumed run goes on where it stopped."""

import json

import pytest
import torch

from callbacks.stop_on_signal import EXIT
from tests.experiments.restart import RUN, differences, execute, finish, outcome, prepare
from tests.interruptions import TERM, term


@pytest.fixture(scope="module")
def whole(checkpoints, tmp_path_factory):
    folder = prepare(tmp_path_factory.mktemp("whole") / "run", checkpoints)
    finish(folder)
    return outcome(folder)


# 30 queries in batches of 8: 4 steps an epoch, 3 epochs; definitions before the second and the third.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "step"),
    [
        ("training_step:6", 6),  # in the middle of an epoch with definitions: kept to the step
        ("training_step:8", 8),  # the last of an epoch: that epoch is finished first
        ("on_validation_epoch_start:1", 4),  # likewise
        ("encode_corpus:1", 4),  # a definition: all is in the last epoch's checkpoint
        ("configure_optimizers:1", None),  # before there is anything to keep
    ],
)
def test_sigterm_checkpoints_first(whole, checkpoints, tmp_path, where, step):
    folder = prepare(tmp_path / "run", checkpoints)
    assert execute(folder, "fit", {TERM: where}, term) in ((EXIT,) if step else (EXIT, -15))
    path = folder / RUN / "checkpoints" / "last.ckpt"
    assert path.exists() == (step is not None)
    if step is not None:
        assert json.loads((folder / RUN / "status.json").read_text())["state"] == "stopped"
        assert "--resume" in (folder / "log.txt").read_text()
        assert torch.load(path, weights_only=True)["global_step"] == step
    finish(folder)
    assert differences(outcome(folder), whole) == []

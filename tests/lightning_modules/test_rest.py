"""REST through a real Trainer with its default flags, on a tiny model."""

from __future__ import annotations

import json

import lightning as L
import pytest
import torch

from callbacks.run_record import RunRecord
from datamodules import QueryShifts, ShapesDataModule
from datamodules.shapes import Families
from lightning_modules.rest import RESTModule
from requery.adaptation import (
    EATA,
    HATVTR,
    READ,
    REST,
    SAR,
    SHOT,
    TCR,
    UCA,
    DeYO,
    NoAdaptation,
    Tent,
    TrainingFreeTCR,
)
from requery.errors import ConfigError

SIZES = Families(train=2, val=2, test=12)
METHODS = {"method": REST(lr=1e-2), "rivals": (TCR(lr=1e-2), Tent(lr=1e-2), NoAdaptation())}


@pytest.fixture
def tested(checkpoints, tmp_path):
    """Test methods on shifted Shapes; what the module ended with, and the run's folder."""

    def make(task="image_to_text", backbone="clip", data=None, **options):
        settings = {"kinds": ["gaussian_noise", "fog"], "orders": 2, "queries": 40, "reference_side": 224}
        shifts = QueryShifts(ShapesDataModule(task=task, families=SIZES), **{**settings, **(data or {})})
        module = RESTModule(
            str(checkpoints / backbone),
            batch_size=16,
            cache=str(tmp_path / "cache"),
            **{**METHODS, **options},
        )
        trainer = L.Trainer(
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            accelerator="cpu",
            use_distributed_sampler=False,
            default_root_dir=str(tmp_path),
            callbacks=[RunRecord(tmp_path / "run")],
        )
        trainer.test(module, shifts, verbose=False)
        return module, tmp_path / "run"

    return make


def test_every_method_meets_the_same_streams_from_the_same_weights(tested):
    module, folder = tested()
    streamed = module.tested
    assert streamed.methods == ("rest(lr=0.01)", "tcr(lr=0.01)", "tent(lr=0.01)", "none")
    metrics = len(streamed.task.protocol.metrics)
    assert streamed.values.shape == (4, 1, 4, 1, metrics, 40)  # two shifts in two orders
    none = streamed.values[:, 0, 3, 0]
    assert torch.equal(none[0], none[1]) and torch.equal(
        none[2], none[3]
    )  # no order matters to the source model
    assert not torch.equal(streamed.values[:, 0, 0, 0], none)  # and adaptation does something
    cost = json.loads((folder / "cost.json").read_text())["stages"]
    assert cost["encode_gallery"]["items"] == streamed.task.n_gallery  # once, whatever the number of shifts
    record = json.loads((folder / "shifts.json").read_text())["tables"][0]
    assert [row["shift"] for row in record["rows"]][:2] == ["gaussian_noise@5", "fog@5"]
    assert json.loads((folder / "metrics.json").read_text())["protocol"].endswith("under query shift")


def test_the_same_seed_gives_the_same_bits(tested):
    first, _ = tested()
    second, _ = tested()
    assert torch.equal(first.tested.values, second.tested.values)


@pytest.mark.parametrize(
    ("task", "backbone", "kinds"),
    [
        ("text_to_image", "clip", ["char_swap"]),
        ("composed", "blip2", ["snow", "ocr"]),
        ("image_to_text", "clip", ["snow+fog"]),
    ],
)
def test_texts_composed_queries_and_mixed_streams(tested, task, backbone, kinds):
    module, _ = tested(task, backbone, {"kinds": kinds, "orders": 1, "queries": 24})
    values = module.tested.values
    assert values.isfinite().all() and values.shape[0] == len(kinds)
    assert not torch.equal(values[:, 0, 0], values[:, 0, 3])


def test_what_was_forgotten_is_probed_on_clean_queries(tested):
    module, folder = tested(
        data={"kinds": ["fog", "gaussian_noise"], "plan": "sequence", "orders": 1}, probe=True
    )
    values = module.tested.values  # one episode of two segments
    assert values.shape[:4] == (1, 2, 4, 2)
    clean = values[0, :, 3, 1]
    assert torch.equal(clean[0], clean[1])  # the source model forgets nothing
    assert not torch.equal(values[0, 0, 0, 1], values[0, 1, 0, 1])
    record = json.loads((folder / "shifts.json").read_text())["tables"][0]
    assert [row["shift"] for row in record["clean_after"]][:2] == [
        "clean after fog@5",
        "clean after gaussian_noise@5",
    ]


def test_every_other_method_runs_on_images(tested):
    """DeYO changes pixels, the rest embeddings and gradients alone."""
    rivals = (EATA(), SAR(), READ(), SHOT(), DeYO(lr=1e-2), UCA(), TrainingFreeTCR(), NoAdaptation())
    module, _ = tested(data={"kinds": ["gaussian_noise"], "orders": 1, "queries": 32}, rivals=rivals)
    values = module.tested.values[0, 0, :, 0]
    assert values.isfinite().all() and len(values) == 9
    assert not torch.equal(values[5], values[8])  # DeYO did something


def test_wrong_uses_are_named(checkpoints, tmp_path, tested):
    with pytest.raises(ConfigError, match="two methods have the same settings"):
        RESTModule(str(checkpoints / "clip"), method=TCR(), rivals=(TCR(),))
    with pytest.raises(ConfigError, match="HATVTR ranks by scores"):
        RESTModule(str(checkpoints / "clip"), TCR(), rivals=(HATVTR(),))
    module = RESTModule(str(checkpoints / "clip"), TCR(), cache=str(tmp_path))
    trainer = L.Trainer(
        logger=False, enable_progress_bar=False, accelerator="cpu", use_distributed_sampler=False
    )
    with pytest.raises(ConfigError, match="QueryShifts"):
        trainer.test(module, ShapesDataModule(task="image_to_text", families=SIZES), verbose=False)

"""A generator adapted to streams of shifted pictures, through a real Trainer."""

from __future__ import annotations

import json
from pathlib import Path

import lightning as L
import pytest
import torch

from callbacks.run_record import RunRecord
from callbacks.shift_table import ShiftTable
from datamodules import QueryShifts, ShapesDataModule
from datamodules.shapes import Families
from lightning_modules.generator_shift import GeneratorShiftModule
from requery.adaptation import HATVTR, REST, TCR, NoAdaptation, Tent, TrainingFreeTCR
from requery.errors import ConfigError
from requery.shapes.reading import rightness
from requery.shapes.world import scene_at
from tests.requery.generation.conftest import mllama

__all__ = ["mllama"]  # a fixture
CAPTIONER = str(Path(__file__).resolve().parents[2] / "experiments" / "checkpoints" / "shapes_captioner")
SIZES = Families(train=2, val=2, test=12)


def shifts(task="image_to_text", **data):
    settings = {"kinds": ["clean", "jpeg@3"], "orders": 1, "queries": 24, "reference_side": 224, **data}
    return QueryShifts(ShapesDataModule(task=task, families=SIZES), **settings)


def adapted(folder, data, generator=CAPTIONER, **options):
    settings = {"method": TCR(lr=1e-2), "rivals": (NoAdaptation(),), "batch_size": 12, **options}
    module = GeneratorShiftModule(generator, **settings)
    trainer = L.Trainer(
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        accelerator="cpu",
        use_distributed_sampler=False,
        default_root_dir=str(folder),
        callbacks=[RunRecord(folder / "run"), ShiftTable()],
    )
    trainer.test(module, data, verbose=False)
    return module


def test_captions_are_judged_under_each_shift(tmp_path, capsys):
    data = shifts()
    module = adapted(tmp_path, data, rivals=(REST(lr=1e-2), Tent(lr=1e-2, temperature=0.06), NoAdaptation()))
    streamed = module.tested
    assert streamed.values.shape == (2, 1, 4, 1, 3, 24)  # two shifts, four methods, three marks
    right, exact, named = streamed.values[0, 0, 3, 0].mean(1)
    assert right > 0.8 and exact > 0.6 and named >= right  # what the source model says of clean pictures
    changed = [not torch.equal(streamed.values[:, 0, m], streamed.values[:, 0, 3]) for m in range(3)]
    assert any(changed)
    updates = {row["method"]: row["updates"] for row in json.loads(_read(tmp_path, "shifts.json"))["facts"]}
    assert updates == {"tcr(lr=0.01)": 6, "rest(lr=0.01)": 6, "tent(lr=0.01, temperature=0.06)": 6, "none": 0}
    tables = json.loads(_read(tmp_path, "shifts.json"))["tables"]
    assert [table["metric"] for table in tables] == ["right", "exact", "named"]
    assert [row["shift"] for row in tables[0]["rows"]] == ["clean", "jpeg@3", "mean of 2"]
    assert json.loads(_read(tmp_path, "metrics.json"))["protocol"].startswith("shapes/captions@1")
    assert "jpeg@3" in capsys.readouterr().out


def test_without_adaptation_the_captions_are_the_generators_own(tmp_path):
    data = shifts(kinds=["clean"])
    module = adapted(tmp_path, data, method=NoAdaptation(), rivals=())
    task = data.task("test")
    texts = module.words.write([module.prompt(task, i) for i in range(24)])
    found = rightness(texts, [scene_at(data.source.world, "test", i) for i in task.query_image.tolist()])
    exact = module.tested.values[0, 0, 0, 0, 1]
    assert int(exact.sum()) == found.true


def test_the_same_seed_gives_the_same_bits(tmp_path):
    one, two = (adapted(tmp_path, shifts(kinds=["fog@2"])).tested for _ in range(2))
    assert torch.equal(one.values, two.values)
    assert torch.equal(one.facts.nan_to_num(), two.facts.nan_to_num())  # no queue without adaptation


def test_questions_are_asked_of_a_model_that_is_talked_to(tmp_path, mllama):
    data = shifts("knowledge", kinds=["fog"], queries=8)
    module = adapted(tmp_path, data, mllama, longest=6, batch_size=4)
    task = data.task("test")
    assert module.prompt(task, 3).turns == (f"{task.query_text[3]}\nrewritten:",)
    streamed = module.tested
    assert streamed.task.protocol.key == "shapes/rewritten@1"
    assert streamed.task.protocol.metrics == ("thing", "found")
    assert streamed.values.shape == (1, 1, 2, 1, 2, 8) and streamed.values.max() <= 1


@pytest.mark.parametrize("method", [TrainingFreeTCR(), HATVTR(), TCR(pace=1.0)])
def test_methods_that_do_not_move_weights_are_refused(method):
    with pytest.raises(ConfigError, match="moved by the weights alone"):
        GeneratorShiftModule(CAPTIONER, method)


def test_wrong_uses_are_named(tmp_path):
    with pytest.raises(ConfigError, match="long@1"):
        GeneratorShiftModule(CAPTIONER, TCR(), prompts="long@1")
    with pytest.raises(ConfigError, match="QueryShifts"):
        adapted(tmp_path, ShapesDataModule(task="image_to_text", families=SIZES))


def _read(folder, name):
    return (folder / "run" / name).read_text()

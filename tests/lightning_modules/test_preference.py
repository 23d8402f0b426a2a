"""Preferences through a real Trainer on a tiny model."""

import json

import lightning as L
import pyarrow.parquet as pq
import pytest

from callbacks.run_record import RunRecord
from callbacks.score_line import ScoreLine
from datamodules.hp_fashioniq import HPFashionIQDataModule
from lightning_modules.preference import PreferenceModule
from lightning_modules.qure import QuReModule
from requery.errors import ConfigError, DataError
from requery.pipeline import QueryBatch
from tests.datamodules.composed import write_judged


@pytest.fixture
def setup(checkpoints, tmp_path):
    """Make (trainer, data, module) of a class."""

    def make(module=PreferenceModule, **options):
        trainer = L.Trainer(
            logger=False,
            enable_progress_bar=False,
            enable_checkpointing=False,
            accelerator="cpu",
            callbacks=[RunRecord(tmp_path / "run"), ScoreLine(tmp_path / "run")],
            **options,
        )
        data = HPFashionIQDataModule(str(write_judged(tmp_path / "data")))
        return trainer, data, module(str(checkpoints / "blip2"), cache=str(tmp_path / "cache"))

    return make


def test_a_test_leaves_scores_of_both_lists(setup, tmp_path, capsys):
    trainer, data, module = setup()
    (logged,) = trainer.test(module, data, verbose=False)
    rows = pq.read_table(tmp_path / "run" / "preferences.parquet").to_pylist()
    assert [row["preferred"] for row in rows] == [1, 2, 1]
    assert rows[0]["score_1"] == rows[2]["score_1"]  # two persons, one question
    task, lists = data.task("test"), data.preferences("test").lists
    embedded = module.index.embeddings
    with module.evaluating(task):
        query = module.encode_queries(QueryBatch.of(task, task.all_queries()))[1]
    expected = [(embedded[items] @ query).amax(1).mean().item() for items in lists[1]]
    assert [rows[1]["score_1"], rows[1]["score_2"]] == pytest.approx(expected, abs=1e-6)
    record = json.loads((tmp_path / "run" / "metrics.json").read_text())
    higher = [row["score_1"] > row["score_2"] for row in rows]
    right = [up == (row["preferred"] == 1) for up, row in zip(higher, rows, strict=True)]
    assert record["metrics"]["preference_accuracy"]["value"] == pytest.approx(sum(right) / 3)
    assert logged["test/preference_accuracy"] == pytest.approx(sum(right) / 3)
    assert record["metrics"]["preference_rate"]["n"] == sum(higher)
    assert "hp_fashioniq/preference@1 (test, 3 queries, gallery of 4): pref" in capsys.readouterr().out


def test_only_whole_tests(setup):
    trainer, data, module = setup(limit_test_batches=0)
    with pytest.raises(ConfigError, match="tested only"):
        trainer.validate(module, data, verbose=False)
    trainer, data, module = setup(QuReModule)
    with pytest.raises(DataError, match=r"hp_fashioniq/preference@1: .*not what counts"):
        trainer.test(module, data, verbose=False)

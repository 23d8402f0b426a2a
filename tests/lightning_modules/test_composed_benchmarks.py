"""QuRe on FashionIQ and CIRCO through a real Trainer: training within a category, a file for the server."""

import json

import lightning as L
import pytest

from callbacks.hard_negatives import HardNegativeRefresh
from callbacks.run_record import RunRecord
from datamodules.circo import CIRCODataModule
from datamodules.fashion_iq import FashionIQDataModule
from lightning_modules.qure import Negatives, QuReModule
from requery.negatives import NegativeSets
from tests.datamodules.composed import COCO_IDS, dump, fashion_captions, write_circo, write_fashion_iq


@pytest.fixture
def setup(checkpoints, tmp_path):
    """Make (trainer, module) of some callbacks."""

    def make(*callbacks):
        trainer = L.Trainer(
            max_epochs=2,
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
            num_sanity_val_steps=0,
            accelerator="cpu",
            use_distributed_sampler=False,
            default_root_dir=str(tmp_path / "run"),
            callbacks=list(callbacks),
        )
        negatives = Negatives("after_target_top_k", k=1)
        return trainer, QuReModule(str(checkpoints / "blip2"), None, negatives, cache=str(tmp_path / "cache"))

    return make


def test_hard_negatives_are_of_the_query_s_category(setup, tmp_path):
    root = write_fashion_iq(tmp_path / "fashion_iq")
    pairs = {"dress": ["AB", "BC", "CA", "AD"], "shirt": ["SP", "PQ", "QS"], "toptee": ["US", "VU", "UV"]}
    for category, own in pairs.items():
        dump(root / "captions" / f"cap.{category}.train.json", fashion_captions(own))
    data = FashionIQDataModule(str(root), batch_size=5)
    trainer, module = setup(HardNegativeRefresh(n_def=2))
    trainer.fit(module, data)
    task = data.task("train")
    sets = NegativeSets.load(tmp_path / "run" / "negatives" / "epoch_001.safetensors")
    assert len(sets) == 10 and sets.sets.values.numel() >= 10
    assert (task.gallery_group[sets.sets.values] == task.query_group[sets.sets.row_of]).all()
    (metrics,) = trainer.test(module, data, verbose=False)
    assert metrics == {"test/recall@10": 1.0, "test/recall@50": 1.0}  # no category has more than four


def test_a_prediction_writes_the_file_for_the_server(setup, tmp_path):
    data = CIRCODataModule(str(write_circo(tmp_path / "circo")), queries="prompt")
    trainer, module = setup(RunRecord(tmp_path / "run"))
    trainer.predict(module, data, return_predictions=False)
    submission = json.loads((tmp_path / "run" / "submission.json").read_text())
    assert {query: sorted(ids) for query, ids in submission.items()} == {
        "0": list(COCO_IDS),
        "1": list(COCO_IDS),
    }

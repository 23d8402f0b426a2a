"""A ladder's cell of query expansion, alone and with others."""

import pytest
import torch
from lightning.pytorch import Trainer

from datamodules import QueryShift, ShapesDataModule
from datamodules.shapes import Families
from experiments.ladder.bench import Bench, shifted
from experiments.ladder.settings import Adapting, Expanding, Feeding, LadderTask
from lightning_modules import QueryExpansionModule
from requery.adaptation import REST
from requery.episodes import Segment
from requery.expansion import ExpansionSettings
from requery.expansion.row import ExpansionRow
from requery.expansion.settings import Drawing
from requery.generation.caption_source import CaptionSource
from requery.generation.source import GeneratorSource
from tests.experiments.ladder.conftest import CHECKPOINTS, SIZES

pytestmark = pytest.mark.slow

PARTS = {
    "generator": GeneratorSource(f"{CHECKPOINTS}/shapes_mllama", batch_size=16),
    "captions": CaptionSource(f"{CHECKPOINTS}/shapes_captioner", batch_size=16),
    "settings": ExpansionSettings(prompts="short@1", drawing=Drawing(0.2, 0.7, 0.9, 24, 24, 24, 24)),
}


def test_it_is_the_dense_row_of_queryexpansionmodule(tmp_path):
    source = ShapesDataModule(task="knowledge", families=Families(**SIZES))
    settings = LadderTask(
        source,
        f"{CHECKPOINTS}/shapes_clip",
        "recall@10",
        {"brightness": [3]},
        expansion=Expanding(**PARTS),
        adaptation=Adapting(REST(lr=3e-3), batch_size=12),
        feedback=Feeding(),
        reference_side=224,
    )
    bench = Bench(settings, settings.backbone, tmp_path / "ladder", seed=0)
    data = shifted(settings, Segment("brightness", 3))
    alone = bench.run(frozenset({"expansion"}), data)
    module = QueryExpansionModule(
        rows=[ExpansionRow(label="expanded", search="dense")],
        encoder=settings.backbone,
        cache=str(tmp_path / "own"),
        **PARTS,
    )
    trainer = Trainer(logger=False, enable_checkpointing=False, enable_progress_bar=False, accelerator="cpu")
    trainer.test(module, QueryShift(source, "brightness", 3, reference_side=224), verbose=False)
    measured = module.tested
    for metric in ("recall@1", "recall@5", "recall@10"):
        assert torch.equal(alone.values[metric], measured.values[f"gold/{metric}"]["expanded"].float())
    assert alone.ms["expand"] > 0 and set(alone.ms) == {"expand", "encode", "search"}

    plain = bench.run(frozenset(), data)
    together = bench.run(frozenset({"expansion", "adaptation", "feedback"}), data)
    assert set(together.ms) == {"expand", "adapt", "feedback", "search"}
    assert together.ms["expand"] == pytest.approx(alone.ms["expand"])  # of the store, and at the same price
    assert not torch.equal(alone.values["recall@10"], plain.values["recall@10"])
    again = bench.run(frozenset(), data)  # adaptation left the encoder as it was
    assert all(torch.equal(again.values[metric], plain.values[metric]) for metric in plain.values)

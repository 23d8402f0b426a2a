"""Shapes through its DataModule: sizes, loaders, orders, pairs."""

from __future__ import annotations

import pytest
import torch

from datamodules.pairs import PairsDataModule
from datamodules.sampling import EpochShuffle
from datamodules.shapes import WORDINGS, Families, ShapesDataModule
from requery.errors import ConfigError
from requery.ranking.tiles import QUERY_BLOCK
from requery.shapes.knowledge import question
from requery.shapes.scene import COLOURS, SHAPES, ShapesConfig
from requery.shapes.world import scene_at

SMALL = Families(train=12, val=5, test=100)


def test_sizes_follow_the_settings():
    data = ShapesDataModule(world=ShapesConfig(variants=4, queries=2), families=SMALL)
    assert (data.task("train").n_queries, data.task("train").n_gallery) == (24, 48)
    assert (data.task("test").n_queries, data.task("test").n_gallery) == (200, 400)
    assert data.task("test") is data.task("test")


def test_training_orders_depend_on_seed_and_epoch_alone():
    def order(seed, epoch):
        loader = ShapesDataModule(families=SMALL, batch_size=8, seed=seed).train_dataloader()
        loader.sampler.set_epoch(epoch)
        return torch.cat(list(loader)).tolist()

    assert order(0, 3) == order(0, 3)
    assert sorted(order(0, 3)) == list(range(36))
    assert len({tuple(order(*key)) for key in ((0, 0), (0, 1), (1, 0))}) == 3


def test_test_batches_are_the_blocks_that_are_ranked():
    data = ShapesDataModule(families=Families(test=QUERY_BLOCK // 2))
    n, batches = data.task("test").n_queries, list(data.test_dataloader())
    assert [len(batch) for batch in batches] == [QUERY_BLOCK, n - QUERY_BLOCK]
    assert torch.equal(torch.cat(batches), torch.arange(n))


def test_pairs_word_each_image_several_times_and_truly():
    source = ShapesDataModule("text_to_image", families=SMALL)
    pairs = source.pairs("train")
    assert [position for position, _ in pairs] == list(range(72))
    assert all(len(texts) == WORDINGS for _, texts in pairs)
    assert sum(len(set(texts)) > 1 for _, texts in pairs) > 60
    loader = PairsDataModule(source, batch_size=16).train_dataloader()
    assert [len(batch) for batch in loader] == [16] * 4  # the last 8 are left out


def test_a_benchmark_without_captions_says_so(tmp_path):
    from datamodules.cirr import CIRRDataModule

    with pytest.raises(ConfigError, match="no captions"):
        CIRRDataModule(root=str(tmp_path)).pairs("train")


def test_digests_are_those_of_the_splits_used():
    data = ShapesDataModule(families=SMALL)
    assert data.data_digests == {}
    data.task("val")
    assert data.data_digests == {"val": data.task("val").digest()}


def test_a_batch_size_below_one_is_named():
    with pytest.raises(ConfigError, match="batch_size"):
        ShapesDataModule(batch_size=0)


def test_a_shuffle_is_a_permutation():
    assert sorted(EpochShuffle(100, 7)) == list(range(100))


def test_texts_are_judged_by_what_is_in_the_picture():
    data = ShapesDataModule(task="text_to_image", families=SMALL)
    texts = [texts[0] for _, texts in data.pairs("val")[:5]]
    marks = data.judge("val", range(5), texts)
    assert data.marks == ("right", "exact", "named") and torch.equal(marks, torch.ones(3, 5))
    assert data.judge("val", [0], [texts[4]])[1, 0] == 0
    asked = ShapesDataModule(task="knowledge", families=SMALL)
    scenes = [scene_at(asked.world, "val", i) for i in range(30)]
    things = [question(asked.world, "val", i, seen).thing for i, seen in enumerate(scenes)]
    texts = [f"{COLOURS[thing.colour]} {SHAPES[thing.shape]}" for thing in things]
    thing, found = asked.judge("val", range(30), texts).mean(1)
    assert thing == 1 and found > 0.3  # the words of a passage are not those of the question
    assert asked.judge("val", range(30), [""] * 30).mean(1).tolist() == [0.0, pytest.approx(0.0, abs=0.2)]

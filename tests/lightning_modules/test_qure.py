"""QuRe through a real Trainer on a tiny model."""

from __future__ import annotations

import lightning as L
import pytest
import torch

from callbacks.hard_negatives import HardNegativeRefresh
from datamodules.shapes import Families, ShapesDataModule
from lightning_modules.fusion import FusionModule
from lightning_modules.qure import Negatives, QuReModule
from requery.errors import ConfigError, EmbeddingError
from requery.negatives import NegativeSets, UniformNegatives
from requery.ranking.tiles import QUERY_BLOCK

SIZES = Families(train=30, val=10, test=50)


@pytest.fixture
def setup(checkpoints, tmp_path):
    """Make (module, data, trainer) for a strategy."""

    def make(strategy="two_drop_window", epochs=3, n_def=3, folder="run", **options):
        L.seed_everything(0, verbose=False)
        module = QuReModule(
            str(checkpoints / "blip2"),
            negatives=Negatives(strategy, **options),
            lr=1e-3,
            cache=str(tmp_path / "cache"),
        )
        trainer = L.Trainer(
            max_epochs=epochs,
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
            num_sanity_val_steps=0,
            accelerator="cpu",
            use_distributed_sampler=False,
            default_root_dir=str(tmp_path / folder),
            callbacks=[HardNegativeRefresh(n_def=n_def)],
        )
        return module, ShapesDataModule(families=SIZES, batch_size=32), trainer

    return make


def test_the_loss_falls_and_the_test_gives_every_metric(setup):
    module, data, trainer = setup("in_batch", epochs=8, n_def=1)
    losses = []
    log = module.log

    def keep(name, value, **kwargs):
        if name == "train/loss":
            losses.append(float(value))
        log(name, value, **kwargs)

    module.log = keep
    trainer.fit(module, data)
    assert sum(losses[-3:]) < sum(losses[:3])
    metrics = trainer.test(module, data, verbose=False)[0]
    assert set(metrics) == {f"test/{name}" for name in data.task("test").protocol.metrics}
    assert module.tested.ranking.target_rank.min() >= 1


@pytest.mark.parametrize("strategy", ["two_drop", "two_drop_window", "top_k", "after_target_top_k"])
def test_sets_are_defined_on_schedule_and_kept_in_files(setup, strategy, tmp_path):
    module, data, trainer = setup(strategy, window=10, k=10)
    trainer.fit(module, data)
    assert sorted(p.name for p in (tmp_path / "run" / "negatives").iterdir()) == [
        "epoch_001.safetensors",
        "epoch_002.safetensors",
    ]
    sets = NegativeSets.load(tmp_path / "run" / "negatives" / "epoch_002.safetensors")
    task = data.task("train")
    assert len(sets) == task.n_queries and torch.equal(sets.sets.values, module.sets.sets.values)
    assert not any(int(task.qrels.target[i]) in row.tolist() for i, row in enumerate(sets.sets))
    logged = trainer.callback_metrics
    assert {"negatives/size_median", "negatives/first_offset_median", "negatives/fallbacks"} <= set(logged)
    assert 0 <= float(logged["negatives/false_negative_rate"]) <= 1


def test_all_draws_from_the_whole_corpus_and_defines_nothing(setup, tmp_path):
    module, data, trainer = setup("all")
    trainer.fit(module, data)
    assert isinstance(module.sets, UniformNegatives)
    assert not (tmp_path / "run" / "negatives").exists()


def test_several_negatives_per_query_and_no_reference_among_them(setup):
    module, data, trainer = setup("all", per_query=5, exclude_reference=True)
    seen = []
    sample = UniformNegatives.sample

    def keep(self, query, k, **key):
        drawn = sample(self, query, k, **key)
        seen.append((query, drawn))
        return drawn

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(UniformNegatives, "sample", keep)
        trainer.fit(module, data)
    task = data.task("train")
    for query, drawn in seen:
        assert drawn.shape == (len(query), 5)
        assert not (drawn == task.query_image[query][:, None]).any()
        assert not (drawn == task.qrels.target[query][:, None]).any()


def test_the_same_seed_gives_the_same_weights_and_another_does_not(setup):
    states = []
    for number, seed in enumerate((0, 0, 1)):
        module, data, trainer = setup(folder=f"run{number}")
        module.seed = data.seed = seed
        trainer.fit(module, data)
        states.append(torch.cat([p.flatten() for p in module.parameters()]))
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


def test_the_false_negatives_counted_are_those_sampled(setup):
    module, data, trainer = setup("in_batch", epochs=1, n_def=1)
    trainer.fit(module, data)
    task, false, drawn = data.task("train"), 0, 0
    for index in data.train_dataloader():  # the sampler still stands at epoch 0
        target = task.qrels.target[index].tolist()
        for i, query in enumerate(index.tolist()):
            rivals = [t for t in target if t != target[i]]
            drawn += len(rivals)
            false += sum(t in task.qrels.relevant[query].tolist() for t in rivals)
    assert float(trainer.callback_metrics["negatives/false_negative_rate"]) == pytest.approx(false / drawn)


def test_sets_need_their_callback(setup):
    module, data, trainer = setup()
    trainer.callbacks = []
    with pytest.raises(ConfigError, match=r"callbacks\.HardNegativeRefresh"):
        trainer.fit(module, data)


def test_the_temperature_is_clamped_and_logged(setup):
    module, data, trainer = setup("in_batch", epochs=1, n_def=1)
    module.min_temperature = 0.5
    trainer.fit(module, data)
    assert float(trainer.callback_metrics["train/temperature"]) == pytest.approx(0.5)
    assert float(module.backbone.temperature) < 0.5


def test_a_broken_embedding_is_named(setup):
    module, data, trainer = setup("in_batch", epochs=1, n_def=1)
    torch.nn.init.constant_(module.backbone.vision_proj.weight, float("nan"))
    with pytest.raises(EmbeddingError, match="test-000000"):
        trainer.test(module, data)


@pytest.mark.parametrize(
    "wrong", [{"strategy": "two_drops"}, {"per_query": 0}, {"strategy": "top_k", "k": -1}]
)
def test_wrong_negatives_are_named(wrong):
    with pytest.raises(ConfigError):
        Negatives(**wrong).rule


@pytest.mark.parametrize(
    "wrong", [{}, {"n_def": 2, "every_n_epochs": 2}, {"n_def": 0}, {"every_n_epochs": -1}]
)
def test_a_schedule_is_one_positive_number(wrong):
    with pytest.raises(ConfigError, match="HardNegativeRefresh"):
        HardNegativeRefresh(**wrong)


def test_frozen_features_are_encoded_once(setup):
    module, data, trainer = setup("in_batch", epochs=1, n_def=1)
    trainer.fit(module, data)
    again, data, trainer = setup("in_batch", epochs=1, n_def=1)
    calls = []
    again.backbone.vision.register_forward_hook(lambda *_: calls.append(1))
    trainer.fit(again, data)
    assert calls == [] and again.cost.stages["image_features"].items > 0


@pytest.mark.parametrize("task", ["composed", "text_to_image", "image_to_text", "knowledge"])
def test_the_baselines_run_on_every_task(checkpoints, tmp_path, task):
    module = FusionModule(str(checkpoints / "clip"), cache=str(tmp_path / "cache"))
    trainer = L.Trainer(
        logger=False, enable_progress_bar=False, accelerator="cpu", default_root_dir=str(tmp_path)
    )
    data = ShapesDataModule(task, families=SIZES)
    metrics = trainer.test(module, data, verbose=False)[0]
    assert all(0 <= value <= 1 for value in metrics.values())
    assert len(module.tested.ranking) == data.task("test").n_queries


def test_a_checkpoint_holds_no_objects_and_gives_the_module_back(setup, tmp_path):
    module, data, trainer = setup("top_k", epochs=1, n_def=1, k=7)
    trainer.fit(module, data)
    trainer.save_checkpoint(tmp_path / "x.ckpt")
    loaded = QuReModule.load_from_checkpoint(tmp_path / "x.ckpt", weights_only=True)
    assert loaded.negatives == Negatives("top_k", k=7)
    for (name, one), two in zip(module.named_parameters(), loaded.parameters(), strict=True):
        assert torch.equal(one, two), name


def test_a_score_leaves_no_query_out(checkpoints, tmp_path):
    options = {"logger": False, "enable_progress_bar": False, "accelerator": "cpu", "num_sanity_val_steps": 0}
    families = QUERY_BLOCK // 3 + 1  # three queries each: one more block than is tested
    data = ShapesDataModule(families=Families(train=20, val=families, test=families), batch_size=32)
    module = QuReModule(str(checkpoints / "blip2"), negatives=Negatives("in_batch"), cache=str(tmp_path))
    trainer = L.Trainer(**options, limit_test_batches=1, default_root_dir=str(tmp_path))
    with pytest.raises(ConfigError, match=f"{QUERY_BLOCK} of {3 * families} queries"):
        trainer.test(module, data, verbose=False)
    trainer = L.Trainer(**options, limit_val_batches=1, max_epochs=1, default_root_dir=str(tmp_path))
    trainer.fit(module, data)  # within a fit a part of the val split is a fair look
    assert 0 <= float(trainer.callback_metrics["val/recall@1"]) <= 1

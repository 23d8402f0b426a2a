"""REST through a real Trainer with its default flags, on a tiny model."""

from __future__ import annotations

import json

import lightning as L
import pytest
import torch
from safetensors.torch import load_file

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
from requery.adaptation.hubness import suppress_hubs
from requery.errors import ConfigError
from requery.ranking.metrics import per_query
from requery.ranking.scored import rank_scores
from requery.rng import permutation

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
    assert tuple(streamed.methods) == ("rest(lr=0.01)", "tcr(lr=0.01)", "tent(lr=0.01)", "none")
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


def test_scores_corrected_for_hubs_are_ranked_as_they_are(tested):
    """HAT-VTR at a rate of almost nothing: its embeddings are the source's, its ranking is not."""
    rivals = (NoAdaptation(),)
    data = {"kinds": ["defocus_blur"], "orders": 1, "queries": 40}
    module, _ = tested(data=data, method=HATVTR(lr=1e-12), rivals=rivals, features=True)
    streamed = module.tested
    by_hub, plain = (streamed.features[f"defocus_blur@5/{name}"] for name in streamed.methods)
    torch.testing.assert_close(by_hub, plain)
    assert not torch.equal(streamed.values[0, 0, 0], streamed.values[0, 0, 1])
    gallery = module.index.embeddings[:, 0]
    order = torch.from_numpy(permutation(0, 0, 40))
    scores = (gallery @ plain[order].float().T).T
    history, ranks = scores[:0], torch.empty(40)
    for batch in torch.split(torch.arange(40), 16):
        history = torch.cat([history, scores[batch]])
        now = suppress_hubs(history, 100.0, 10.0, 0.5) if int(batch[0]) else history
        qrels = streamed.task.qrels.select(order[batch])
        found = rank_scores(now[-len(batch) :], qrels)
        ranks[order[batch]] = per_query("recall@10", found, qrels).float()
    at = streamed.task.protocol.metrics.index("recall@10")
    assert (streamed.values[0, 0, 0, 0, at] == ranks).float().mean() > 0.95  # half precision moves few


def test_methods_take_batches_of_their_own_and_miss_some_when_busy(tested):
    rivals = (TCR(batch_size=4, lr=1e-2), TCR(pace=3.0, lr=1e-2), NoAdaptation(pace=3.0))
    module, folder = tested(data={"kinds": ["fog"], "orders": 1}, method=TCR(lr=1e-2), rivals=rivals)
    facts = {row["method"]: row for row in json.loads((folder / "shifts.json").read_text())["facts"]}
    assert facts["tcr(lr=0.01)"]["updates"] == 3 * 3  # 40 queries in batches of 16
    assert facts["tcr(batch_size=4, lr=0.01)"]["updates"] == 3 * 10
    busy = facts["tcr(pace=3.0, lr=0.01)"]  # a batch takes 9 passes: the first alone is adapted to
    assert busy["updates"] == 3 and busy["adapted"] == pytest.approx(1 / 3)
    assert facts["none"]["adapted"] == 1.0 and facts["none"]["source_gap"] is None
    assert 0 < facts["tcr(lr=0.01)"]["source_gap"] < 2
    values = module.tested.values[0, 0, :, 0]
    assert not torch.equal(values[0], values[2])


def test_embeddings_are_kept_for_pictures(tested):
    module, folder = tested(features=True, rivals=(NoAdaptation(),))
    kept = load_file(folder / "features.safetensors")
    names = ["rest(lr=0.01)", "none"]
    assert set(kept) == {
        "targets",
        "clean",
        *(f"{s}@5/{n}" for s in ("gaussian_noise", "fog") for n in names),
    }
    assert all(rows.shape == kept["targets"].shape and rows.dtype == torch.float16 for rows in kept.values())
    target = module.index.embeddings[module.tested.task.qrels.target, 0]
    torch.testing.assert_close(kept["targets"], target.half())


def test_a_share_of_clean_queries(tested):
    data = {"kinds": ["gaussian_noise"], "clean": [0.0, 1.0], "orders": 1}
    module, _ = tested(data=data, method=NoAdaptation(), rivals=(TCR(),), features=True)
    kept = module.tested.features
    torch.testing.assert_close(kept["gaussian_noise@5, 100 % clean/none"], kept["clean"])
    assert not torch.equal(kept["gaussian_noise@5/none"], kept["clean"])


def test_wrong_uses_are_named(checkpoints, tmp_path, tested):
    with pytest.raises(ConfigError, match="two methods have the same settings"):
        RESTModule(str(checkpoints / "clip"), method=TCR(), rivals=(TCR(),))
    module = RESTModule(str(checkpoints / "clip"), TCR(), cache=str(tmp_path))
    trainer = L.Trainer(
        logger=False, enable_progress_bar=False, accelerator="cpu", use_distributed_sampler=False
    )
    with pytest.raises(ConfigError, match="QueryShifts"):
        trainer.test(module, ShapesDataModule(task="image_to_text", families=SIZES), verbose=False)

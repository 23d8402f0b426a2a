"""Video–audio retrieval under shift through real Trainers: stored features with trained heads, and PE-AV."""

from __future__ import annotations

import lightning as L
import pytest
import torch

from callbacks.run_record import RunRecord
from datamodules import QueryShifts, ShapesDataModule, VGGSoundDataModule
from datamodules.shapes import Families
from lightning_modules import FusionModule, RESTModule, StoredHeads
from requery.adaptation import REST, TCR, DeYO, NoAdaptation, Tent
from requery.errors import ConfigError
from tests.datamodules.clips import write_clips, write_csv, write_paired_features

SHIFTS = {"audio_noise@5": 1.5, "clipping@5": 3.0}
QUIET = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
METHODS = {"method": REST(lr=3e-2), "rivals": (TCR(lr=3e-2), Tent(lr=3e-2), NoAdaptation())}


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    """Stored features of 120 clips to train on and 40 to test."""
    root = tmp_path_factory.mktemp("vggsound")
    write_paired_features(root, write_csv(root, {"train": 120, "test": 40}), SHIFTS)
    return root


@pytest.fixture(scope="module")
def heads(features, tmp_path_factory):
    """A checkpoint trained on them."""
    folder = tmp_path_factory.mktemp("heads")
    module = StoredHeads(str(folder), dim=16, lr=5e-3)
    data = VGGSoundDataModule(str(features), clips="features", batch_size=32)
    trainer = L.Trainer(**QUIET, max_epochs=30, enable_checkpointing=False, limit_val_batches=0)
    trainer.fit(module, data)
    return folder


def test(backbone, data, folder, batch_size=8, **options):
    module = RESTModule(
        str(backbone), batch_size=batch_size, cache=str(folder / "cache"), **{**METHODS, **options}
    )
    trainer = L.Trainer(**QUIET, use_distributed_sampler=False, callbacks=[RunRecord(folder / "run")])
    trainer.test(module, data, verbose=False)
    return module.tested


test.__test__ = False


def recalls(tested, method):
    """recall@1 by shift."""
    return {row.shift: row.cells[method].value for row in tested.rows("recall@1")}


def test_trained_heads_find_and_shifts_cost(heads, features, tmp_path):
    data = VGGSoundDataModule(str(features), clips="features")
    kinds = ["clean", "audio_noise", "clipping"]
    tested = test(heads, QueryShifts(data, kinds=kinds, orders=1, queries=None), tmp_path, probe=True)
    none = recalls(tested, "none")
    assert none["clean"] > 0.5  # chance is 1 / 40
    assert none["clean"] > none["audio_noise@5"] > none["clipping@5"]
    values = tested.values[:, 0]  # (shifts, methods, 2, metrics, Q)
    assert values.isfinite().all() and not torch.equal(values[2, 0, 0], values[2, 3, 0])
    assert torch.equal(values[0, 3, 0], values[2, 3, 1])  # the probe of the source model is the clean stream
    assert (tmp_path / "run" / "shifts.json").is_file()


def test_queries_one_by_one(heads, features, tmp_path):
    data = QueryShifts(
        VGGSoundDataModule(str(features), clips="features"), kinds=["clipping"], orders=1, queries=12
    )
    method = REST(lr=1e-2, window=8)
    tested = test(heads, data, tmp_path, batch_size=1, method=method, rivals=(NoAdaptation(),))
    assert tested.values.isfinite().all() and tested.values.shape[-1] == 12


def test_the_video_side_alone_is_adapted(heads, features, tmp_path):
    data = VGGSoundDataModule(str(features), clips="features", direction="video_to_audio")
    shifts = QueryShifts(data, kinds=["clean"], orders=1)
    tent = {"method": Tent(lr=1e-2), "rivals": ()}
    both = test(heads, shifts, tmp_path / "a", **tent)
    one = test(heads, shifts, tmp_path / "b", **tent, adapted=["backbone.vision.video"])
    assert torch.equal(both.values, one.values)  # no query passes through the other


@pytest.mark.parametrize(
    ("direction", "kinds"),
    [("audio_to_video", ["audio_noise", "audio_dropout"]), ("video_to_audio", ["fog", "gaussian_noise"])],
)
def test_pe_av_hears_and_sees_shifted_clips(pe_audio_video, tmp_path, direction, kinds):
    write_clips(tmp_path, write_csv(tmp_path, {"test": 6}))
    data = VGGSoundDataModule(str(tmp_path), direction=direction, frames=2)
    tested = test(pe_audio_video, QueryShifts(data, kinds=kinds, orders=1), tmp_path, batch_size=6)
    assert tested.values.shape[:3] == (2, 1, 4) and tested.values.isfinite().all()


def test_wrong_combinations_are_named(checkpoints, heads, pe_audio_video, features, tmp_path):
    stored = VGGSoundDataModule(str(features), clips="features")
    shifts = QueryShifts(stored, kinds=["clean"], orders=1)
    with pytest.raises(ConfigError, match=r"Clip reads image, these data hold audio; choose another model"):
        test(checkpoints / "clip", shifts, tmp_path)
    with pytest.raises(ConfigError, match="PE-AV reads sounds and videos, no stored features"):
        test(pe_audio_video, shifts, tmp_path)
    shapes = QueryShifts(ShapesDataModule("image_to_text", families=Families(2, 2, 4)), kinds=["clean"])
    with pytest.raises(ConfigError, match="Stored reads audio and video, these data hold image"):
        test(heads, shapes, tmp_path)
    with pytest.raises(ConfigError, match="DeYO shuffles the patches of images"):
        test(heads, shifts, tmp_path, method=DeYO(), rivals=())


def test_heads_are_trained_on_stored_features_alone(tmp_path):
    write_clips(tmp_path, write_csv(tmp_path, {"train": 3}))
    trainer = L.Trainer(**QUIET, max_epochs=1, enable_checkpointing=False, limit_val_batches=0)
    with pytest.raises(ConfigError, match="StoredHeads reads stored features"):
        trainer.fit(StoredHeads(str(tmp_path / "out")), VGGSoundDataModule(str(tmp_path)))


def test_the_shared_test_ranks_clips_too(heads, features, tmp_path):
    module = FusionModule(str(heads), cache=str(tmp_path / "cache"))
    data = VGGSoundDataModule(str(features), clips="features", relevant="label")
    L.Trainer(**QUIET, default_root_dir=str(tmp_path)).test(module, data, verbose=False)
    assert module.tested.ranking.target_rank.float().mean() < 15
    assert set(module.cost.stages) >= {"image_features", "encode_gallery", "rank"}

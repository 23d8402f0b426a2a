"""Feedback through a real Trainer on a tiny model: rows, controls, and the training of AFS."""

from __future__ import annotations

import json

import lightning as L
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

from callbacks.run_record import RunRecord
from datamodules import PairsDataModule, QueryShift, ShapesDataModule
from datamodules.shapes import Families
from lightning_modules.feedback import FeedbackModule
from requery.errors import ConfigError, DataError
from requery.feedback import Guards
from requery.feedback.lessons import Training
from requery.feedback.rows import AFS, GRF, PRF, Clicks, Explicit, Hubs, Marked, Nearest
from requery.feedback.summarizer_file import Head
from requery.generation import RuleGenerator, caption_source
from requery.generation.caption_source import CaptionSource

SIZES = Families(train=4, val=3, test=8)
HEAD = Head(dim=16, heads=2)
NOTHING = Head(images=False, captions=False, dim=16, heads=2)


class Colours:
    """A captioner that names the colour of the middle; counts, and may be killed."""

    asked = 0
    fatal = None

    def __call__(self, prompt):
        if Colours.asked == Colours.fatal:
            raise KeyboardInterrupt
        Colours.asked += 1
        red, green, blue = prompt.image.resize((3, 3)).getpixel((1, 1))
        return f"a {'red' if red > green else 'green'} and {'blue' if blue > 127 else 'dark'} picture"


@pytest.fixture(autouse=True)
def captioner(monkeypatch):
    Colours.asked, Colours.fatal = 0, None
    made = RuleGenerator(Colours(), "colours@1")
    made.batch_size = 8
    monkeypatch.setattr(caption_source, "load_generator", lambda *_: made)


@pytest.fixture
def module(checkpoints, tmp_path):
    def make(backbone="clip", **options):
        settings = {"captions": CaptionSource("colours"), "rounds": 3, "cache": str(tmp_path / "cache")}
        return FeedbackModule(str(checkpoints / backbone), **{**settings, **options})

    return make


@pytest.fixture
def trainer(tmp_path):
    def make(folder="run", **options):
        quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
        callbacks = [RunRecord(tmp_path / folder), *options.pop("callbacks", [])]
        return L.Trainer(
            **quiet,
            accelerator="cpu",
            use_distributed_sampler=False,
            default_root_dir=str(tmp_path),
            num_sanity_val_steps=0,
            callbacks=callbacks,
            **{"enable_checkpointing": False, **options},
        )

    return make


def shapes(**options):
    return ShapesDataModule(task="text_to_image", families=SIZES, **options)


def fitted(module, trainer, tmp_path, name, head=HEAD, **options):
    made = module(head=head, output=str(tmp_path / name), lr=3e-3, **options)
    trainer(name, max_epochs=2).fit(made, PairsDataModule(shapes(), batch_size=8))
    return str(tmp_path / name)


@pytest.fixture
def heads(module, trainer, tmp_path):
    afs = fitted(module, trainer, tmp_path, "afs", training=Training(contrast=0.1, random_mask=True))
    return {"summarizer": afs, "query_only": fitted(module, trainer, tmp_path, "query_only", NOTHING)}


def test_rows_and_controls_side_by_side(module, trainer, heads, tmp_path):
    user = Clicks(wrong=0.2)
    rows = (AFS(**heads), PRF(), GRF(), GRF(source="annotated"), Explicit(), Hubs(pool=20))
    rows += (Marked(clicks=user), Marked(clicks=user, exclude_seen=True), Nearest(pool=20))
    made = module(rows=rows)
    trainer().test(made, shapes(), verbose=False)
    fed = made.tested
    names = [
        "none",
        "AFS",
        "AFS, shuffled",
        "AFS, query only",
        "PRF",
        "GRF",
        "GRF(oracle captions)",
        "explicit",
    ]
    assert list(fed.rows)[:8] == names and len(fed.rows) == 12
    values = fed.values("mrr@5")
    assert all(torch.equal(of[0], values["none"][0]) for of in values.values())  # one first search
    assert torch.equal(values["none"][0], values["none"][2])
    moved = [name for name, of in values.items() if not torch.equal(of[2], values["none"][2])]
    assert {"AFS", "AFS, shuffled", "AFS, query only", "GRF", "explicit"} <= set(moved)
    assert float(fed.results["marks(wrong=0.2)"].drift[:, 2].mean()) < 1
    cost = json.loads((tmp_path / "run" / "cost.json").read_text())["stages"]
    assert cost["captions"]["items"] == made.tested.task.n_gallery == cost["encode_gallery"]["items"]
    content = json.loads((tmp_path / "run" / "rounds.json").read_text())
    tables = {table["metric"]: table for table in content["tables"]}
    residual = "marks(exclude_seen=True, wrong=0.2)"
    assert residual not in tables["mrr@5"]["rows"] and residual in tables["shown"]["rows"]
    pairs = [(c["row"], c["control"]) for c in tables["mrr@5"]["contrasts"]]
    assert pairs == [("AFS", "AFS, shuffled"), ("AFS", "AFS, query only")]
    assert content["changes"]["none"] == {
        "drift": pytest.approx([1, 1, 1]),
        "gained": [0, 0, 0],
        "lost": [0, 0, 0],
        "found_in": [int((fed.results["none"].rank[:, 0] <= 5).sum()), 0, 0],
    }
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["protocol"] == "shapes/text_to_image@1 with feedback (AFS)"
    columns = pq.read_table(tmp_path / "run" / "rounds.parquet")
    assert len(columns) == 12 * 3 * fed.task.n_queries and columns["mrr@5"][0].as_py() == values["none"][0, 0]


class FewCaptions(ShapesDataModule):
    """Shapes whose first images have the query's own caption alone."""

    alone = 2

    def pairs(self, split):
        all_ = super().pairs(split)
        return [(at, texts[:1] if at < self.alone else texts) for at, texts in all_]


def test_a_query_without_another_caption_repeats_itself_and_is_counted(module, trainer):
    data = FewCaptions("text_to_image", families=SIZES)
    made = module(rows=(Explicit(),))
    trainer().test(made, data, verbose=False)
    drift = made.tested.results["explicit"].drift
    torch.testing.assert_close(drift[:2], torch.ones_like(drift[:2]))
    assert float((drift[2:, 2] < 1 - 1e-5).float().mean()) > 0.9  # two wordings may be one to a tiny model
    assert made.tested.task.notes["targets_without_another_caption"] == 2
    data.alone = 10**6
    with pytest.raises(DataError, match="no target has another caption"):
        trainer().test(module(rows=(Explicit(),)), data, verbose=False)


def test_nothing_is_captioned_that_no_row_reads(module, trainer):
    made = module(rows=(PRF(guards=Guards(first_weight=0.5)), Marked()), captions=CaptionSource())
    trainer().test(made, shapes(), verbose=False)
    assert Colours.asked == 0 and len(made.tested.rows) == 3


def test_several_embeddings_an_image_and_shifted_queries(module, trainer):
    made = module("blip2", rows=(PRF(), GRF(), Explicit()))
    data = QueryShift(shapes(), kind="char_swap", severity=3)
    trainer().test(made, data, verbose=False)
    assert made.index.embeddings.shape[1] == 3 and made.tested.task.shift.startswith("char_swap")
    assert made.tested.results["GRF"].values.isfinite().all()


def test_captioning_goes_on_where_it_was_killed(module, trainer):
    Colours.fatal = 20
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        trainer().test(module(rows=(GRF(),)), shapes(), verbose=False)
    assert Colours.asked == 20
    Colours.fatal = None
    made = module(rows=(GRF(),))
    trainer().test(made, shapes(), verbose=False)
    assert Colours.asked == 20 + made.tested.task.n_gallery - 16  # two whole batches were kept


class Stop(L.Callback):
    """Ends a fit after some steps, a checkpoint behind."""

    def __init__(self, step, path):
        self.step, self.path = step, path

    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == self.step:
            trainer.save_checkpoint(self.path)
            raise RuntimeError("stopped")


def test_a_resumed_fit_ends_as_the_uninterrupted_one(module, trainer, tmp_path):
    options = {"head": HEAD, "training": Training(random_mask=True, caption_loss=True), "lr": 3e-3}
    data, path = PairsDataModule(shapes(), batch_size=8), tmp_path / "stopped.ckpt"
    trainer("whole", max_epochs=3).fit(module(**options, output=str(tmp_path / "whole_afs")), data)
    with pytest.raises(RuntimeError, match="stopped"):
        trainer("part", max_epochs=3, callbacks=[Stop(4, path)]).fit(
            module(**options), PairsDataModule(shapes(), batch_size=8)
        )
    content = torch.load(path, weights_only=True)
    assert all(name.startswith("summarizer.") for name in content["state_dict"])
    resumed = module(**options, output=str(tmp_path / "resumed_afs"))
    trainer("part", max_epochs=3).fit(
        resumed, PairsDataModule(shapes(), batch_size=8), ckpt_path=path, weights_only=True
    )
    whole, part = (load_file(tmp_path / f"{name}_afs" / "model.safetensors") for name in ("whole", "resumed"))
    assert all(torch.equal(whole[name], part[name]) for name in whole)


def test_the_best_epoch_is_what_is_written(module, trainer, tmp_path):
    best = L.pytorch.callbacks.ModelCheckpoint(tmp_path, "best", monitor="val/mrr@5", mode="max")
    made = module(head=HEAD, output=str(tmp_path / "afs"), lr=3e-3)
    options = {"enable_checkpointing": True, "callbacks": [best], "max_epochs": 3}
    trainer(**options).fit(made, PairsDataModule(shapes(), batch_size=8))
    state = torch.load(best.best_model_path, weights_only=True)["state_dict"]
    written = load_file(tmp_path / "afs" / "model.safetensors")
    assert all(torch.equal(written[n], state[f"summarizer.{n}"].half()) for n in written)


def test_wrong_uses_are_named(module, trainer, tmp_path):
    with pytest.raises(ConfigError, match="two rows have one name"):
        module(rows=(PRF(), PRF(label="PRF")))
    with pytest.raises(ConfigError, match="there is no captioner"):
        trainer().test(module(rows=(GRF(),), captions=CaptionSource()), shapes(), verbose=False)
    with pytest.raises(ConfigError, match="the gallery holds texts"):
        data = ShapesDataModule(task="image_to_text", families=SIZES)
        trainer().test(module(rows=(GRF(),)), data, verbose=False)
    with pytest.raises(ConfigError, match="wrap ShapesDataModule in"):
        trainer(max_epochs=1).fit(module(head=HEAD), shapes())
    with pytest.raises(ConfigError, match="neither validated nor predicted"):
        trainer().validate(module(), shapes(), verbose=False)
    with pytest.raises(DataError, match=r"config\.json"):
        folder = str(tmp_path / "nowhere")
        trainer().test(module(rows=(AFS(summarizer=folder, query_only=folder),)), shapes(), verbose=False)

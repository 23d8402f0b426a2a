"""Tuning through a real Trainer on a tiny Mllama: only the adapter learns, resumes, is kept and written."""

import functools
import hashlib

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from safetensors.torch import load_file
from torch.nn.parallel import DistributedDataParallel

from datamodules.sampling import EpochShuffle, TrainingBatches
from datamodules.shapes import Families, ShapesDataModule
from lightning_modules.generator_tuning import GeneratorTuning
from requery import distributed
from requery.errors import ConfigError, DataError
from requery.expansion import ExpansionSettings
from requery.expansion.ask import AskModel
from requery.expansion.lessons import Tuning
from requery.expansion.pipeline import Expander
from requery.expansion.settings import Drawing
from requery.generation import Prompt, load_generator
from requery.generation.caption_source import CaptionSource
from requery.generation.lora import Lora, is_adapter, weights
from requery.generation.source import GeneratorSource
from requery.index.bm25 import Bm25
from tests.processes import together
from tests.requery.generation.conftest import mllama

__all__ = ["mllama"]  # a fixture
SETTINGS = ExpansionSettings(
    prompts="short@1",
    caption=False,
    expansions=2,
    window=2,
    drawing=Drawing(expand_tokens=24, temperature=0.0),
)
LORA = Lora(r=2, alpha=8, dropout=0.1)


class Questions(ShapesDataModule):
    """Shapes, whose test split is nobody's business here."""

    def __init__(self):
        super().__init__("knowledge", families=Families(train=2, val=1, test=1), batch_size=4)

    def answers(self, split):
        assert split != "test"
        return super().answers(split)

    def build_task(self, split):
        assert split != "test"
        return super().build_task(split)


def tuning(base, folder, output=None, settings=SETTINGS, lr=3e-2, **how):
    how = {"positives": "truth", "rewriting": "name", "lora": LORA, **how}
    return GeneratorTuning(
        GeneratorSource(base, batch_size=4),
        settings,
        CaptionSource(),
        Bm25(),
        Tuning(**how),
        lr,
        0.01,
        output and str(output),
        str(folder / "cache"),
        0,
    )


def trainer(**options):
    return L.Trainer(
        **{
            "accelerator": "cpu",
            "max_epochs": 2,
            "logger": False,
            "enable_checkpointing": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "num_sanity_val_steps": 0,
            "use_distributed_sampler": False,
            **options,
        }
    )


def digest(model):
    """Of all weights below the adapter, byte for byte."""
    content = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        if not is_adapter(name):
            content.update(name.replace(".base_layer", "").encode())
            content.update(value.contiguous().view(torch.uint8).numpy().tobytes())
    return content.hexdigest()


class Seen(L.Callback):
    """Losses of steps and validations; stops behind a checkpoint after some step."""

    def __init__(self, stop=None, path=None):
        self.losses, self.valid, self.stop, self.path = [], [], stop, path

    def on_train_batch_end(self, trainer, _, outputs, *__):
        self.losses.append(outputs["loss"].item())
        if trainer.global_step == self.stop:
            trainer.save_checkpoint(self.path)
            raise RuntimeError("stopped")

    def on_validation_end(self, trainer, *_):
        logged = trainer.callback_metrics
        self.valid.append({name: logged[name].item() for name in ("val/loss", "val/token_accuracy")})


def test_twenty_steps_lower_the_loss_and_leave_the_base(mllama, tmp_path):
    seen, module = Seen(), tuning(mllama, tmp_path, tmp_path / "adapter")
    trainer(max_epochs=8, callbacks=[seen]).fit(module, Questions())
    assert len(seen.losses) == 24 and sum(seen.losses[-3:]) < 0.8 * sum(seen.losses[:3])
    assert seen.valid[-1]["val/loss"] < seen.valid[0]["val/loss"]
    assert seen.valid[-1]["val/token_accuracy"] > seen.valid[0]["val/token_accuracy"]
    assert digest(module.network) == digest(load_generator(mllama, device="cpu").model)
    assert all(value.abs().max() > 0 for value in weights(module.network).values())
    written = load_generator(mllama, adapter=str(tmp_path / "adapter"), device="cpu")
    (lesson,) = module.lessons("val")[0][:1]
    prompt = Prompt(lesson.request.turns, lesson.request.image[0].load(lesson.request.image[1]), 0)
    inputs = written.inputs([written.dialogue(prompt, [])], [prompt])
    with torch.no_grad():
        own, read = module.network.eval()(**inputs).logits, written.model(**inputs).logits
    assert torch.allclose(own, read, atol=1e-2)


def test_a_resumed_fit_ends_as_the_uninterrupted_one(mllama, tmp_path):
    whole, path = Seen(), tmp_path / "stopped.ckpt"
    trainer(callbacks=[whole]).fit(tuning(mllama, tmp_path, tmp_path / "whole"), Questions())
    with pytest.raises(RuntimeError, match="stopped"):
        trainer(callbacks=[Seen(4, path)]).fit(tuning(mllama, tmp_path), Questions())
    content = torch.load(path, weights_only=True)
    assert content["state_dict"] and all(map(is_adapter, content["state_dict"]))
    assert path.stat().st_size < 400_000  # adapter and its moments, no base
    rest = Seen()
    trainer(callbacks=[rest]).fit(
        tuning(mllama, tmp_path, tmp_path / "resumed"), Questions(), ckpt_path=path, weights_only=True
    )
    assert rest.losses == whole.losses[4:] and rest.valid == whole.valid[1:]
    ended = [load_file(tmp_path / name / "adapter_model.safetensors") for name in ("whole", "resumed")]
    assert all(torch.equal(ended[0][name], ended[1][name]) for name in ended[0])


def test_the_best_epoch_is_what_is_written(mllama, tmp_path):
    best = ModelCheckpoint(tmp_path, "best", monitor="val/token_accuracy", mode="max")
    module = tuning(mllama, tmp_path, tmp_path / "adapter")
    trainer(enable_checkpointing=True, callbacks=[best], max_epochs=3).fit(module, Questions())
    state = torch.load(best.best_model_path, weights_only=True)["state_dict"]
    written = load_file(tmp_path / "adapter/adapter_model.safetensors")
    for name, value in state.items():
        key = name.replace("network.", "base_model.model.", 1).replace(".default.", ".")
        assert torch.equal(written[key], value.half())


def test_training_prompts_are_what_the_tuned_model_is_asked(mllama, tmp_path):
    module = tuning(mllama, tmp_path)
    trainer(max_epochs=1).fit(module, Questions())
    corpus, asked = module.corpus("val"), module.questions("val")
    traces = Expander(AskModel(SETTINGS, module.chat), corpus).expand(asked)
    for trace, taught in zip(traces, module.lessons("val"), strict=True):
        first = trace.steps[0]  # later ones are built on what was answered
        assert first.name == "rewrite" and taught[0].request.turns == (first.prompt,)
        assert taught[0].request.image == trace.image


def test_activation_checkpointing_changes_no_step(mllama, tmp_path):
    plain, spared = Seen(), Seen()
    trainer(max_epochs=1, callbacks=[plain]).fit(tuning(mllama, tmp_path), Questions())
    module = tuning(mllama, tmp_path, activation_checkpointing=True)
    trainer(max_epochs=1, callbacks=[spared]).fit(module, Questions())
    assert spared.losses == pytest.approx(plain.losses, rel=1e-5)
    assert any(getattr(part, "gradient_checkpointing", False) for part in module.network.modules())


def test_a_base_in_half_precision_has_an_adapter_in_full(mllama, tmp_path):
    seen, module = Seen(), tuning(mllama, tmp_path)
    module.generator = GeneratorSource(mllama, batch_size=4, dtype="bfloat16")
    trainer(callbacks=[seen]).fit(module, Questions())
    assert module.network.dtype == torch.bfloat16 and seen.losses[-1] < seen.losses[0]
    assert {value.dtype for value in weights(module.network).values()} == {torch.float32}
    base = load_generator(mllama, device="cpu", dtype="bfloat16").model
    assert digest(module.network) == digest(base)


@pytest.mark.parametrize("recipe", ["R2", "R3"])
def test_the_model_learns_of_its_own_answers(mllama, tmp_path, recipe, monkeypatch):
    seen = Seen()
    said = ["red circle", "the town of", "material glass", "blue square invented", "1801", "toy"]

    def generation(self, prompts, sampling):
        return [(said[prompt.seed % len(said)], 3) for prompt in prompts]

    monkeypatch.setattr("requery.generation.chat.TransformersGenerator.answer_batch", generation)
    module = tuning(mllama, tmp_path, recipe=recipe, samples=12, steps=("rewrite",))
    trainer(max_epochs=6, callbacks=[seen]).fit(module, Questions())
    taught = [lesson for row in module.lessons("train") for lesson in row]
    assert taught and {lesson.answer for lesson in taught} <= set(said)
    assert all((lesson.rejected is not None) == (recipe == "R3") for lesson in taught)
    assert sum(seen.losses[-3:]) < sum(seen.losses[:3])
    if recipe == "R3":
        assert seen.losses[0] == pytest.approx(
            torch.log(torch.tensor(2.0)).item(), rel=1e-3
        )  # nothing learnt yet


def test_what_cannot_be_tuned_is_refused(mllama, tmp_path):
    module = tuning(mllama, tmp_path)
    module.generator = GeneratorSource("model", endpoint="http://localhost:1/v1")
    with pytest.raises(ConfigError, match="cannot be tuned"):
        trainer().fit(module, Questions())
    silent = tuning(mllama, tmp_path, positives="weak", steps=("rewrite",))
    data = Questions()
    data.answers = lambda split: [("nowhere",)] * data.task(split).n_queries
    with pytest.raises(DataError, match="train: no question has a lesson"):
        trainer().fit(silent, data)


class Step(torch.nn.Module):
    """A training step as the forward pass that DDP wraps."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, index):
        return self.module.training_step(index)


def three_steps(base, folder, settings, batch_size):
    """Losses of three steps, gradients of the first, and the base's digest before and after."""
    data = Questions()
    module = tuning(base, folder, settings=settings, lora=Lora(r=2, alpha=8, dropout=0.0))
    worker = L.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    worker.datamodule, module.log = data, lambda *args, **options: None
    module.trainer = worker
    module.setup("fit")
    module.on_fit_start()
    before, losses, first = digest(module.network), [], {}
    step = Step(module)
    wrapped = DistributedDataParallel(step) if distributed.world_size() > 1 else step
    optimizer = torch.optim.AdamW(weights(module.network).values(), lr=1e-2)
    batches = TrainingBatches(EpochShuffle(data.task("train").n_queries, seed=0), batch_size)
    for batch in list(batches)[:3]:
        optimizer.zero_grad()
        loss = wrapped(torch.tensor(batch, dtype=torch.int64))
        loss.backward()
        first = first or {name: value.grad.numpy().copy() for name, value in weights(module.network).items()}
        optimizer.step()
        losses.append(loss.item())
    return losses, first, before == digest(module.network)


@pytest.mark.parametrize("image", [True, False])  # without an image cross-attention has no gradient but zeros
def test_two_processes_are_one_and_leave_the_base(mllama, tmp_path, image):
    settings = ExpansionSettings(**{**vars(SETTINGS), "image": image})
    run = functools.partial(three_steps, mllama, tmp_path, settings, 1 if image else 5)
    ((losses, first, kept),) = together(run, 1)
    assert kept and max(abs(grad).max() for grad in first.values()) > 1e-4
    for other, grads, others_kept in together(run, 2):
        assert others_kept and other == pytest.approx(losses, abs=1e-5)
        assert all(abs(grads[name] - first[name]).max() < 1e-5 for name in first)

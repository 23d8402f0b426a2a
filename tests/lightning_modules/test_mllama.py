"""The small Mllama's training: what is learnt, by how many processes, resumed or not; what it then writes."""

import functools

import lightning as L
import pytest
import torch
from safetensors.torch import load_file

from datamodules.pairs import PairsDataModule
from lightning_modules import caption_pretraining
from lightning_modules.mllama import MllamaPretraining
from requery.errors import ConfigError
from requery.expansion.prompts import PROMPTS
from requery.generation import Prompt, Sampling, TransformersGenerator, load_generator
from tests.lightning_modules.test_gradients import DATA, check

TINY = {"width": 16, "vision_layers": 2, "layers": 2, "heads": 2, "lr": 1e-2}
ASKED = PROMPTS["short@1"].caption


def prepared(folder):
    module = MllamaPretraining(folder, **TINY)
    module.pairs, module.images = DATA.pairs("train"), DATA.task("train").images
    module.prepare()
    return module


def test_a_step_of_three_processes_is_one_processes_step(tmp_path):
    check(functools.partial(prepared, str(tmp_path)), 7, 3)


def test_captions_alone_are_learnt(tmp_path, monkeypatch):
    module, learnt = prepared(str(tmp_path)), []
    module.log = lambda *args, **options: None

    def loss(logits, labels, **options):
        learnt.extend(zip(logits.transpose(1, 2), labels, strict=True))
        return torch.zeros(labels.shape)

    monkeypatch.setattr(caption_pretraining, "cross_entropy", loss)
    index = torch.arange(6)
    module.training_step(index)
    for row, ((logits, labels), caption) in enumerate(zip(learnt, module.texts(index), strict=True)):
        words = module.tokenizer(caption)["input_ids"][1:]  # <eos> among them, <bos> and the prompt not
        padding = [caption_pretraining.IGNORED] * (len(labels) - len(words))
        assert labels.tolist() == words + padding
        pixels = module.pixels[row : row + 1].float()
        alone = module.logits(pixels, torch.tensor([[module.tokenizer.bos_token_id, *words]]))[0]
        assert torch.allclose(logits[: len(words)], alone, atol=1e-5)  # whatever else is in the batch


def test_unknown_prompts_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="short@1"):
        MllamaPretraining(str(tmp_path), prompts="short@0")


class Stop(L.Callback):
    """Keeps a checkpoint of a step."""

    def __init__(self, step, path):
        self.step, self.path = step, path

    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == self.step:
            trainer.save_checkpoint(self.path)


def fitted(folder, checkpoint=None, **options):
    torch.manual_seed(0)
    module = MllamaPretraining(str(folder), **TINY)
    losses = []
    module.note = lambda name, value, weight: losses.append(value.item())
    trainer = L.Trainer(
        accelerator="cpu",
        max_epochs=10,
        limit_val_batches=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )
    data = PairsDataModule(DATA, batch_size=12)
    trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    return module, losses


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mllama")
    keep = Stop(13, folder / "step13.ckpt")  # in the middle of an epoch
    return folder, *fitted(folder / "whole", callbacks=[keep])


@pytest.fixture(scope="module")
def chat(trained):
    return load_generator(str(trained[0] / "whole"), batch_size=4, device="cpu")


def test_the_loss_falls(trained):
    _, _, losses = trained
    assert len(losses) == 30 and sum(losses[-3:]) < 0.6 * sum(losses[:3])


def test_a_resumed_fit_ends_as_the_uninterrupted_one(trained):
    folder, _, losses = trained
    _, rest = fitted(folder / "resumed", checkpoint=folder / "step13.ckpt")
    assert rest == losses[13:]
    whole, resumed = (load_file(folder / name / "model.safetensors") for name in ("whole", "resumed"))
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_what_is_asked_is_what_was_trained_on(trained, chat):
    _, module, _ = trained
    assert isinstance(chat, TransformersGenerator)
    asked, caption = Prompt((ASKED, "which?"), DATA.task("val").images.load(0), 0), "a red ring"
    read = functools.partial(chat.tokenizer, add_special_tokens=False)
    first = read(chat.dialogue(asked, []))["input_ids"]
    assert first == module.asked[0].tolist()
    second = read(chat.dialogue(asked, [caption]))["input_ids"]
    answer = chat.tokenizer(caption)["input_ids"][1:]
    assert second == first + answer + read("which?<|answer|>")["input_ids"]


def test_the_checkpoint_is_the_model_in_half_precision(trained, chat):
    folder, module, _ = trained
    saved = load_file(folder / "whole" / "model.safetensors")
    assert all(weights.dtype == torch.float16 for weights in saved.values())
    own, read = module.model.state_dict(), chat.model.state_dict()
    assert set(own) == set(read) and all(torch.equal(own[name].float(), read[name]) for name in own)


def test_texts_do_not_depend_on_their_batch(chat):
    images, greedy = DATA.task("val").images, Sampling(max_new_tokens=12)
    words = [(ASKED,), ("which town is the large thing from?",)]  # of other lengths: padded on the left
    shown = [Prompt(words[i % 2], images.load(i), i) for i in range(5)]
    items = [*shown, Prompt((ASKED, "and?"), images.load(0), 5), Prompt(words[1], None, 6)]
    together = [answer.text for answer in chat.answer(items, greedy)]
    assert together == [chat.answer([item], greedy)[0].text for item in items]
    assert all(together[:5:2])

"""The captioner's training: gradients of many processes, a falling loss, a checkpoint that captions."""

import functools

import lightning as L
import pytest
import torch

from datamodules.pairs import PairsDataModule
from lightning_modules.captioning import CaptionerPretraining
from requery.generation import Captioner, caption_requests, generate, load_generator
from tests.lightning_modules.test_gradients import DATA, check

TINY = {"width": 16, "depths": (1, 1), "layers": 1, "heads": 2, "lr": 1e-2}


def prepared(folder):
    module = CaptionerPretraining(folder, **TINY)
    module.pairs, module.images = DATA.pairs("train"), DATA.task("train").images
    module.prepare()
    return module


def test_a_step_of_three_processes_is_one_processes_step(tmp_path):
    check(functools.partial(prepared, str(tmp_path)), 7, 3)


def fitted(folder, **settings):
    torch.manual_seed(0)
    module = CaptionerPretraining(str(folder), **TINY, **settings)
    losses = []
    module.note = lambda name, value, weight: losses.append(value.item())
    trainer = L.Trainer(
        accelerator="cpu",
        max_steps=20,
        limit_val_batches=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, datamodule=PairsDataModule(DATA, batch_size=16))
    return module, losses


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("captioner")
    return folder, *fitted(folder)


def test_twenty_steps_lower_the_loss(trained):
    _, _, losses = trained
    assert len(losses) == 20 and sum(losses[-3:]) < 0.8 * sum(losses[:3])


def test_the_checkpoint_captions_images(trained):
    folder, module, _ = trained
    captioner = load_generator(str(folder), device="cpu")
    assert isinstance(captioner, Captioner)
    images = DATA.task("val").images
    texts = generate(captioner, caption_requests(images, prompted=captioner.takes_prompts))
    assert len(texts) == len(images) and all(0 < len(text) for (text,) in texts)
    pixels = captioner.processor([images.load(0)], return_tensors="pt")["pixel_values"]
    ids = module.tokenizer("a red", return_tensors="pt")["input_ids"][:, :-1]
    with torch.no_grad():
        saved = captioner.model(pixel_values=pixels, decoder_input_ids=ids).logits
        own = module.model.float().eval()(pixel_values=pixels, decoder_input_ids=ids).logits
    assert torch.allclose(saved, own, atol=1e-4)


def test_only_first_captions_are_read_where_asked(tmp_path):
    module, _ = fitted(tmp_path, captions="first")
    firsts = [texts[0] for _, texts in DATA.pairs("train")]
    assert module.texts(torch.arange(len(firsts))) == firsts

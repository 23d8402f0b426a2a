"""Words as queries: the gallery ranks them as the model does, and only the vision tower is adapted."""

from pathlib import Path

import pytest
import torch
from torch.nn import LayerNorm
from torch.nn.functional import normalize

from requery.adaptation import TCR, Adapter, Tent
from requery.adaptation.objective import row_entropy
from requery.adaptation.words import WordQueries
from requery.errors import ConfigError
from requery.generation import load_generator
from requery.generation.generator import Prompt
from requery.generation.supervised import IGNORED
from requery.shapes.scene import ShapesConfig
from requery.shapes.world import ShapesImages
from tests.requery.generation.conftest import Pictures, blip, encoder_decoder, llava, mllama

__all__ = ["blip", "encoder_decoder", "llava", "mllama"]  # fixtures
CAPTIONER = Path(__file__).resolve().parents[3] / "experiments" / "checkpoints" / "shapes_captioner"
LONGEST = 8


@pytest.fixture(params=["encoder_decoder", "blip", "llava", "mllama"])
def spoken(request):
    """A generator of each kind as an encoder, and what it says about four pictures."""
    folder = request.getfixturevalue(request.param)
    words = WordQueries(load_generator(folder, batch_size=4, device="cpu", dtype="float32"), LONGEST)
    turns = [("describe",), ("write a short caption",)] if words.generator.takes_prompts else [()]
    prompts = [Prompt(turns[i % len(turns)], Pictures().load(i), 0) for i in range(4)]
    return words, words.say(prompts, words.write(prompts))


@torch.no_grad()
def own_logits(words, said):
    """The model's logits of each word said."""
    labels = said["labels"]
    return words.model(**said["inputs"]).logits[:, -labels.shape[1] - 1 : -1][labels != IGNORED]


def test_words_are_ranked_as_the_model_ranks_them(spoken):
    words, said = spoken
    logits, queries, gallery = own_logits(words, said), words(said), words.gallery()
    assert queries.shape == (int((said["labels"] != IGNORED).sum()), gallery.shape[1])
    torch.testing.assert_close(gallery.norm(dim=1), torch.ones(len(gallery)))
    rows = (
        words.head.weight
        if words.head.bias is None
        else torch.cat([words.head.weight, words.head.bias[:, None]], 1)
    )
    cosines, longest = normalize(queries, dim=1) @ gallery.T, rows.norm(dim=1).max()
    scaled = cosines * queries.norm(dim=1, keepdim=True) * longest
    torch.testing.assert_close(scaled, logits, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(row_entropy(scaled), row_entropy(logits), rtol=1e-4, atol=1e-4)


def test_the_words_said_are_those_the_model_wrote():
    """Greedy: each is the likeliest after those before it. (Random models write bytes that are no text.)"""
    words = WordQueries(load_generator(str(CAPTIONER), batch_size=16, device="cpu"), 40)
    images = ShapesImages(ShapesConfig(), "test", 16)
    prompts = [Prompt((), images.load(i), 0) for i in range(16)]
    said = words.say(prompts, words.write(prompts))
    foretold = own_logits(words, said).argmax(1)
    assert torch.equal(foretold, said["labels"][said["labels"] != IGNORED])
    with torch.no_grad():
        assert torch.equal((words(said) @ words.gallery().T).argmax(1), foretold)


@pytest.mark.parametrize("method", [TCR(lr=1e-2, deduplicate=True), Tent(lr=1e-2, temperature=0.06)])
def test_layer_norms_of_the_tower_change_and_nothing_else(spoken, method):
    words, said = spoken
    tower = {id(p) for m in words.tower.modules() if isinstance(m, LayerNorm) for p in m.parameters()}
    before = {name: p.detach().clone() for name, p in words.named_parameters()}
    adapter = Adapter(words, words.gallery(), method, modules=[words.tower])
    with torch.inference_mode():
        first, second = adapter.step(said), adapter.step(said)
    assert adapter.counts["updates"] == 6 and not torch.equal(first, second)
    changed = {name for name, p in words.named_parameters() if not torch.equal(p, before[name])}
    assert changed and all(id(p) in tower for name, p in words.named_parameters() if name in changed)
    adapter.reset()
    assert all(torch.equal(p, before[name]) for name, p in words.named_parameters())


def test_entropy_falls(spoken):
    words, said = spoken
    adapter = Adapter(words, words.gallery(), Tent(lr=1e-3, temperature=0.06), modules=[words.tower])
    losses = []
    for _ in range(4):
        adapter.step(said)
        losses += [step["total"] for step in adapter.losses]
    assert losses[-1] < losses[0]


def test_half_precision_is_refused(encoder_decoder):
    half = load_generator(encoder_decoder, device="cpu", dtype="bfloat16")
    with pytest.raises(ConfigError, match="load it in float32"):
        WordQueries(half, LONGEST)

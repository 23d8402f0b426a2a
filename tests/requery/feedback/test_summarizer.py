import pytest
import torch

from requery.errors import ConfigError
from requery.feedback import (
    AFS,
    AttentiveFeedbackSummarizer,
    Loop,
    closest_token,
    feedback_cosine,
    least_attended,
    run_rounds,
)
from tests.requery.feedback.conftest import unit

SIZES = {
    (512, 768, 512, 768, 12): 15.55,  # CLIP-B/32
    (768, 1024, 768, 768, 12): 16.14,  # CLIP-L/14
    (768, 1408, 256, 256, 16): 2.20,  # BLIP-2
    (1152, 1152, 1152, 256, 16): 2.47,  # SigLIP
}


@pytest.mark.parametrize("sizes", SIZES)
def test_it_has_the_published_size(sizes):
    with torch.device("meta"):
        module = AttentiveFeedbackSummarizer(*sizes)
    assert sum(p.numel() for p in module.parameters()) / 1e6 == pytest.approx(SIZES[sizes], abs=0.005)


def small(seed=0, **options):
    torch.manual_seed(seed)
    return AttentiveFeedbackSummarizer(6, 5, 16, dim=8, heads=2, **options)


def tokens(seed=0):
    """Query, captions, images of three queries."""
    return unit(3, 4, 6, seed=seed), unit(3, 2, 7, 6, seed=seed + 1), unit(3, 2, 9, 5, seed=seed + 2)


def test_initial_weights():
    torch.manual_seed(0)
    pooler = AttentiveFeedbackSummarizer(64, 64, 64, dim=256, heads=4, depth=4).pooler
    for number, block in enumerate([pooler.cross_attention_block, *pooler.blocks], 1):
        attention = block.xattn if number == 1 else block.attn
        for layer in (attention.proj, block.mlp.fc2):
            assert layer.weight.std().item() == pytest.approx(0.02 / (2 * number) ** 0.5, rel=0.05)
        assert block.mlp.fc1.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert all(not m.bias.any() for m in pooler.modules() if isinstance(m, torch.nn.Linear))


def test_bad_sizes_are_named():
    with pytest.raises(ConfigError, match="3 heads must divide 8"):
        AttentiveFeedbackSummarizer(6, 5, 16, dim=8, heads=3)
    with pytest.raises(ConfigError, match="depth 0"):
        small(depth=0)


def test_masked_tokens_do_not_count():
    module, (query, captions, images) = small(depth=3), tokens()
    masks = {
        "query_mask": torch.arange(4).expand(3, 4) < 3,
        "caption_mask": torch.arange(7).expand(3, 2, 7) < 5,
        "image_mask": torch.arange(9).expand(3, 2, 9) < 8,
    }
    out, attention = module(query, captions, images, **masks)
    cut, _ = module(query[:, :3], captions[:, :, :5], images[:, :, :8])
    torch.testing.assert_close(out, cut)
    seen = torch.cat([masks["caption_mask"].flatten(1), masks["image_mask"].flatten(1)], 1)
    assert not attention[~seen[:, None, None].expand_as(attention)].any()
    negative = least_attended(
        attention, unit(3, 2, 8), None, caption_length=7, query_mask=masks["query_mask"], temperature=1.0
    )
    fewer = least_attended(attention[:, :, :4], unit(3, 2, 8), None, caption_length=7, temperature=1.0)
    torch.testing.assert_close(negative, fewer)


def test_patches_are_added_up_or_averaged():
    _, attention = small()(*tokens())
    mass, images = attention.sum((1, 2))[:, 14:].view(3, 2, 9), unit(3, 2, 8)
    for how, total in (("sum", mass.sum(2)), ("mean", mass.mean(2))):
        weights = (-total).softmax(1)
        expected = (weights[..., None] * images).sum(1)
        found = least_attended(
            attention, torch.zeros(3, 2, 8), images, caption_length=7, temperature=1.0, patch_attention=how
        )
        torch.testing.assert_close(found, expected / expected.norm(dim=1, keepdim=True))


def test_twenty_steps_lower_the_loss():
    given, target = tokens(), unit(3, 16, seed=8)
    for inputs in (given, given[:1]):
        module = small()
        optimizer = torch.optim.AdamW(module.parameters(), lr=1e-2)
        losses = []
        for _ in range(20):
            optimizer.zero_grad()
            loss = feedback_cosine(module(*inputs)[0], target)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[-1] < 0.5 * losses[0]


def test_the_query_alone_ignores_what_was_shown(world):
    module = small()
    query_tokens = unit(40, 4, 6)
    strategy = AFS(module, lambda rows: (query_tokens[rows], None))
    rounds = run_rounds(world.queries, world.index, strategy, Loop(rounds=3, accumulate=False))
    assert torch.equal(rounds.queries[1], rounds.queries[2])
    assert not torch.allclose(rounds.queries[1], rounds.queries[0])
    assert module(query_tokens)[1] is None


class Fetched:
    """Tokens of numbered things; counts how often each was asked for."""

    def __init__(self, n, length, width, seed, ragged=False):
        self.tokens = unit(n, length, width, seed=seed)
        self.mask = torch.arange(length) < (1 + torch.arange(n) % length)[:, None] if ragged else None
        self.asked = []

    def __call__(self, numbers):
        assert len(set(numbers.tolist())) == len(numbers)
        self.asked += numbers.tolist()
        return self.tokens[numbers], None if self.mask is None else self.mask[numbers]


@pytest.mark.parametrize("mask_padding", [False, True])
def test_batches_give_what_one_query_at_a_time_gives(world, mask_padding):
    module, k = small().double(), 3
    query, image = Fetched(40, 4, 6, 1), Fetched(60, 9, 5, 2)
    caption = Fetched(60, 7, 6, 3, ragged=True)
    strategy = AFS(
        module, query, image, caption, world.captions, temperature=0.5, mask_padding=mask_padding, batch=16
    )
    loop = Loop(rounds=2, k=k)
    queries = world.queries.double()
    rounds = run_rounds(queries, world.index, strategy, loop)
    assert len(image.asked) <= 3 * 16 * k and len(query.asked) == 40
    for row in range(40):
        items = rounds.shown[0, row]
        captions, images = caption.tokens[items].double(), image.tokens[items].double()
        mask = caption.mask[items]
        longest = int(mask.sum(1).max())  # officially padded to the longest of the K
        out, attention = module(
            query.tokens[row : row + 1].double(),
            captions[None, :, :longest],
            images[None],
            caption_mask=mask[None, :, :longest] if mask_padding else None,
        )
        negative = least_attended(
            attention,
            world.captions[items][None].double(),
            world.images[items][None].double(),
            caption_length=longest,
            temperature=0.5,
        )
        expected = 0.8 * queries[row] + 0.1 * out[0] / out[0].norm() - 0.1 * negative[0]
        torch.testing.assert_close(rounds.queries[1, row], expected / expected.norm())


def test_captions_come_with_their_tokens(world):
    with pytest.raises(ConfigError, match="or neither"):
        AFS(small(), Fetched(40, 4, 6, 1), captions=world.captions)


def test_the_closest_token_of_an_item():
    items, query = unit(4, 3, 5, 8), unit(4, 8, seed=1)
    found = closest_token(items, query)
    for q in range(4):
        for k in range(3):
            assert torch.equal(found[q, k], max(items[q, k], key=lambda token: float(token @ query[q])))
    assert torch.equal(closest_token(items[:, 0], query), found[:, 0])

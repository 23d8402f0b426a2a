import doctest
import importlib

import pytest
import torch
from torch.nn.functional import normalize

from requery.errors import ConfigError
from requery.feedback import (
    GRF,
    PRF,
    Explicit,
    Loop,
    NearestMarked,
    NoFeedback,
    OriginalRocchio,
    Shuffled,
    VectorPRF,
    run_rounds,
)
from requery.feedback.shown import Shown
from requery.index import ExactIndex
from tests.requery.feedback.conftest import unit


@pytest.fixture
def shown(world):
    scores, items = world.index.search(world.queries, 5)
    base = unit(40, 16, seed=9)
    return Shown(1, torch.arange(40), world.queries, world.queries, base, items, scores, world.index)


@pytest.mark.parametrize("name", ["rocchio", "aggregate", "tokens", "loss"])
def test_docstrings(name):
    result = doctest.testmod(importlib.import_module(f"requery.feedback.{name}"))
    assert result.failed == 0 and result.attempted > 0


def test_normalisation_is_as_in_the_code_always_or_never(world, shown):
    for make, code in ((lambda **o: PRF(**o), "always"), (lambda **o: GRF(world.captions, **o), "never")):
        found = {how: make(normalize_feedback=how).directions(shown) for how in ("code", "always", "never")}
        assert all(map(torch.equal, found["code"], found[code]))
        for raw, unit_length in zip(found["never"], found["always"], strict=True):
            torch.testing.assert_close(normalize(raw, dim=-1), unit_length)
            assert not torch.allclose(raw, unit_length)


def test_moves_start_from_the_base_and_look_at_the_queries(world, shown):
    positive, negative = PRF().directions(shown)
    expected = normalize(0.5 * shown.base + 0.3 * positive - 0.2 * negative, dim=-1)
    torch.testing.assert_close(PRF(alpha=0.5, beta=0.3, gamma=0.2).move(shown), expected)


def test_captions_in_half_precision_are_widened(world, shown):
    half = world.captions.half()
    assert torch.equal(GRF(half).move(shown), GRF(half.float()).move(shown))
    assert GRF(half, label="annotators").name == "GRF (annotators)"


def test_vector_prf(world, shown):
    for row in range(40):
        top = world.images[shown.items[row]]
        average = torch.cat([shown.base[row : row + 1], top]).mean(0)
        found = VectorPRF().move(shown)[row]
        torch.testing.assert_close(found, normalize(average, dim=0))
        weighed = 0.4 * shown.base[row] + 0.6 * top.mean(0)
        torch.testing.assert_close(VectorPRF("rocchio").move(shown)[row], normalize(weighed, dim=0))


@pytest.mark.parametrize("tokens", [1, 3])
def test_original_rocchio_finds_the_last_items(tokens):
    images, queries = unit(30, tokens, 8), unit(7, 8, seed=1)
    images[11] = images[4]  # equal scores: the later one is the last
    index = ExactIndex()
    index.add(images)
    scores, items = index.search(queries, 30)
    shown = Shown(1, torch.arange(7), queries, queries, queries, items[:, :4], scores[:, :4], index)
    positive, negative = OriginalRocchio().directions(shown)
    means = images.mean(1)
    torch.testing.assert_close(positive, means[items[:, :4]].mean(1))
    torch.testing.assert_close(negative, means[items[:, -4:]].mean(1))


def test_explicit_draws_a_caption_for_each_round_or_once(world):
    captions = unit(40, 4, 16, seed=6)
    loop = Loop(rounds=5, accumulate=False)

    def drawn(**options):
        rounds = run_rounds(world.queries, world.index, Explicit(captions, **options), loop)
        directions = rounds.queries[1:] / 0.1  # the caption is what is nearest to what was added
        kept = [
            normalize(0.8 * world.queries[:, None] + 0.1 * captions, dim=-1) @ q[:, :, None]
            for q in directions
        ]
        return torch.stack([k[..., 0].argmax(1) for k in kept])

    each = drawn()
    assert torch.equal(each, drawn()) and not torch.equal(each, drawn(seed=1))
    assert bool((each != each[0]).any()) and set(each.flatten().tolist()) == {0, 1, 2, 3}
    once = drawn(draw="once")
    assert torch.equal(once, once[:1].expand(4, 40)) and len(set(once[0].tolist())) == 4


def test_explicit_follows_the_numbers_of_the_queries(world):
    strategy = Explicit(unit(40, 4, 16, seed=6))
    whole = run_rounds(world.queries, world.index, strategy, Loop(rounds=3))
    rows = torch.tensor([31, 2, 17])
    part = run_rounds(world.queries[rows], world.index, strategy, Loop(rounds=3), rows=rows)
    torch.testing.assert_close(part.queries, whole.queries[:, rows])


def test_shuffled_feedback_is_another_querys(world, shown):
    found = Shuffled(PRF()).move(shown)
    from_others = [
        PRF().move(
            Shown(
                1,
                shown.rows[:1],
                shown.first[i : i + 1],
                shown.queries[i : i + 1],
                shown.base[i : i + 1],
                shown.items[j : j + 1],
                shown.scores[j : j + 1],
                world.index,
            )
        )
        for i in range(40)
        for j in range(40)
    ]
    table = torch.cat(from_others).view(40, 40, 16)
    match = (table - found[:, None]).abs().amax(2) < 1e-5
    assert bool(match.any(1).all()) and not bool(match.diagonal().any())
    assert torch.equal(found, Shuffled(PRF()).move(shown))
    assert not torch.equal(found, Shuffled(PRF(), seed=3).move(shown))
    assert Shuffled(PRF()).name == "PRF, shuffled"


def test_a_query_alone_has_nobody_to_exchange_with(world):
    rounds = run_rounds(world.queries[:1], world.index, Shuffled(PRF()), Loop(rounds=2))
    assert torch.equal(rounds.queries[1], rounds.queries[0])
    with pytest.raises(ConfigError, match="nothing to shuffle"):
        Shuffled(NearestMarked())


def test_settings_out_of_range_are_named():
    for bad, message in (
        (lambda: PRF(temperature=0), "PRF: temperature=0 must be above 0"),
        (lambda: PRF(beta=-1), "PRF: beta=-1 must be at least 0"),
        (lambda: PRF(normalize_feedback="often"), "code, always, never"),
        (lambda: VectorPRF("median"), "average, rocchio"),
        (lambda: NearestMarked(pool=0), "pool=0 must be at least 1"),
    ):
        with pytest.raises(ConfigError, match=message):
            bad()
    assert NoFeedback() == NoFeedback() and PRF().name == "PRF"

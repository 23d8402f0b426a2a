import pytest
import torch

from requery.ranking.leaders import Leaders
from requery.ranking.strips import STRIP, TILE_BYTES, Pairs, Strips
from requery.ranking.tiles import GALLERY_BLOCK, QUERY_BLOCK
from requery.ranking.top import GROUP, NEVER, unpack

N = (STRIP + 9) * GALLERY_BLOCK - 3


@pytest.fixture(scope="module")
def gallery():
    return torch.randn(N, 4, generator=torch.Generator().manual_seed(0))


def pairs(rows, items):
    return Pairs(torch.tensor(rows), torch.tensor(items))


@pytest.mark.parametrize("held", [1, 2, 5, STRIP + 4, 100])
def test_each_tile_comes_once_and_what_is_wanted_first(gallery, held):
    strips = Strips(gallery, held * TILE_BYTES)
    block = strips.tiles.block(gallery[:3])
    wanted, none = pairs([0, 2, 1], [7, N - 1, 9 * GALLERY_BLOCK]), Pairs.none(gallery.device)
    scores, parts = strips.of(block, none, wanted)
    seen, read = [], torch.zeros(3)
    for strip in parts:
        assert len(strip.numbers) <= held
        seen += strip.numbers.tolist()
        strip.read(wanted, read)
    assert sorted(seen) == list(range(STRIP + 9)) and torch.equal(read, scores)
    expected = (gallery[[0, 2, 1]] * gallery[wanted.items]).sum(1)
    torch.testing.assert_close(scores, expected)
    if held > 4:
        assert {0, 9, STRIP + 8} <= set(seen[:STRIP])


def test_what_is_excluded_scores_nothing(gallery):
    out = pairs([0, 1], [3, N - 1])
    wanted = pairs([0, 0, 1], [3, N - 1, 3])
    scores, _ = Strips(gallery, TILE_BYTES).of(torch.ones(QUERY_BLOCK, 4), out, wanted)
    assert scores.isinf().tolist() == [True, False, False]


@pytest.mark.parametrize("n_out", [2, 400])
def test_the_best_of_each_group_are_those_that_are_left(gallery, n_out):
    torch.manual_seed(0)
    items = torch.cat([torch.randperm(N)[:n_out] for _ in range(QUERY_BLOCK)])
    out = Pairs(torch.arange(QUERY_BLOCK).repeat_interleave(n_out), items)
    strips = Strips(gallery, 100 * TILE_BYTES)
    _, parts = strips.of(torch.randn(QUERY_BLOCK, 4), out, Pairs.none(gallery.device))
    for strip in parts:
        groups = strip.tiles.transpose(0, 1).unflatten(2, (-1, GROUP))
        assert torch.equal(strip.maxima, groups.amax(3))


@pytest.mark.parametrize("held", [1, 6, 100])
def test_leaders_after_a_target(gallery, held):
    strips = Strips(gallery, held * TILE_BYTES)
    targets = Pairs(torch.arange(2), torch.tensor([4000, int(gallery[:, 1].argmin())]))
    scores, parts = strips.of(strips.tiles.block(torch.eye(4)[:2]), Pairs.none(gallery.device), targets)
    leaders = Leaders(2, 9, gallery.device)
    for strip in parts:
        strip.keep_after(targets, scores)
        leaders.add(strip)
    order = gallery[:, 0].sort(descending=True, stable=True).indices.tolist()
    place = order.index(4000)
    assert unpack(leaders.keys)[1][0].tolist() == order[place + 1 : place + 10]
    assert (leaders.keys[1] == NEVER).all()  # nothing after it


def test_memory_that_ends_halves_the_budget_down_to_one_tile(gallery):
    strips, budgets = Strips(gallery, 100 * TILE_BYTES), []

    def work():
        budgets.append(strips.memory_budget // TILE_BYTES)
        raise torch.OutOfMemoryError("no memory is left")

    with pytest.raises(torch.OutOfMemoryError):
        strips.within_memory(work)
    n = len(strips.tiles)  # no more than there are
    assert budgets == [100, *(n >> halvings for halvings in range(1, n.bit_length()))]

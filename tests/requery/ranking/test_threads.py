"""Several threads: the same bits as one, whatever the mode of the caller."""

import pytest
import torch

from requery.errors import ConfigError
from requery.negatives import Strategy, define
from requery.ranking.qrels import Qrels
from requery.ranking.ranks import rank
from requery.ranking.strips import Strips
from requery.ranking.threads import each_block
from requery.ranking.tiles import QUERY_BLOCK


@pytest.fixture
def threads():
    """Set the number of threads, and set it back."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def inputs(n, tokens):
    draw = torch.Generator().manual_seed(0)
    gallery = torch.randn(n, tokens, 16, generator=draw)
    return torch.randn(3 * QUERY_BLOCK + 5, 16, generator=draw), gallery


@pytest.mark.parametrize("tokens", [1, 3])
def test_ranks_and_sets_do_not_depend_on_threads(threads, tokens):
    queries, gallery = inputs(700, tokens)
    target = torch.arange(len(queries)) % 700
    qrels, made = Qrels.from_targets(target), []
    for n in (1, 4):
        threads(n)
        ranking = rank(queries, gallery, qrels, top_k=10)
        sets = [define(Strategy(name), queries, gallery, target) for name in ("two_drop", "two_drop_window")]
        made.append((ranking, [each.to_bytes() for each in sets]))
        assert torch.get_num_threads() == n
    (one, one_sets), (four, four_sets) = made
    assert torch.equal(one.target_rank, four.target_rank) and torch.equal(one.top_index, four.top_index)
    assert torch.equal(one.target_score, four.target_score) and torch.equal(one.top_score, four.top_score)
    assert one_sets == four_sets


def test_it_works_under_inference_mode(threads):
    threads(2)
    queries, gallery = inputs(50, 2)
    with torch.inference_mode():
        ranking = rank(queries.clone(), gallery.clone(), Qrels.from_targets(torch.zeros(len(queries)).long()))
    assert (ranking.target_rank > 0).all()


def test_an_error_in_a_block_comes_out_and_the_threads_are_set_back(threads):
    threads(3)

    def work(strips, number):
        if number == 1:
            raise ConfigError("block 1")
        return number

    strips = Strips(torch.randn(10, 4), 2**20)
    assert list(each_block(strips, lambda _, number: number, 5)) == [0, 1, 2, 3, 4]
    with pytest.raises(ConfigError, match="block 1"):
        list(each_block(strips, work, 5))
    assert torch.get_num_threads() == 3

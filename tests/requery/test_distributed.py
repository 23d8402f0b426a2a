"""What processes share is what one process alone has, to the bit."""

import pytest
import torch

from requery import distributed
from requery.encode import BLOCK, encode_blocks
from requery.negatives import Strategy, define
from requery.ranking.gathered import gathered
from requery.ranking.metrics import evaluate
from requery.ranking.qrels import Qrels
from requery.ranking.ranks import rank
from requery.ranking.tiles import QUERY_BLOCK
from tests.processes import together

SIZES = (1, 2, 3, 4, 7)


def test_one_process_is_the_identity():
    rows = torch.arange(3.0, requires_grad=True)
    assert distributed.gather(rows) is rows
    assert list(distributed.share(5)) == [0, 1, 2, 3, 4]
    assert distributed.any_of(True) and not distributed.any_of(False) and distributed.total(3) == 3


def uneven(dtype):
    here = distributed.rank()
    rows = torch.arange(here * 6).reshape(here * 2, 3).to(dtype)  # none on the first
    return distributed.gather(rows), list(distributed.share(5)), distributed.any_of(here == 1)


@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.float16, torch.float32])
def test_rows_of_any_number_and_dtype_come_in_order(dtype):
    answers = together(uneven, 3, dtype)
    expected = torch.cat([torch.arange(n * 6).reshape(n * 2, 3) for n in range(3)]).to(dtype)
    assert all(torch.equal(rows, expected) and rows.dtype == dtype for rows, _, _ in answers)
    assert [part for _, own, _ in answers for part in own] == [0, 1, 2, 3, 4]
    assert all(flag for _, _, flag in answers)


def gradient():
    here = distributed.rank()
    own = torch.full((here, 2), 1.0 + here, requires_grad=True)
    (distributed.gather(own) ** 2).sum().backward()
    return own.grad


def test_gradients_are_summed_over_the_processes():
    for here, grad in enumerate(together(gradient, 3)):
        assert torch.equal(grad, torch.full((here, 2), 3 * 2 * (1.0 + here)))  # three losses ask for it


def made(n):
    """Encode, rank and define with counts that do not divide; n items are one block or many."""
    weight = torch.randn(8, 8, generator=torch.Generator().manual_seed(0))
    items = torch.randn(n, 3, 8, generator=torch.Generator().manual_seed(1))
    gallery = encode_blocks(lambda index: torch.tanh(items[index] @ weight), n, shared=True)
    queries = encode_blocks(lambda index: torch.tanh(items[index, 0] @ weight + 0.1), n, shared=True)
    target = torch.arange(n).flip(0)
    qrels = Qrels.from_targets(target)
    blocks = distributed.share(-(-n // QUERY_BLOCK))
    rows = torch.arange(n)[blocks.start * QUERY_BLOCK : blocks.stop * QUERY_BLOCK]
    ranking = gathered(rank(queries[rows], gallery, qrels.select(rows), top_k=10))
    metrics = evaluate(ranking, qrels, ["recall@1", "mrr@10"])
    sets = define(Strategy(), queries, gallery, target)
    return gallery, ranking.target_rank, ranking.target_score, ranking.top_index, metrics, sets.to_bytes()


@pytest.mark.parametrize("n", [BLOCK // 2, 3 * QUERY_BLOCK + 11])
def test_any_number_of_processes_gives_the_same_bits(n):
    (alone,) = together(made, 1, n)
    assert len(alone[0]) == n and (alone[1] > 0).all()
    for size in SIZES[1:]:
        for answer in together(made, size, n):
            assert all(torch.equal(a, b) for a, b in zip(alone[:4], answer[:4], strict=True))
            assert answer[4:] == alone[4:]

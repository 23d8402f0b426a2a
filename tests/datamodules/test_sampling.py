"""Batches: the same whatever the number of processes, and resumable at any of them."""

from itertools import chain

import pytest
import torch

from datamodules.sampling import EpochShuffle, IndexLoader, QueryBlocks, TrainingBatches
from requery import distributed
from requery.ranking.tiles import QUERY_BLOCK


def as_process(monkeypatch, rank, processes):
    monkeypatch.setattr(distributed, "rank", lambda: rank)
    monkeypatch.setattr(distributed, "world_size", lambda: processes)


@pytest.mark.parametrize("processes", [1, 2, 3, 7])
@pytest.mark.parametrize("drop_last", [False, True])
def test_processes_share_each_batch(monkeypatch, processes, drop_last):
    batches = TrainingBatches(EpochShuffle(23, seed=5), 6, drop_last)
    whole = list(batches)
    assert [len(batch) for batch in whole] == [6, 6, 6] + [5] * (not drop_last) and len(batches) == len(whole)
    parts = []
    for rank in range(processes):
        as_process(monkeypatch, rank, processes)
        parts.append(list(batches))
    assert [list(chain.from_iterable(step)) for step in zip(*parts, strict=True)] == whole


@pytest.mark.parametrize(("n", "processes"), [(1, 1), (1, 3), (3 * QUERY_BLOCK, 2), (4 * QUERY_BLOCK + 1, 3)])
def test_every_process_gets_equally_many_whole_blocks(monkeypatch, n, processes):
    parts = []
    for rank in range(processes):
        as_process(monkeypatch, rank, processes)
        parts.append(list(QueryBlocks(n)))
        assert len(QueryBlocks(n)) == len(parts[-1])
    assert len({len(part) for part in parts}) == 1
    blocks = [block for part in parts for block in part if block]
    assert list(chain.from_iterable(blocks)) == list(range(n))
    assert all(block[0] % QUERY_BLOCK == 0 for block in blocks)


def test_a_loader_goes_on_after_the_batches_it_has_read():
    def loader():
        made = IndexLoader(TrainingBatches(EpochShuffle(20, seed=1), 3))
        made.sampler.set_epoch(4)
        return made

    whole = [batch.tolist() for batch in loader()]
    stopped = loader()
    batches = iter(stopped)
    assert [next(batches).tolist() for _ in range(3)] == whole[:3] and len(stopped) == len(whole)
    resumed = loader()
    resumed.load_state_dict(stopped.state_dict())
    assert [batch.tolist() for batch in resumed] == whole[3:]
    assert [batch.tolist() for batch in resumed] == whole  # the next epoch is whole again
    assert next(iter(resumed)).dtype == torch.int64

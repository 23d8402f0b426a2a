import numpy as np
import pytest
import torch

from requery.errors import DataError, RunError
from requery.negatives import NegativeSets, UniformNegatives
from requery.ragged import Ragged


def some_sets(m=50, seed=0):
    rng = np.random.default_rng(seed)
    rows = [np.sort(rng.choice(1000, rng.integers(1, 30), replace=False)) for _ in range(m)]
    sets = Ragged.from_rows([torch.from_numpy(row) for row in rows], dtype=torch.int32)
    return NegativeSets(sets, torch.arange(m) % 7 == 0, torch.arange(m) - 3)


def uniform(m=50, n=40):
    target = torch.arange(m) % n
    excluded = Ragged.from_rows([[] if i % 3 else [(i + 1) % n, i % n, (i + 5) % n] for i in range(m)])
    return UniformNegatives(n, target, excluded), target, excluded


@pytest.mark.parametrize("negatives", [some_sets(), uniform()[0]], ids=["sets", "uniform"])
def test_draws_are_a_function_of_seed_epoch_and_item(negatives):
    query = torch.arange(50)
    drawn = negatives.sample(query, 5, seed=1, epoch=2)
    assert drawn.dtype == torch.int64 and drawn.shape == (50, 5)
    order = torch.randperm(50, generator=torch.Generator().manual_seed(0))
    shuffled = torch.cat([negatives.sample(part, 5, seed=1, epoch=2) for part in order.split(7)])
    assert torch.equal(shuffled, drawn[order])
    assert torch.equal(negatives.sample(query[3:4].repeat(2), 5, seed=1, epoch=2), drawn[3].repeat(2, 1))
    for other in ({"seed": 2, "epoch": 2}, {"seed": 1, "epoch": 3}):
        assert not torch.equal(negatives.sample(query, 5, **other), drawn)


def test_members_distinct_where_the_set_is_large_enough():
    negatives = some_sets()
    drawn = negatives.sample(torch.arange(50), 5, seed=0, epoch=0)
    sizes = negatives.size
    assert bool((sizes < 5).any()) and bool((sizes == 5).any() | (sizes == 6).any())
    for i, row in enumerate(drawn):
        assert set(row.tolist()) <= set(negatives.sets[i].tolist())
        assert len(set(row.tolist())) == 5 or sizes[i] < 5


@pytest.mark.parametrize("k", [1, 3, 5])
def test_sets_are_sampled_uniformly(k):
    # 8 members, 4,000 epochs: each column and each member equally often, chi-square within four deviations.
    sets = NegativeSets(
        Ragged.from_rows([[3, 5, 7, 11, 13, 17, 19, 23]], torch.int32),
        torch.zeros(1, dtype=torch.bool),
        torch.ones(1, dtype=torch.int64),
    )
    drawn = torch.cat([sets.sample(torch.zeros(1).long(), k, seed=0, epoch=e) for e in range(4000)])
    for column in drawn.T:
        counts = torch.bincount(column, minlength=24)[sets.sets[0].long()]
        chi2 = float(((counts - 500) ** 2 / 500).sum())
        assert counts.sum() == 4000 and chi2 < 7 + 4 * np.sqrt(14)


def test_pairs_without_replacement_are_uniform():
    sets = NegativeSets(
        Ragged.from_rows([[0, 1, 2, 3]] * 6000, torch.int32),
        torch.zeros(6000, dtype=torch.bool),
        torch.ones(6000, dtype=torch.int64),
    )
    drawn = sets.sample(torch.arange(6000), 2, seed=5, epoch=0)
    counts = torch.bincount(drawn[:, 0] * 4 + drawn[:, 1], minlength=16).view(4, 4)
    assert counts.diagonal().sum() == 0
    off = counts[~torch.eye(4, dtype=torch.bool)]
    assert float(((off - 500) ** 2 / 500).sum()) < 11 + 4 * np.sqrt(22)


def test_small_sets_repeat():
    sets = some_sets()
    one = int((sets.size == sets.size.min()).nonzero()[0])
    drawn = sets.sample(torch.tensor([one]), 200, seed=0, epoch=0)
    assert set(drawn[0].tolist()) == set(sets.sets[one].tolist())


def test_uniform_draws_everything_but_the_target_and_the_excluded():
    negatives, target, excluded = uniform()
    for i in (0, 1, 3, 41, 42):
        drawn = torch.cat([negatives.sample(torch.tensor([i]), 3, seed=0, epoch=e) for e in range(600)])
        assert all(len(set(row)) == 3 for row in drawn.tolist())
        allowed = set(range(40)) - {int(target[i])} - set(excluded[i].tolist())
        counts = np.bincount(drawn.flatten(), minlength=40)
        assert set(np.flatnonzero(counts)) == allowed
        expected = 1800 / len(allowed)
        chi2 = ((counts[list(allowed)] - expected) ** 2 / expected).sum()
        assert chi2 < len(allowed) + 4 * np.sqrt(2 * len(allowed))


def test_uniform_stays_in_the_group_of_the_query():
    corpus_group = torch.tensor([1, 0, 2, 1, 0, 2, 1, 0, 2, 1])
    target = torch.tensor([0, 1, 2, 9])
    excluded = Ragged.from_rows([[3, 1], [0], [], [3, 3]])
    negatives = UniformNegatives(10, target, excluded, corpus_group[target], corpus_group)
    drawn = torch.cat([negatives.sample(torch.arange(4), 1, seed=0, epoch=e) for e in range(100)], 1)
    assert [set(row) for row in drawn.tolist()] == [{6, 9}, {4, 7}, {5, 8}, {0, 6}]
    assert negatives.summary() == {"size_median": 2.0, "size_q1": 2.0, "size_q3": 2.0, "fallbacks": 0.0}


def test_uniform_names_the_queries_it_cannot_serve():
    with pytest.raises(DataError, match=r"outside the corpus of 3 items at queries 1"):
        UniformNegatives(3, torch.tensor([0, 3]))
    with pytest.raises(DataError, match=r"outside the corpus of 3 items at queries 0"):
        UniformNegatives(3, torch.tensor([-1, 2]))
    with pytest.raises(DataError, match=r"no negative is left for queries 1"):
        UniformNegatives(2, torch.tensor([0, 1]), Ragged.from_rows([[], [0]]))
    group = torch.tensor([0, 0, 1])
    with pytest.raises(DataError, match=r"another group than their query at queries 1"):
        UniformNegatives(3, torch.tensor([0, 1]), None, torch.tensor([0, 1]), group)
    with pytest.raises(DataError, match="together"):
        UniformNegatives(3, torch.tensor([0]), query_group=torch.tensor([0]))
    with pytest.raises(DataError, match="1 groups for 1 queries"):
        UniformNegatives(4, torch.tensor([0]), None, torch.tensor([0]), group)


def test_the_file_is_the_same_sets_and_is_checked(tmp_path):
    sets, path = some_sets(), tmp_path / "negatives" / "epoch_005.safetensors"
    digest = sets.save(path)
    assert digest == sets.save(tmp_path / "again.safetensors")
    again = NegativeSets.load(path, digest)
    assert torch.equal(again.sets.values, sets.sets.values) and again.sets.values.dtype == torch.int32
    assert torch.equal(again.fallback, sets.fallback) and torch.equal(again.first_offset, sets.first_offset)
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(RunError, match="has changed"):
        NegativeSets.load(path, digest)
    path.write_bytes(data[:40])
    with pytest.raises(RunError, match="not a file of negatives"):
        NegativeSets.load(path)
    with pytest.raises(RunError, match="absent"):
        NegativeSets.load(tmp_path / "absent")


def test_summary_and_empty_sets():
    sets = Ragged.from_rows([[1], [1, 2], [1, 2, 3], [4, 5, 6, 7]], torch.int32)
    flags = torch.tensor([True, False, True, False])
    summary = NegativeSets(sets, flags, torch.tensor([1, 2, 5, -3])).summary()
    assert summary == {
        "size_median": 2.5,
        "size_q1": 1.75,
        "size_q3": 3.25,
        "first_offset_median": 1.5,
        "fallbacks": 2.0,
    }
    with pytest.raises(DataError, match="queries 1, 2"):
        NegativeSets(Ragged.from_rows([[1], [], []]), torch.zeros(3).bool(), torch.zeros(3).long())
    with pytest.raises(DataError, match="not one per query"):
        NegativeSets(sets, flags[:2], torch.zeros(4).long())

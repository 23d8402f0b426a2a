import pytest
import torch

from requery.errors import ConfigError, DataError, EmbeddingError
from requery.index import ExactIndex
from requery.ragged import Ragged
from requery.ranking.qrels import Qrels

pytest.importorskip("faiss")

from requery.index.faiss import recall
from requery.index.lsh import LshIndex


def unit(*shape, seed=0):
    return torch.nn.functional.normalize(
        torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1
    )


def filled(index):
    index.add(unit(300, 16))
    index.add(unit(20, 1, 16, seed=1))
    return index


def test_with_every_item_a_candidate_it_is_exact():
    queries, excluded = unit(6, 16, seed=2), Ragged.from_rows([[i] for i in range(6)])
    expected = filled(ExactIndex()).search(queries, 9, excluded)
    index = filled(LshIndex(64, 320))
    scores, items = index.search(queries, 9, excluded)
    assert torch.equal(items, expected[1])
    torch.testing.assert_close(scores, expected[0])
    qrels = Qrels.from_targets(expected[1][:, 3], excluded)
    assert index.rank(queries, qrels).target_rank.tolist() == [4] * 6


def test_more_bits_and_candidates_find_more():
    queries = unit(40, 16, seed=2)
    truth = filled(ExactIndex()).search(queries, 10)[1]
    found = {
        setting: recall(filled(LshIndex(*setting)).search(queries, 10)[1], truth)
        for setting in [(16, 20), (256, 20), (256, 60)]
    }
    assert found[16, 20] < found[256, 20] < found[256, 60]
    assert found[256, 60] > 0.95


def test_an_index_comes_back_from_its_file(tmp_path):
    index, queries = filled(LshIndex(128, 30)), unit(5, 16, seed=3)
    index.save(path := tmp_path / "index")
    again = LshIndex.load(path)
    assert (again.bits, again.candidates, len(again)) == (128, 30, 320)
    assert torch.equal(again.search(queries, 7)[1], index.search(queries, 7)[1])
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(DataError, match="build it again"):
        LshIndex.load(path)


def test_bad_use_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="0 bits"):
        LshIndex(0)
    for call in (lambda i: i.search(unit(1, 16), 1), lambda i: i.save(tmp_path / "x")):
        with pytest.raises(DataError, match="gallery is empty"):
            call(LshIndex())
    with pytest.raises(EmbeddingError, match="one embedding an item"):
        LshIndex().add(unit(3, 2, 8))
    with pytest.raises(ConfigError, match="top_k"):
        filled(LshIndex()).search(unit(1, 16), 0)

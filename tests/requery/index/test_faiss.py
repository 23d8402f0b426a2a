import pytest
import torch

from requery.errors import ConfigError, DataError, EmbeddingError
from requery.index import ExactIndex, Index
from requery.ragged import Ragged
from requery.ranking.qrels import Qrels

pytest.importorskip("faiss")

from requery.index.faiss import FaissIndex, recall


def unit(*shape, seed=0):
    return torch.nn.functional.normalize(
        torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1
    )


def filled(index: Index, n=300):
    index.add(unit(n, 16))
    index.add(unit(20, 1, 16, seed=1))
    return index


def test_flat_is_exact():
    queries, excluded = unit(6, 16, seed=2), Ragged.from_rows([[i] for i in range(6)])
    flat, exact = filled(FaissIndex()), filled(ExactIndex())
    scores, items = flat.search(queries, 9, excluded)
    expected = exact.search(queries, 9, excluded)
    assert len(flat) == 320 and torch.equal(items, expected[1])
    torch.testing.assert_close(scores, expected[0])
    qrels = Qrels.from_targets(expected[1][:, 3], excluded)
    assert flat.rank(queries, qrels).target_rank.tolist() == [4] * 6
    assert flat.rank(queries, qrels, top_k=2).target_rank.tolist() == [0] * 6


@pytest.mark.parametrize(("factory", "parameters"), [("HNSW16", "efSearch=64"), ("IVF8,Flat", "nprobe=4")])
def test_an_approximate_index_tells_its_recall(factory, parameters, tmp_path):
    queries = unit(30, 16, seed=2)
    index = filled(FaissIndex(factory, parameters))
    exact = filled(ExactIndex()).search(queries, 10)[1]
    found = index.search(queries, 10)[1]
    assert 0.6 < recall(found, exact) <= 1
    index.save(path := tmp_path / "index")
    again = FaissIndex.load(path)
    assert torch.equal(again.search(queries, 10)[1], found)
    assert (again.factory, again.parameters, len(again)) == (factory, parameters, 320)


def test_more_search_finds_more():
    queries, exact = unit(30, 16, seed=2), filled(ExactIndex())
    few, many = (filled(FaissIndex("IVF16,Flat", f"nprobe={n}")) for n in (1, 16))
    truth = exact.search(queries, 10)[1]
    assert recall(few.search(queries, 10)[1], truth) < recall(many.search(queries, 10)[1], truth) == 1


def test_bad_use_is_refused(tmp_path):
    with pytest.raises(DataError, match="gallery is empty"):
        FaissIndex().search(unit(1, 8), 1)
    with pytest.raises(ConfigError, match="FAISS index 'Nothing'"):
        FaissIndex("Nothing").add(unit(3, 8))
    with pytest.raises(EmbeddingError, match="one embedding an item"):
        FaissIndex().add(unit(3, 2, 8))
    index = filled(FaissIndex())
    with pytest.raises(EmbeddingError, match="8 dimensions do not fit an index of 16"):
        index.add(unit(3, 8))
    with pytest.raises(EmbeddingError, match="differ in their last size"):
        index.search(unit(1, 8), 1)
    with pytest.raises(ConfigError, match="top_k"):
        index.search(unit(1, 16), 0)
    path = tmp_path / "index"
    for content in (b"", b"{}\nnothing", b"[1]\n", b'{"other": 1}\n'):
        path.write_bytes(content)
        with pytest.raises(DataError, match="not a readable FAISS index"):
            FaissIndex.load(path)

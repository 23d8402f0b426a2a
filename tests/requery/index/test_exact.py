import pytest
import torch
from safetensors.torch import save_file

from requery.errors import ConfigError, DataError, EmbeddingError
from requery.index import ExactIndex, Index
from requery.ragged import Ragged
from requery.ranking.qrels import Qrels
from requery.ranking.ranks import rank


def unit(*shape, seed=0):
    return torch.nn.functional.normalize(
        torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1
    )


@pytest.fixture
def filled() -> ExactIndex:
    index = ExactIndex()
    index.add(unit(30, 2, 8))
    index.add(unit(20, 2, 8, seed=1))
    return index


def test_search_and_rank_agree(filled):
    gallery, queries = torch.cat([unit(30, 2, 8), unit(20, 2, 8, seed=1)]), unit(6, 8, seed=2)
    excluded = Ragged.from_rows([[i] for i in range(6)])
    qrels = Qrels.from_targets(torch.arange(10, 16), excluded)
    expected = rank(queries, gallery, qrels, top_k=5)
    index: Index = filled
    scores, items = index.search(queries, 5, excluded)
    assert len(index) == 50
    assert torch.equal(items, expected.top_index) and torch.equal(scores, expected.top_score)
    assert torch.equal(filled.rank(queries, qrels).target_rank, expected.target_rank)


def test_k_is_clipped_to_the_gallery(filled):
    scores, items = filled.search(unit(3, 8), 999)
    assert scores.shape == items.shape == (3, 50)
    assert items.sort(1).values.tolist() == [list(range(50))] * 3


def test_an_index_comes_back_from_its_file(filled, tmp_path):
    path = tmp_path / "a" / "index.safetensors"
    filled.save(path)
    again = ExactIndex.load(path)
    assert torch.equal(again.embeddings, filled.embeddings)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_bad_use_is_refused(filled, tmp_path):
    for call in (lambda i: i.search(unit(1, 8), 1), lambda i: i.save(tmp_path / "x")):
        with pytest.raises(DataError, match="gallery is empty"):
            call(ExactIndex())
    with pytest.raises(ConfigError, match="top_k"):
        filled.search(unit(1, 8), -1)
    with pytest.raises(EmbeddingError, match=r"\(1, 8\) do not fit an index of \(2, 8\)"):
        filled.add(unit(3, 8))
    with pytest.raises(EmbeddingError, match=r"not \(8,\)"):
        filled.add(unit(8))
    with pytest.raises(EmbeddingError, match=r"gallery .*: 1;"):
        filled.add(torch.ones(3, 2, 8) * torch.tensor([1.0, 0.0, 1.0])[:, None, None])
    assert len(filled) == 50


def test_bad_files_are_named(filled, tmp_path):
    path = tmp_path / "index"
    with pytest.raises(DataError, match="index"):
        ExactIndex.load(path)
    filled.save(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match="not a readable index"):
        ExactIndex.load(path)
    save_file({"embeddings": torch.ones(1, 1, 1)}, path)
    with pytest.raises(DataError, match="not an exact index"):
        ExactIndex.load(path)


def test_no_single_flipped_bit_is_ever_served(filled, tmp_path):
    path = tmp_path / "index"
    filled.save(path)
    whole = path.read_bytes()
    for at in [*range(0, 300, 7), *range(300, len(whole), 101)]:
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        with pytest.raises(DataError, match=r"index: .*build it again"):
            ExactIndex.load(path)

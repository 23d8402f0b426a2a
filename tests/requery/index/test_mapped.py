import pytest
import torch
from safetensors.torch import load_file

from requery.errors import DataError, EmbeddingError
from requery.index import ExactIndex, MappedIndex, VectorIndex
from requery.ragged import Ragged
from requery.ranking.qrels import Qrels
from tests.requery.index.test_exact import unit


def pair(*parts):
    """A mapped index and an exact one of the same rounded embeddings."""
    mapped, exact = MappedIndex(), ExactIndex()
    for part in parts:
        mapped.add(part)
        exact.add(part.half())
    return mapped, exact


@pytest.mark.parametrize("shape", [(1, 8), (700, 24), (1_500, 3, 16)])
def test_every_bit_is_that_of_the_exact_index(shape):
    gallery = unit(*shape)
    gallery[-1] = gallery[0]  # a tie
    mapped, exact = pair(gallery[: shape[0] // 3 + 1], gallery[shape[0] // 3 + 1 :])
    n, queries = len(exact), unit(520, shape[-1], seed=1)
    assert len(mapped) == n and isinstance(mapped, VectorIndex)
    excluded = Ragged.from_rows([[(i + 1) % n] if n > 1 else [] for i in range(520)])
    qrels = Qrels.from_targets(torch.arange(520) % n, excluded)
    for k in (5, 2_000):
        ours, theirs = mapped.rank(queries, qrels, top_k=k), exact.rank(queries, qrels, top_k=k)
        for name in ("target_rank", "target_score", "relevant_rank", "top_index", "top_score"):
            assert torch.equal(getattr(ours, name), getattr(theirs, name))
    assert all(map(torch.equal, mapped.search(queries, 7), exact.search(queries, 7)))
    items = torch.randint(n, (4, 3), generator=torch.Generator().manual_seed(2))
    assert torch.equal(mapped.vectors(items), exact.vectors(items))


def test_an_index_comes_back_from_its_file_and_grows(tmp_path):
    path, gallery = tmp_path / "a" / "index.safetensors", unit(300, 8)
    mapped, _ = pair(gallery[:200])
    mapped.save(path)
    assert torch.equal(load_file(path)["embeddings"], mapped.embeddings)
    again = MappedIndex.load(path)
    assert torch.equal(again.embeddings, mapped.embeddings)
    assert again.embeddings.data_ptr() % 64 == 0
    before = path.read_bytes()
    again.add(gallery[200:])
    _, exact = pair(gallery)
    queries = unit(5, 8, seed=3)
    assert all(map(torch.equal, again.search(queries, 9), exact.search(queries, 9)))
    assert path.read_bytes() == before and [p.name for p in path.parent.iterdir()] == [path.name]


def test_what_is_searched_is_mapped_not_copied(tmp_path):
    mapped, _ = pair(unit(2_000, 16))
    place = mapped.embeddings.data_ptr()
    mapped.search(unit(3, 16), 4)
    maps = [line.split() for line in open("/proc/self/maps") if "(deleted)" in line]
    ranges = [tuple(int(end, 16) for end in line[0].split("-")) for line in maps]
    assert any(low <= place < high for low, high in ranges)
    assert mapped.embeddings.dtype == torch.float16


def test_bad_use_is_refused(tmp_path):
    empty = MappedIndex()
    for call in (lambda: empty.search(unit(1, 8), 1), lambda: empty.save(tmp_path / "x")):
        with pytest.raises(DataError, match="gallery is empty"):
            call()
    index = MappedIndex()
    index.add(unit(30, 2, 8))
    with pytest.raises(EmbeddingError, match=r"\(1, 8\) do not fit an index of \(2, 8\)"):
        index.add(unit(3, 8))
    with pytest.raises(EmbeddingError, match=r"not \(8,\)"):
        index.add(unit(8))
    # Too small, and too large, for half precision.
    with pytest.raises(EmbeddingError, match=r"gallery .*: 1;"):
        index.add(torch.ones(3, 2, 8) * torch.tensor([1.0, 1e-9, 1.0])[:, None, None])
    with pytest.raises(EmbeddingError, match=r"gallery .*: 2;"):
        index.add(torch.ones(3, 2, 8) * torch.tensor([1.0, 1.0, 1e9])[:, None, None])
    with pytest.raises(EmbeddingError, match="query"):
        index.search(torch.full((1, 8), torch.nan), 1)
    assert len(index) == 30


def test_no_single_flipped_bit_is_ever_served(tmp_path):
    path = tmp_path / "index"
    with pytest.raises(DataError, match="index"):
        MappedIndex.load(path)
    mapped, exact = pair(unit(30, 8))
    exact.save(path)
    with pytest.raises(DataError, match="not a mapped index"):
        MappedIndex.load(path)
    mapped.save(path)
    whole = path.read_bytes()
    for at in range(0, len(whole), 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        with pytest.raises(DataError, match=r"index: .*build it again"):
            MappedIndex.load(path)
    path.write_bytes(whole[:-1])
    with pytest.raises(DataError, match="not a readable index"):
        MappedIndex.load(path)

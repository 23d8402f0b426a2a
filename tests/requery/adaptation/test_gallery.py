import pytest
import torch
from torch.nn import functional as F

from requery.adaptation import gallery as module
from requery.adaptation.gallery import Gallery
from requery.errors import DataError, EmbeddingError


def unit(*shape, seed=0):
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


@pytest.mark.parametrize("shape", [(50, 6), (50, 3, 6)])
def test_scores_and_nearest_against_the_whole_product(monkeypatch, shape):
    embeddings, queries = unit(*shape), unit(7, 6, seed=1)
    tokens = embeddings.view(50, -1, 6)
    scores = torch.einsum("bd,mtd->bmt", queries, tokens)
    for piece in (1 << 24, 7 * 3 * 4):
        monkeypatch.setattr(module, "PIECE", piece)
        gallery = Gallery(embeddings)
        torch.testing.assert_close(gallery.scores(queries), scores.amax(2))
        items, candidates = gallery.nearest(queries)
        assert torch.equal(items, scores.amax(2).argmax(1))
        best = tokens[items, scores[torch.arange(7), items].argmax(1)]
        assert torch.equal(candidates, best)
        assert torch.equal(gallery.closest_token(queries, items), best)
        torch.testing.assert_close(gallery.among(queries, items), scores.amax(2)[:, items])


def test_the_gradient_of_tokens_is_that_of_the_best(monkeypatch):
    monkeypatch.setattr(module, "PIECE", 60)
    embeddings, queries = unit(20, 4, 5).double(), unit(3, 5, seed=1).double().requires_grad_()
    weight = torch.randn(3, 20, generator=torch.Generator().manual_seed(2)).double()
    (found,) = torch.autograd.grad((Gallery(embeddings).scores(queries) * weight).sum(), queries)
    whole = torch.einsum("bd,mtd->bmt", queries, embeddings).amax(2)
    (expected,) = torch.autograd.grad((whole * weight).sum(), queries)
    torch.testing.assert_close(found, expected)


def test_the_first_of_equal_items_is_nearest(monkeypatch):
    monkeypatch.setattr(module, "PIECE", 2)
    embeddings = unit(3, 4)[[0, 1, 1, 2, 1]]
    assert Gallery(embeddings).nearest(embeddings[4:])[0].tolist() == [1]


def test_a_unit_gallery_is_not_copied_and_another_is_normalised():
    embeddings = unit(5, 4)
    assert Gallery(embeddings).tokens.data_ptr() == embeddings.data_ptr()
    torch.testing.assert_close(Gallery(3 * embeddings).tokens[:, 0], embeddings)


def test_half_precision_is_widened():
    embeddings = unit(5, 4).half()
    gallery = Gallery(embeddings)
    assert gallery.tokens.dtype == torch.float16
    assert gallery.scores(unit(2, 4, seed=1)).dtype == torch.float32
    assert gallery.nearest(unit(2, 4, seed=1))[1].dtype == torch.float32


def test_what_cannot_be_a_gallery_is_refused():
    with pytest.raises(DataError, match="empty"):
        Gallery(torch.empty(0, 4))
    with pytest.raises(EmbeddingError, match="1 gallery embeddings"):
        Gallery(torch.tensor([[1.0, 0.0], [0.0, 0.0]]))

import pytest
import torch
from torch.nn.functional import normalize

from requery.errors import ConfigError
from requery.feedback.retrieved import DEPTH, Retrieved


@pytest.fixture
def found():
    """Three images with two, three and one captions."""
    generator = torch.Generator().manual_seed(0)
    texts, images = (normalize(torch.randn(n, 4, generator=generator), dim=-1) for n in (6, 3))
    return Retrieved.make(torch.tensor([0, 2, 5, 6]), texts, images[:, None])


def test_the_search_is_that_of_numpy(found):
    scores = found.texts @ found.images[:, 0].T
    order = scores.argsort(1, descending=True)
    assert torch.equal(found.items, order) and found.items.shape[1] == min(DEPTH, 3)
    own = torch.tensor([0, 0, 1, 1, 1, 2])
    assert found.rank.tolist() == [1 + row.tolist().index(i) for row, i in zip(order, own, strict=True)]


def test_captions_are_chosen_among_an_images_own(found):
    images = torch.tensor([0, 1, 1, 2])
    assert found.choose(images, torch.tensor([3, 3, 4, 9])).tolist() == [1, 2, 3, 5]
    others = found.others(torch.tensor([0, 1]), torch.tensor([1, 3]))
    assert torch.equal(others[1], found.texts[[4, 2]]) and torch.equal(others[0], found.texts[[0, 0]])
    with pytest.raises(ConfigError, match="one caption"):
        found.others(torch.tensor([2]), torch.tensor([5]))


def test_it_is_found_once_and_again_when_damaged(found, tmp_path):
    made = []

    def make():
        made.append(1)
        return found

    for content in (["a"], ["a"], ["b"]):
        kept = Retrieved.kept(tmp_path, content, make)
        assert all(torch.equal(a, b) for a, b in zip(vars(kept).values(), vars(found).values(), strict=True))
    assert len(made) == 2
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:-8])
    Retrieved.kept(tmp_path, ["a"], make)
    Retrieved.kept(tmp_path, ["a"], make)
    assert len(made) == 3

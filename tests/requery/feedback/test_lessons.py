import pytest
import torch
from torch.nn.functional import cosine_similarity, normalize

from requery.errors import ConfigError
from requery.feedback.lessons import Lessons, Training
from requery.feedback.retrieved import Retrieved
from requery.feedback.summarizer_file import Head, Widths, make_summarizer

N, C, D = 12, 3, 8
HEAD = Head(k=3, dim=16, heads=2)
WIDTHS = Widths(5, 6, D)


def unit(*shape, seed=0):
    return normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def table(n, width, seed):
    values, mask = unit(n, 4, width, seed=seed), torch.arange(4) < 1 + torch.arange(n)[:, None] % 4
    return lambda numbers: (values[numbers], mask[numbers])


@pytest.fixture
def lessons():
    found = Retrieved.make(torch.arange(0, N * C + 1, C), unit(N * C, D), unit(N, 2, D, seed=1))
    return Lessons(found, table(N * C, 5, 2), table(N, 6, 3), table(N, 5, 4))


@pytest.mark.parametrize(
    "training",
    [
        Training(),
        Training(caption_loss=True, random_mask=True),
        Training(image_loss=False, contrast=1.0, queries="hard"),
    ],
)
def test_twenty_steps_lower_the_loss(lessons, training):
    torch.manual_seed(0)
    model = make_summarizer(HEAD, WIDTHS)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    images, values = torch.arange(N), []
    rows = lessons.draw(images, training, 0, 0)
    for step in range(20):
        out = lessons.summarise(model, HEAD, rows, (0, step) if training.random_mask else None)
        loss = lessons.loss(out, images, rows, training)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    assert values[-1] < 0.8 * values[0]


def test_losses_are_those_of_a_loop(lessons):
    images, rows, found = torch.tensor([3, 7]), torch.tensor([10, 21]), lessons.found
    out = torch.randn(2, D, generator=torch.Generator().manual_seed(9))
    image, contrast = 0.0, 0.0
    for number, (i, row) in enumerate(zip(images.tolist(), rows.tolist(), strict=True)):
        tokens = found.images[i]
        target = tokens[(tokens @ found.texts[row]).argmax()]
        image += 0.5 * (1 - float(cosine_similarity(out[number], target, dim=0))) / 2
        own = normalize(out[number], dim=-1)
        score = (found.images @ own).amax(1) / 0.05
        rivals = [j for j in [*found.items[row].tolist(), *images.tolist()] if j != i]
        contrast -= float(score[[i, *rivals]].log_softmax(0)[0]) / 2
    assert float(lessons.loss(out, images, rows, Training())) == pytest.approx(image, rel=1e-5)
    both = lessons.loss(out, images, rows, Training(contrast=0.5))
    assert float(both) == pytest.approx(image + 0.5 * contrast, rel=1e-5)


def test_hard_queries_are_drawn_where_there_are_any(lessons):
    images, rank = torch.arange(N), lessons.found.rank
    drawn = torch.stack([lessons.draw(images, Training(queries="hard"), 0, epoch) for epoch in range(9)])
    easy = (rank.view(N, C) == 1).all(1)
    assert bool((rank[drawn] > 1).any(0)[~easy].all()) and not bool((rank[drawn] == 1)[:, ~easy].any())
    plain = torch.stack([lessons.draw(images, Training(), 0, epoch) for epoch in range(9)])
    assert bool((plain // C == images).all()) and len(plain[:, 0].unique()) > 1


def test_padding_and_hidden_items_are_not_read(lessons):
    torch.manual_seed(0)
    model, rows = make_summarizer(HEAD, WIDTHS), torch.tensor([0, 4, 8])
    masked = lessons.summarise(model, HEAD, rows)
    read = lessons.summarise(model, Head(k=3, dim=16, heads=2, mask_padding=False), rows)
    hidden = lessons.summarise(model, HEAD, rows, (0, 1))
    assert not torch.allclose(masked, read) and not torch.allclose(masked, hidden)
    assert torch.equal(hidden, lessons.summarise(model, HEAD, rows, (0, 1)))


def test_a_training_without_loss_is_refused():
    with pytest.raises(ConfigError, match="every loss is off"):
        Training(image_loss=False)
    with pytest.raises(ConfigError, match="queries"):
        Training(queries="some")

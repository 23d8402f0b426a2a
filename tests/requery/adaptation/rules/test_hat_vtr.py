import torch

from requery.adaptation import HATVTR, Adapter
from requery.adaptation.hubness import suppress_hubs


def test_scores_are_corrected_by_the_batches_before(toy):
    adapter = Adapter(toy.encoder(), toy.gallery, HATVTR(memory=20))
    rows = []
    for number, batch in enumerate(toy.batches[:3]):
        queries = adapter.step(batch)
        plain = queries @ toy.gallery.T
        past = torch.cat(rows)[-20:] if rows else plain[:0]
        expected = suppress_hubs(torch.cat([past, plain]))[-16:] if number else plain
        torch.testing.assert_close(adapter.scores(queries), expected)
        rows.append(plain)
    assert adapter.rule.memory.shape == (20, 64)


def test_the_queue_keeps_the_farthest_queries(toy):
    adapter = Adapter(toy.encoder(), toy.gallery, HATVTR(steps=1))
    queries = adapter.step(toy.batches[0])
    distance = (queries - queries.mean(0)).norm(dim=1)
    torch.testing.assert_close(-adapter.rule.queue.scores, distance.topk(4).values)

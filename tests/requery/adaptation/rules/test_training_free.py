import numpy as np
import torch

from requery.adaptation import Adapter, TrainingFreeTCR


def test_against_numpy(toy):
    adapter = Adapter(toy.encoder(), toy.gallery, TrainingFreeTCR(scale=1.5))
    found = adapter.step(toy.batches[0])
    q, g = toy.encoder()(toy.batches[0]).detach().double().numpy(), toy.gallery.double().numpy()
    c = g[(q @ g.T).argmax(1)]
    centre, gap = q.mean(0), np.linalg.norm(q.mean(0) - c.mean(0))
    moved = 1.5 * (q - centre) + centre + (1 - adapter.rule.queue.gap.item() / gap) * (c.mean(0) - centre)
    expected = moved / np.linalg.norm(moved, axis=1, keepdims=True)
    torch.testing.assert_close(found.double(), torch.from_numpy(expected), rtol=1e-4, atol=1e-5)


def test_the_encoder_is_left_alone(toy):
    encoder = toy.encoder()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    adapter = Adapter(encoder, toy.gallery, TrainingFreeTCR())
    for batch in toy.batches:
        adapter.step(batch)
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())
    assert len(adapter.rule.queue) > 0

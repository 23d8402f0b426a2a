import numpy as np
import torch

from requery.adaptation.hubness import suppress_hubs


def test_against_numpy():
    scores = torch.rand(5, 7, generator=torch.Generator().manual_seed(0))
    s = scores.double().numpy()
    down = np.exp(100 * s) / np.exp(100 * s).sum(0)
    along = np.exp(10 * s) / np.exp(10 * s).sum(1, keepdims=True)
    expected = torch.from_numpy(0.3 * s * down + 0.7 * s * along).float()
    torch.testing.assert_close(suppress_hubs(scores, share=0.3), expected)


def test_a_hub_yields_to_the_item_of_its_query():
    hub, own = torch.full((4, 1), 0.5), 0.1 + 0.38 * torch.eye(4)
    scores = torch.cat([hub, own], 1)
    assert scores.argmax(1).tolist() == [0] * 4
    assert suppress_hubs(scores).argmax(1).tolist() == [1, 2, 3, 4]

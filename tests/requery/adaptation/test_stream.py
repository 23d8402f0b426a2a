import pytest
import torch
from torch import nn

from requery.adaptation import READ, SAR, SHOT, TCR, Adapter, DeYO, NoAdaptation, Tent, adapt_stream

METHODS = {"tcr": TCR(queue_capacity=16), "tent": Tent(), "read": READ(), "shot": SHOT(), "sar": SAR()}


def recall_at_1(scores, targets):
    return 100 * (torch.cat(scores).argmax(1) == targets.flatten()).double().mean().item()


@pytest.mark.parametrize("name", METHODS)
def test_scores_are_the_official_code_s(official, toy, name):
    case = official(f"toy_stream_{name}.npz")
    encoder = toy.encoder()
    scores = list(adapt_stream(encoder, toy.batches, toy.gallery, METHODS[name]))
    scale = 1 if name == "tcr" else 0.01  # the baselines' official scores are divided by the temperature
    torch.testing.assert_close(scores[0], scale * case["sims_first"], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(scores[-1], scale * case["sims_last"], rtol=1e-4, atol=1e-5)
    assert recall_at_1(scores, toy.targets) == pytest.approx(case["r1"].item())
    norms = torch.cat([p.detach() for norm in (encoder.ln1, encoder.ln2) for p in norm.parameters()])
    torch.testing.assert_close(norms, case["ln"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", METHODS)
def test_losses_are_the_official_code_s(official, toy, name):
    case = official(f"toy_stream_{name}.npz")
    adapter = Adapter(toy.encoder(), toy.gallery, METHODS[name])
    losses = []
    for batch in toy.batches:
        adapter.step(batch)
        losses += adapter.losses
    names = {"total": "loss_total"}
    if name == "tcr":
        names |= {"consistency": "loss_REM", "uniformity": "loss_UNI", "gap": "loss_EMG"}
        scores = adapter.rule.queue.scores.double()
        torch.testing.assert_close(scores, case["queue_SI"], rtol=1e-4, atol=1e-5)
    for ours, theirs in names.items():
        found = torch.tensor([row[ours] for row in losses], dtype=torch.float64)
        torch.testing.assert_close(found, case[theirs], rtol=1e-4, atol=1e-5, msg=ours)
    assert adapter.counts["restarts"] == (36 if name == "sar" else 0)


def test_without_adaptation(official, toy):
    scores = list(adapt_stream(toy.encoder(), toy.batches, toy.gallery, NoAdaptation()))
    assert recall_at_1(scores, toy.targets) == pytest.approx(
        official("toy_stream_inputs.npz")["noadapt_r1"].item()
    )


def test_a_stream_is_lazy(toy):
    taken = []
    scores = adapt_stream(
        toy.encoder(), (taken.append(i) or batch for i, batch in enumerate(toy.batches)), toy.gallery, TCR()
    )
    next(scores)
    assert taken == [0]


def images(seed):
    """A DeYO adapter on images, and its stream."""
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(192, 8), nn.LayerNorm(8), nn.Linear(8, 8))
    stream, gallery = (torch.randn(*s, generator=generator) for s in ((4, 16, 3, 8, 8), (40, 8)))
    torch.manual_seed(seed)  # the global state must not matter
    return Adapter(encoder, gallery, DeYO(lr=1e-2, least_drop=-1), seed=seed), stream


def test_the_same_seed_gives_the_same_bits():
    def run(seed):
        adapter, stream = images(seed)
        return torch.cat([adapter.step(batch) for batch in stream])

    assert torch.equal(run(0), run(0))
    assert not torch.equal(run(0), run(1))


def test_random_draws_go_on_where_they_stopped():
    adapter, stream = images(0)
    adapter.step(stream[0])
    resumed, _ = images(0)
    resumed.load_state_dict(adapter.state_dict())
    for batch in stream[1:]:
        assert torch.equal(resumed.step(batch), adapter.step(batch))

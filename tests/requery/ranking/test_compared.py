import pytest
import torch

from requery.ranking.compared import RESAMPLES, compare
from requery.ranking.metrics import evaluate
from requery.ranking.qrels import Qrels
from requery.ranking.ranks import rank
from requery.ranking.significance import holm, paired_bootstrap, paired_randomisation


@pytest.fixture
def values():
    generator = torch.Generator().manual_seed(0)
    first = (torch.rand(60, generator=generator) < 0.4).float()
    better = torch.maximum(first, (torch.rand(60, generator=generator) < 0.5).float())
    return {"none": first, "a": better, "b": first.roll(1)}


def test_means_gains_and_corrected_tests(values):
    found = compare(values, "none")
    for name, own in values.items():
        assert found[name].value == pytest.approx(float(own.mean()))
        assert found[name].low <= found[name].value <= found[name].high
    assert found["none"].gain is None and found["none"].p is None
    p = [paired_randomisation(values[name], values["none"]) for name in ("a", "b")]
    assert [found["a"].p_holm, found["b"].p_holm] == holm(p)
    difference = paired_bootstrap(values["a"], values["none"], n=RESAMPLES)
    assert vars(found["a"].gain) == pytest.approx(vars(difference))
    assert found["a"].gain.low > 0 and found["a"].p_holm < 0.05 < found["b"].p_holm


def test_without_a_baseline_nothing_is_compared(values):
    assert all(cell.gain is None and cell.p_holm is None for cell in compare(values).values())
    assert compare(values)["a"].low == compare(values, "none")["a"].low


def test_intervals_are_those_of_every_other_table():
    scores = torch.randn(30, 9, generator=torch.Generator().manual_seed(1))
    qrels = Qrels.from_targets(torch.arange(30) % 9)
    ranking = rank(torch.eye(30), scores.T[:, None], qrels)
    estimate = evaluate(ranking, qrels, ["recall@5"])["recall@5"]
    found = compare({"only": (ranking.target_rank <= 5).float()})["only"]
    assert (found.value, found.low, found.high) == pytest.approx(
        (estimate.value, estimate.low, estimate.high)
    )

import json

import numpy as np
import pytest
import torch

from requery.errors import ConfigError, DataError
from requery.ranking.preference import (
    Preferences,
    evaluate_preference,
    list_scores,
    preference_accuracy,
    preference_rate,
)

NAMES = ("preference_rate", "preference_accuracy")


def naive(scores, preferred):
    """Both measures by a loop."""
    rate = [p == 1 for (a, b), p in zip(scores, preferred, strict=True) if a > b]
    accuracy = [(p == 1) == (a > b) for (a, b), p in zip(scores, preferred, strict=True) if a != b]
    return sum(rate) / len(rate), sum(accuracy) / len(accuracy)


def test_measures_equal_a_loop():
    generator = torch.Generator().manual_seed(0)
    scores = torch.randint(0, 4, (500, 2), generator=generator).float()
    preferred = torch.randint(1, 3, (500,), generator=generator)
    found = evaluate_preference(scores, preferred, NAMES)
    assert [found[name].value for name in NAMES] == pytest.approx(naive(scores.tolist(), preferred.tolist()))
    assert found["preference_rate"].n == int((scores[:, 0] > scores[:, 1]).sum())
    for estimate in found.values():
        half = 1.96 * (estimate.value * (1 - estimate.value) / estimate.n) ** 0.5
        assert estimate.high - estimate.low == pytest.approx(2 * half, rel=0.2)
    assert evaluate_preference(scores, preferred, NAMES) == found


def test_one_sidedness():
    scores = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    assert preference_rate(scores, torch.tensor([1, 1, 1])).tolist() == [1]
    assert preference_accuracy(scores, torch.tensor([1, 1, 1])).tolist() == [1, 0]
    nothing = evaluate_preference(scores[2:], torch.tensor([1]), NAMES)
    assert {(e.value, e.n) for e in nothing.values()} == {(0.0, 0)}


def test_a_list_scores_the_mean_of_its_items_best_tokens():
    generator = torch.Generator().manual_seed(1)
    queries = torch.randn(3, 8, generator=generator)
    lists = torch.randn(3, 2, 5, 4, 8, generator=generator)
    expected = [
        [np.mean([max(float(q @ token) for token in item) for item in items]) for items in pair]
        for q, pair in zip(queries, lists, strict=True)
    ]
    torch.testing.assert_close(list_scores(queries, lists), torch.tensor(expected, dtype=torch.float32))


def test_what_does_not_fit_is_refused():
    with pytest.raises(DataError, match="neither 1 nor 2 is preferred at queries 1"):
        Preferences(torch.zeros(2, 2, 5, dtype=torch.int64), torch.tensor([1, 0]))
    with pytest.raises(DataError, match=r"lists \(2, 3, 5\) do not fit 2 judgements"):
        Preferences(torch.zeros(2, 3, 5, dtype=torch.int64), torch.tensor([1, 2]))
    with pytest.raises(DataError, match="NaN or infinite at queries 1"):
        evaluate_preference(torch.tensor([[1.0, 2.0], [torch.nan, 0.0]]), torch.tensor([1, 2]), NAMES)
    with pytest.raises(ConfigError, match="unknown measure of preference 'rate'"):
        evaluate_preference(torch.zeros(1, 2), torch.tensor([1]), ("rate",))


@pytest.mark.data
@pytest.mark.parametrize(
    ("scorer", "columns"),
    [
        ("user_score", "user_score"),
        ("random", "random"),
        ("noisy_user", "noisy"),
        ("target_in_set", "target_in_set"),
    ],
)
def test_rates_equal_the_official_code(judged_fixtures, scorer, columns):
    data = np.load(judged_fixtures / "hp_preference.npz")
    expected = json.loads((judged_fixtures / "hp_preference_expected.json").read_text())
    scores = np.stack([data[f"{columns}{i}"].astype(np.float64) for i in (1, 2)], 1)
    preferred = torch.from_numpy(data["preferred"]).long()
    found = evaluate_preference(torch.from_numpy(scores), preferred, NAMES)
    assert found["preference_rate"].value == pytest.approx(expected[scorer])
    symmetric = expected["extra_symmetric_accuracy_nontied"][scorer]
    assert found["preference_accuracy"].value == pytest.approx(symmetric)

import pytest
import torch

from requery.feedback.tables import differences, round_table
from requery.ranking.significance import holm, paired_randomisation


@pytest.fixture
def values():
    generator = torch.Generator().manual_seed(0)
    first = (torch.rand(60, generator=generator) < 0.4).float()
    better = torch.maximum(first, (torch.rand(60, generator=generator) < 0.5).float())
    same = first.roll(1)
    return {
        name: torch.stack([first, second]) for name, second in (("none", first), ("a", better), ("b", same))
    }


def test_means_gains_and_corrected_tests(values):
    table = round_table(values, "none")
    for name, of_row in values.items():
        for cell, row in zip(table[name], of_row, strict=True):
            assert cell.value == pytest.approx(float(row.mean())) and cell.low <= cell.value <= cell.high
    assert table["a"][0].gain is None and table["none"][1].p is None
    p = [paired_randomisation(values[name][1], values["none"][1]) for name in ("a", "b")]
    assert [table["a"][1].p_holm, table["b"][1].p_holm] == holm(p)
    assert table["a"][1].gain.value == pytest.approx(float((values["a"][1] - values["none"][1]).mean()))
    assert table["a"][1].gain.low > 0 and table["a"][1].p_holm < 0.05 < table["b"][1].p_holm


def test_differences_by_round(values):
    first, second = differences(values["a"], values["b"])
    assert (first.value, first.low, first.high) == (0, 0, 0)
    assert second.value == pytest.approx(float((values["a"][1] - values["b"][1]).mean()))

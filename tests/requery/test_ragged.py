import pytest
import torch

from requery.ragged import Ragged


def test_rows_come_back():
    rows = [[3, 1], [], [2]]
    ragged = Ragged.from_rows(rows)
    assert len(ragged) == 3
    assert [row.tolist() for row in ragged] == rows
    assert ragged.lengths.tolist() == [2, 0, 1]
    assert ragged.row_of.tolist() == [0, 0, 2]
    assert [row.tolist() for row in ragged.select(torch.tensor([2, 0, 2]))] == [[2], [3, 1], [2]]
    assert len(Ragged.from_rows([])) == 0


def test_rows_outside_are_refused():
    ragged = Ragged.from_rows([[1]])
    for row in (-1, 1):
        with pytest.raises(IndexError, match="of 1"):
            ragged[row]


@pytest.mark.parametrize("offsets", [[], [1, 2], [0, 1], [0, 2, 1, 2], [[0, 2]]])
def test_bad_offsets_are_refused(offsets):
    with pytest.raises(ValueError, match="offsets"):
        Ragged(torch.tensor([5, 6]), torch.tensor(offsets, dtype=torch.int64))

import dataclasses

import pytest
import torch

from requery.errors import DataError
from requery.ragged import Ragged
from requery.ranking.qrels import TARGET_GRADE, Qrels


def truth(**changes):
    good = Qrels(
        torch.tensor([1, -1]),
        Ragged.from_rows([[0, 1], [2]]),
        torch.tensor([1, 2, 1]),
        excluded=Ragged.from_rows([[0], [1]]),
        subset=Ragged.from_rows([[1, 2], [0]]),
    )
    return dataclasses.replace(good, **changes)


def test_good_truth_passes():
    truth().validate(2, 3)
    assert truth().retrievable.tolist() == [False, True, True]
    assert truth(excluded=None).retrievable.all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": torch.tensor([3, -1])}, "targets outside the gallery of 3 items at queries 0"),
        ({"target": torch.tensor([1, -2])}, "targets outside .* queries 1"),
        ({"target": torch.tensor([1])}, "1 targets for 2 queries"),
        ({"target": torch.tensor([2, -1])}, "not among the relevant items at queries 0"),
        ({"relevant": Ragged.from_rows([[1, 0], [2]])}, "not ascending and distinct at queries 0"),
        ({"relevant": Ragged.from_rows([[1], [2, 2]])}, "not ascending and distinct at queries 1"),
        ({"relevant": Ragged.from_rows([[0, 1]])}, "1 rows of relevant items for 2 queries"),
        ({"relevant": Ragged.from_rows([[0, 1], [3]])}, "relevant items outside .* queries 1"),
        ({"excluded": Ragged.from_rows([[-1], []])}, "excluded items outside .* queries 0"),
        ({"subset": Ragged.from_rows([[], [9]])}, "subset items outside .* queries 1"),
        ({"subset": Ragged.from_rows([[0, 1], [2, 0, 2]])}, "an item twice at queries 1"),
        ({"grades": torch.tensor([1, 2])}, "differ in number"),
        ({"grades": torch.tensor([1, 2, 0])}, "graded below 1 at queries 1"),
    ],
)
def test_bad_truth_is_named(changes, message):
    with pytest.raises(DataError, match=message):
        truth(**changes).validate(2, 3)


def test_from_targets_leaves_misses_empty():
    qrels = Qrels.from_targets(torch.tensor([4, -1, 0]))
    qrels.validate(3, 5)
    assert [row.tolist() for row in qrels.relevant] == [[4], [], [0]]
    assert qrels.grades.tolist() == [TARGET_GRADE] * 2

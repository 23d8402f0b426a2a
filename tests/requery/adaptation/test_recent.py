import torch

from requery.adaptation.recent import Pairs, Recent


def pairs(*numbers):
    column = torch.tensor(numbers)
    return Pairs(column[:, None].float(), column[:, None].float(), column, column.float())


def test_the_last_of_a_window_stay():
    recent = Recent(3)
    recent.keep(pairs(0, 1))
    assert recent.pairs.items.tolist() == [0, 1]
    recent.keep(recent.pairs.followed_by(pairs(2, 3)))
    assert recent.pairs.items.tolist() == [1, 2, 3]


def test_a_window_is_due_when_it_is_new_as_a_whole():
    assert [Recent(0).due(n) for n in (1, 5)] == [1, 5]
    recent = Recent(3)
    assert [recent.due(1) for _ in range(6)] == [0, 0, 3, 0, 0, 3]
    assert recent.due(8) == 8


def test_without_a_window_nothing_is_kept():
    recent = Recent(0)
    recent.keep(pairs(1))
    assert recent.pairs is None


def test_it_can_be_restored():
    recent, copy = Recent(3), Recent(3)
    recent.keep(pairs(1, 2))
    recent.due(2)
    copy.load_state_dict(recent.state_dict())
    assert copy.pairs.items.tolist() == [1, 2]
    assert copy.due(1) == 3

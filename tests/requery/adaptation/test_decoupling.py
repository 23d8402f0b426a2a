import pytest
import torch

from requery.adaptation.decoupling import (
    flatten,
    l2_anchor,
    main_directions,
    orthogonal,
    pcgrad,
    prograd,
    subspace,
)


def tensors(*rows):
    return [None if row is None else torch.tensor(row, dtype=torch.float64) for row in rows]


G = tensors([1.0, 2.0], None, [[3.0, -1.0]])
CONFLICT = tensors([-1.0, 0.0], None, [[0.0, 1.0]])
AGREE = tensors([1.0, 0.0], None, [[1.0, 0.0]])


def same(found, *rows):
    for a, b in zip(found, tensors(*rows), strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            torch.testing.assert_close(a, b)


@pytest.mark.parametrize("rule", [prograd, pcgrad])
def test_agreement_is_left_alone(rule):
    same(rule(G, AGREE), *(g if g is None else g.tolist() for g in G))


def test_prograd_projects_tensor_by_tensor():
    same(prograd(G, CONFLICT), [0.0, 2.0], None, [[3.0, 0.0]])
    mixed = tensors([-1.0, 0.0], None, [[1.0, 0.0]])  # only the first conflicts
    same(prograd(G, mixed), [0.0, 2.0], None, [[3.0, -1.0]])
    same(prograd(G, CONFLICT, 0.5), [0.5, 2.0], None, [[3.0, -0.5]])


def test_pcgrad_projects_the_whole():
    same(pcgrad(G, CONFLICT), [0.0, 2.0], None, [[3.0, 0.0]])
    mixed = tensors([-1.0, 0.0], None, [[1.0, 0.0]])  # -1 + 3 > 0: no conflict of the whole
    same(pcgrad(G, mixed), [1.0, 2.0], None, [[3.0, -1.0]])


@pytest.mark.parametrize("knowledge", [CONFLICT, AGREE])
def test_orthogonal_is_at_right_angles(knowledge):
    found = orthogonal(G, knowledge)
    assert flatten(found) @ flatten(knowledge) == pytest.approx(0)
    half = orthogonal(G, knowledge, 0.5)
    assert flatten(half) @ flatten(knowledge) == pytest.approx(flatten(G) @ flatten(knowledge) / 2)


@pytest.mark.parametrize("rule", [prograd, pcgrad, orthogonal])
def test_no_knowledge_changes_nothing(rule):
    for nothing in (tensors([0.0, 0.0], None, [[0.0, 0.0]]), [None, None, None]):
        same(rule(G, nothing), *(g if g is None else g.tolist() for g in G))


def test_subspace_removes_the_span():
    rows = torch.tensor([[1.0, 0, 0, 0], [2.0, 0, 0, 0], [0, 0, 3.0, 0]], dtype=torch.float64)
    basis = main_directions(rows, 3)
    assert basis.shape == (2, 4)  # the rank of the rows
    torch.testing.assert_close(basis @ basis.T, torch.eye(2, dtype=torch.float64))
    same(subspace(G, basis), [0.0, 2.0], None, [[0.0, -1.0]])
    assert main_directions(rows, 1).shape == (1, 4)


def test_l2_anchor_pulls_back():
    here, source = tensors([2.0, 2.0], [1.0], [[0.0, 0.0]]), tensors([1.0, 1.0], [0.0], [[1.0, 0.0]])
    same(l2_anchor(G, here, source, 0.5), [1.5, 2.5], None, [[2.5, -1.0]])

import pytest
import torch

from requery.adaptation.sam import sharpness_aware


def test_the_gradient_is_taken_up_the_slope_and_the_weights_come_back():
    w = torch.tensor([3.0, 4.0], requires_grad=True)
    unreached = torch.tensor([1.0], requires_grad=True)
    before = w.detach().clone()

    def gradients():
        return list(torch.autograd.grad((w**3).sum(), [w, unreached], allow_unused=True))

    first = gradients()
    found = sharpness_aware([w, unreached], first, gradients, rho=0.5)
    climbed = before + 0.5 * first[0] / first[0].norm()
    torch.testing.assert_close(found[0], 3 * climbed**2)
    assert found[1] is None
    assert torch.equal(w.detach(), before)


def test_the_weights_come_back_after_an_error():
    w = torch.tensor([1.0], requires_grad=True)

    def fails():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        sharpness_aware([w], [torch.ones(1)], fails)
    assert w.item() == 1


def test_a_flat_place_is_not_left():
    w = torch.tensor([2.0], requires_grad=True)
    seen = []
    sharpness_aware([w], [torch.zeros(1)], lambda: seen.append(w.item()) or [None])
    assert seen == [2.0]

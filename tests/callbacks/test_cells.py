from callbacks.cells import compared_text
from requery.ranking.compared import Compared
from requery.ranking.significance import Difference


def cell(value, gain=None, p=0.01):
    if gain is None:
        return Compared(value, value - 0.01, value + 0.01)
    return Compared(value, value - 0.01, value + 0.01, Difference(gain, gain - 0.01, gain + 0.01), p, p)


def test_gains_are_marked_by_the_corrected_test():
    assert compared_text(cell(0.5)) == "50.0 [49.0, 51.0]"
    assert compared_text(cell(0.5, 0.02)) == "50.0 [49.0, 51.0] (+2.0▲)"
    assert compared_text(cell(0.5, -0.02)) == "50.0 [49.0, 51.0] (-2.0▼)"
    assert compared_text(cell(0.5, 0.02, p=0.06)) == "50.0 [49.0, 51.0] (+2.0)"

import io

from rich.console import Console

from callbacks.round_table import contrast_table, round_table
from requery.ranking.compared import Compared
from requery.ranking.significance import Difference


def cell(value, gain=None, p=0.01):
    if gain is None:
        return Compared(value, value - 0.01, value + 0.01)
    return Compared(value, value - 0.01, value + 0.01, Difference(gain, gain - 0.01, gain + 0.01), p, p)


def printed(table):
    console = Console(file=io.StringIO(), width=140)
    console.print(table)
    return console.file.getvalue()


def test_rows_stand_by_rounds_with_their_drift():
    rows = {"none": [cell(0.3), cell(0.3)], "AFS": [cell(0.3), cell(0.4, 0.1)]}
    said = printed(round_table("mrr@5", rows, {"none": [1, 1], "AFS": [1, 0.87]}))
    assert "round 2" in said and "(+10.0▲)" in said and "0.87" in said


def test_differences_to_controls_leave_out_the_first_round():
    difference = {"value": 0.02, "low": 0.01, "high": 0.03}
    said = printed(
        contrast_table("beyond", [{"row": "AFS", "control": "q", "rounds": [difference, difference]}])
    )
    assert "AFS − q" in said and "+2.0 [+1.0, +3.0]" in said and "round 1" not in said

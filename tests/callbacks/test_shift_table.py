import io

from rich.console import Console

from callbacks.shift_table import cell_text, shift_table
from requery.ranking.shifted import Cell, ShiftRow


def cell(value, gain=None):
    limits = None if gain is None else {"value": gain[0], "low": gain[1], "high": gain[2]}
    return Cell(value, value - 0.01, value + 0.01, 0.0, limits)


def test_gains_are_marked_where_their_interval_excludes_nothing():
    assert cell_text(cell(0.5)) == "50.0 [49.0, 51.0]"
    assert cell_text(cell(0.5, (0.02, 0.01, 0.03))) == "50.0 [49.0, 51.0] (+2.0▲)"
    assert cell_text(cell(0.5, (-0.02, -0.03, -0.01))) == "50.0 [49.0, 51.0] (-2.0▼)"
    assert cell_text(cell(0.5, (0.02, -0.01, 0.03))) == "50.0 [49.0, 51.0] (+2.0)"


def test_rows_set_apart_come_last():
    rows = [
        ShiftRow(name, apart, {"none": cell(0.1)}) for name, apart in (("snow@5", True), ("fog@5", False))
    ]
    console = Console(file=io.StringIO(), width=120)
    console.print(shift_table("recall@1", rows))
    said = console.file.getvalue()
    assert said.index("fog@5") < said.index("snow@5")

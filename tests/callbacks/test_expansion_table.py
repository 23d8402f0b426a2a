import io

from rich.console import Console

from callbacks.expansion_table import expansion_table
from requery.ranking.compared import Compared
from requery.ranking.significance import Difference


def test_rows_stand_by_metrics_with_what_they_cost():
    plain, better = (
        Compared(0.3, 0.29, 0.31),
        Compared(0.4, 0.39, 0.41, Difference(0.1, 0.08, 0.12), 0.01, 0.02),
    )
    columns = {"precision@5": {"none": plain, "model": better}, "hit_any@5": {"none": plain, "model": plain}}
    console = Console(file=io.StringIO(), width=140)
    console.print(expansion_table("By answers", columns, {"none": ("0", "0"), "model": ("1,204", "61")}))
    said = console.file.getvalue()
    assert "40.0 [39.0, 41.0] (+10.0▲)" in said and "1,204" in said and "precision@5" in said

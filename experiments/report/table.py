"""One table in three dresses: cells as text, for the console and for Markdown (the page has its own)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from experiments.report.arms import Arm
from experiments.report.rows import CEILING, MARKS, Cell, Row, metrics_of, rows

if TYPE_CHECKING:
    from rich.table import Table

FALSE_NEGATIVES = "false negatives"
TIME = "train time"
DASH = "–"


def percent(value: float | None, digits: int = 1) -> str:
    """A fraction in percent, without the sign: `0.312` is `31.2`."""
    return DASH if value is None else f"{100 * value:.{digits}f}"


def duration(seconds: float | None) -> str:
    """Seconds in the unit a reader would choose."""
    if seconds is None:
        return DASH
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def caption(table: Sequence[Row]) -> str:
    """What the numbers, marks and bold type of a table mean."""
    baseline = next((row.name for row in table if row.kind == "baseline"), None)
    several = any(row.seeds > 1 for row in table)
    parts = [
        "Percent, with 95 % intervals over queries"
        + ("; ± is the standard deviation over seeds." if several else ".")
    ]
    if baseline and any(row.kind == "arm" for row in table):
        parts.append(
            f"▲ / ▼: significantly above / below {baseline} "
            "(paired randomisation, Holm-corrected over the table, p < 0.05)."
        )
        parts.append(
            "Bold: the highest of its column and all that are not significantly below it "
            "(same test, corrected over the column); none where nothing differs."
        )
    if any(row.false_negatives is not None for row in table):
        parts.append(
            "False negatives: share of the sampled negatives that are relevant, in percent, mean over epochs."
        )
    if any(row.kind == "ceiling" for row in table):
        parts.append(
            "Ceiling: an oracle that knows every relevant item, but not which of them is the target."
        )
    return " ".join(parts)


def cell_text(cell: Cell | None) -> str:
    """A cell on one line: value, mark, spread over seeds, interval."""
    if cell is None:
        return DASH
    text = percent(cell.value) + MARKS[cell.mark]
    if cell.spread is not None:
        text += f" ±{percent(cell.spread)}"
    return text if cell.low is None else f"{text} [{percent(cell.low)}, {percent(cell.high)}]"


def row_name(row: Row) -> str:
    """The arm's name with what a reader must know beside it."""
    remarks = (
        ["baseline"] * (row.kind == "baseline") + [f"{row.seeds} seeds"] * (row.seeds > 1) + list(row.notes)
    )
    return row.name + (f" ({'; '.join(remarks)})" if remarks else "")


def columns(arms: Sequence[Arm], table: Sequence[Row]) -> list[str]:
    """Headings after the arm's name; false negatives and time only where some arm has them."""
    extra = [FALSE_NEGATIVES] * any(row.false_negatives is not None for row in table)
    return [*metrics_of(arms), *extra, *[TIME] * any(row.seconds is not None for row in table)]


def texts(row: Row, headings: Sequence[str]) -> list[str]:
    """The cells of a row under the headings."""
    extra = {FALSE_NEGATIVES: percent(row.false_negatives, 2), TIME: duration(row.seconds)}
    return [extra[name] if name in extra else cell_text(row.cells.get(name)) for name in headings]


def console_table(arms: Sequence[Arm], baseline: str | None = None) -> Table:
    """The table for a terminal: the interval stands below each value.

    Args:
        arms: arms of one section.
        baseline: name of the arm the marks compare with.
    """
    from rich.table import Table
    from rich.text import Text

    found = rows(arms, baseline)
    headings = columns(arms, found)
    table = Table(title=_title(arms), caption=caption(found), caption_justify="left")
    table.add_column("", min_width=12)
    for name in headings:
        table.add_column(name, justify="right", no_wrap=False)
    for row in found:
        if row.name == CEILING:
            table.add_section()
        cells = [
            Text(
                text.replace(" [", "\n["), style="bold" if name in row.cells and row.cells[name].best else ""
            )
            for name, text in zip(headings, texts(row, headings), strict=True)
        ]
        table.add_row(Text(row_name(row)), *cells, style="dim" if row.kind == "ceiling" else None)
    return table


def markdown_table(arms: Sequence[Arm], baseline: str | None = None) -> str:
    """The table in GitHub's Markdown with its title and caption, for the documentation.

    Args:
        arms: arms of one section.
        baseline: name of the arm the marks compare with.
    """
    found = rows(arms, baseline)
    headings = columns(arms, found)
    lines = [f"| {' | '.join(['arm', *headings])} |", f"|---|{'---:|' * len(headings)}"]
    for row in found:
        cells = [
            f"**{text}**" if name in row.cells and row.cells[name].best else text
            for name, text in zip(headings, texts(row, headings), strict=True)
        ]
        escaped = [text.replace("|", "\\|") for text in (row_name(row), *cells)]
        lines.append(f"| {' | '.join(escaped)} |")
    return "\n".join([f"{_title(arms)}", "", *lines, "", caption(found), ""])


def _title(arms: Sequence[Arm]) -> str:
    run = arms[0].runs[0]
    metrics, ranks = run.metrics or {}, run.ranks or {}
    size = f", gallery of {metrics['n_gallery']:,}" if metrics.get("n_gallery") else ""
    shift = f", {metrics['shift']}" if metrics.get("shift") else ""
    return f"{metrics['protocol']}, {metrics['split']}{shift}: {len(ranks['query_id']):,} queries{size}"

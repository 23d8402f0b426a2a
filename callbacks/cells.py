"""Cells of tables in a terminal: value, interval, and the gain over a baseline."""

from __future__ import annotations

from requery.ranking.compared import Compared

WIDTH = 160
"""Columns of a table where the output is no terminal."""
LEVEL = 0.05
"""Of the corrected tests."""


def text(value: float, low: float, high: float, gain: float | None = None, sure: bool = False) -> str:
    """A mean with its interval and gain, in percent; a gain that is more than chance has an arrow.

    Example:
        >>> text(0.161, 0.14, 0.182, 0.021, True)
        '16.1 [14.0, 18.2] (+2.1▲)'
    """
    said = f"{100 * value:.1f} [{100 * low:.1f}, {100 * high:.1f}]"
    if gain is None:
        return said
    return f"{said} ({100 * gain:+.1f}{'' if not sure else '▲' if gain > 0 else '▼'})"


def compared_text(cell: Compared) -> str:
    """Of a row that is compared with a baseline; the arrow stands where the corrected test says p < 0.05.

    Example:
        >>> from requery.ranking.significance import Difference
        >>> compared_text(Compared(0.161, 0.14, 0.182, Difference(0.021, 0.01, 0.03), 0.001, 0.004))
        '16.1 [14.0, 18.2] (+2.1▲)'
    """
    gain = None if cell.gain is None else cell.gain.value
    return text(cell.value, cell.low, cell.high, gain, cell.p_holm is not None and cell.p_holm < LEVEL)

"""Methods side by side under shifts: per-query values, averaged over orders, with paired intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from requery.errors import DataError
from requery.ranking.bootstrap import interval, resampled_means
from requery.ranking.significance import paired_bootstrap

RESAMPLES = 2_000
BASELINE = "none"
"""The method that every other is compared with: the source model as it is."""


@dataclass(frozen=True)
class Outcome:
    """One stream of queries under one method.

    Args:
        method: its name.
        shift: the shift's name, such as `gaussian_noise@5`.
        order: number of the stream's order.
        values: `(Q,)` one metric of each query, in the order of the queries, not of the stream.
    """

    method: str
    shift: str
    order: int
    values: Tensor


@dataclass(frozen=True)
class Cell:
    """A method under a shift: mean over orders within query, then over queries, with a 95 % interval.

    Args:
        value: the mean.
        low: lower end.
        high: upper end.
        spread: largest minus smallest mean of one order.
        gain: mean difference to the unadapted model, with its paired interval; None for that model itself.
    """

    value: float
    low: float
    high: float
    spread: float
    gain: dict[str, float] | None


@dataclass(frozen=True)
class ShiftRow:
    """One shift, or a mean over several.

    Args:
        shift: its name.
        apart: the unadapted model is under twice chance: there is nothing left to adapt, and the row is not
            part of the mean.
        cells: method -> cell.
    """

    shift: str
    apart: bool
    cells: dict[str, Cell]


def shift_rows(outcomes: Sequence[Outcome], chance: float, seed: int = 0) -> list[ShiftRow]:
    """One row per shift, in the order they come, and as the last the mean of those not set apart, if any.

    Args:
        outcomes: every method under every shift in every order, over the same queries.
        chance: the metric of a random ranking; rows whose unadapted value is under twice that are set apart.
        seed: of the bootstrap.

    Raises:
        DataError: methods were not run under the same shifts and orders.
    """
    values = _by_cell(outcomes)
    shifts = list(dict.fromkeys(outcome.shift for outcome in outcomes))
    methods = list(dict.fromkeys(outcome.method for outcome in outcomes))
    rows = []
    for shift in shifts:
        row = {method: values[method, shift] for method in methods}
        unadapted = row.get(BASELINE, next(iter(row.values())))
        rows.append(ShiftRow(shift, bool(unadapted.mean() < 2 * chance), _cells(row, seed)))
    kept = [row.shift for row in rows if not row.apart]
    if kept:
        mean = {m: torch.stack([values[m, shift] for shift in kept]).mean(0) for m in methods}
        rows.append(ShiftRow(f"mean of {len(kept)}", False, _cells(mean, seed)))
    return rows


def _by_cell(outcomes: Sequence[Outcome]) -> dict[tuple[str, str], Tensor]:
    """`(orders, Q)` values of each method under each shift."""
    found: dict[tuple[str, str], dict[int, Tensor]] = {}
    for outcome in outcomes:
        found.setdefault((outcome.method, outcome.shift), {})[outcome.order] = outcome.values.double()
    orders = {tuple(sorted(cell)) for cell in found.values()}
    methods, shifts = ({key[i] for key in found} for i in (0, 1))
    if len(orders) > 1 or len(found) < len(methods) * len(shifts):
        raise DataError("methods were not tested under the same shifts and orders; test them together")
    return {key: torch.stack([cell[order] for order in sorted(cell)]) for key, cell in found.items()}


def _cells(row: dict[str, Tensor], seed: int) -> dict[str, Cell]:
    """Cells from `(orders, Q)` values of each method."""
    within = {method: values.mean(0) for method, values in row.items()}  # (Q,)
    means = resampled_means(torch.stack(list(within.values()), 1), RESAMPLES, seed)
    low, high = interval(means).tolist()
    cells = {}
    for number, (method, values) in enumerate(row.items()):
        by_order = values.mean(1)
        gain = None
        if method != BASELINE and BASELINE in within:
            gain = asdict(paired_bootstrap(within[method], within[BASELINE], n=RESAMPLES, seed=seed))
        cells[method] = Cell(
            float(within[method].mean()),
            low[number],
            high[number],
            float(by_order.max() - by_order.min()),
            gain,
        )
    return cells

"""The report's charts: recall over K, and what training logged over its epochs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from experiments.report.arms import Arm
from experiments.report.scale import Axis
from experiments.report.svg import Series, line_chart

K_MAX = 1000
NORMAL_95 = 1.959964


@dataclass(frozen=True)
class Chart:
    """A picture with its heading and what to read in it."""

    title: str
    note: str
    svg: Markup


def charts(arms: Sequence[Arm], colours: Mapping[str, int]) -> list[Chart]:
    """Every chart there is something to draw for.

    Args:
        arms: arms of one section.
        colours: arm name -> line colour.
    """
    tested = [arm for arm in arms if arm.runs]
    built = [recall_curve(tested, colours)] if tested else []
    trained = [arm for arm in arms if arm.trained]
    validation = _validation_metric(trained)
    wanted = [
        _Course(
            "Training loss",
            "train/loss",
            "Losses of different methods are on different scales: read the shape.",
        ),
        _Course(f"Validation {validation}, %" if validation else "", f"val/{validation}", "", percent=True),
        _Course(
            "Size of the hard-negative sets",
            "negatives/size_median",
            "Items per query, median and quartiles, log scale.",
            band=("negatives/size_q1", "negatives/size_q3"),
            log=True,
        ),
        _Course(
            "Offset of the first hard negative",
            "negatives/first_offset_median",
            "Places after the target, median over queries, log scale.",
            log=True,
        ),
        _Course(
            "False negatives among the sampled, %",
            "negatives/false_negative_rate",
            "Sampled negatives that are relevant, counted with the known truth.",
            percent=True,
        ),
    ]
    return built + [course.draw(trained, colours) for course in wanted if course.recorded(trained)]


def recall_curve(arms: Sequence[Arm], colours: Mapping[str, int]) -> Chart:
    """recall@K on a logarithmic K axis, with the oracle's values where there is one."""
    gallery = max((run.metrics or {}).get("n_gallery") or K_MAX for arm in arms for run in arm.runs)
    ks = np.unique(np.geomspace(1, min(gallery, K_MAX), 28).round().astype(int))
    series = [_recall(arm, ks, colours[arm.name]) for arm in arms]
    oracle = _ceiling(arms)
    if len(oracle) > 1:
        grey = Series("ceiling (oracle)", -1, list(oracle), list(oracle.values()), dashed=True)
        series.append(grey)
    note = "Share of queries whose target is in the first K; bands are 95 % intervals over queries" + (
        ", the grey line is the oracle's ceiling." if len(oracle) > 1 else "."
    )
    svg = line_chart(
        "recall at K, a line per arm", series, Axis("K", log=True), Axis(percent=True, zero=True)
    )
    return Chart("recall@K, %", note, svg)


def _recall(arm: Arm, ks: Iterable[int], colour: int) -> Series:
    ranks = np.stack(arm.columns("target_rank"))  # (seeds, Q)
    y, low, high = [], [], []
    for k in ks:
        found = ((ranks >= 1) & (ranks <= k)).mean(axis=0)  # per query, averaged over seeds
        mean, half = found.mean(), NORMAL_95 * found.std() / np.sqrt(len(found))
        y.append(float(mean))
        low.append(float(max(mean - half, 0.0)))
        high.append(float(min(mean + half, 1.0)))
    return Series(arm.name, colour, [float(k) for k in ks], y, low, high, dashed=not arm.fitted)


def _ceiling(arms: Sequence[Arm]) -> dict[float, float]:
    for arm in arms:
        for run in arm.runs:
            ceiling = (run.metrics or {}).get("ceiling") or {}
            at = {name.removeprefix("recall@"): value for name, value in ceiling.items()}
            return {float(k): at[str(k)] for k in sorted(int(k) for k in at if k.isdigit())}
    return {}


def _validation_metric(arms: Sequence[Arm]) -> str | None:
    """The first validation metric logged, in the protocol's order where a test tells it."""
    logged = {name for arm in arms for run in arm.trained for row in run.history for name in row}
    order = [name for arm in arms for name in arm.metrics] + sorted(
        name.removeprefix("val/") for name in logged if name.startswith("val/recall@")
    )
    return next((name for name in order if f"val/{name}" in logged), None)


@dataclass(frozen=True)
class _Course:
    """A logged quantity over epochs."""

    title: str
    key: str
    note: str
    band: tuple[str, str] | None = None
    log: bool = False
    percent: bool = False

    def recorded(self, arms: Sequence[Arm]) -> bool:
        return any(
            row.get(self.key) is not None for arm in arms for run in arm.trained for row in run.history
        )

    def draw(self, arms: Sequence[Arm], colours: Mapping[str, int]) -> Chart:
        series = [self._series(arm, colours[arm.name]) for arm in arms]
        several = self.band is None and any(len(arm.trained) > 1 for arm in arms)
        note = f"{self.note} Mean over seeds; the band spans them." if several else self.note
        svg = line_chart(
            f"{self.title} over epochs",
            [line for line in series if line.x],
            Axis("epoch"),
            Axis(log=self.log, percent=self.percent, zero=self.percent),
        )
        return Chart(self.title, note.strip(), svg)

    def _series(self, arm: Arm, colour: int) -> Series:
        rows = [row for run in arm.trained for row in run.history if row.get(self.key) is not None]
        epochs = sorted({row["epoch"] for row in rows})

        def over_seeds(key: str, reduce: Callable[[list[float]], float]) -> list[float | None]:
            found = [
                [row[key] for row in rows if row["epoch"] == at and row.get(key) is not None] for at in epochs
            ]
            return [float(reduce(values)) if values else None for values in found]

        low, high = (over_seeds(key, np.mean) for key in self.band) if self.band else ((), ())
        if not self.band and len(arm.trained) > 1:
            low, high = over_seeds(self.key, min), over_seeds(self.key, max)
        return Series(arm.name, colour, epochs, over_seeds(self.key, np.mean), low, high)

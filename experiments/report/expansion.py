"""Tests of query expansion as the report shows them: rows by metrics, the fate of answers, a gate's curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.config_file import did_you_mean
from experiments.report.published import PublishedRow, published
from experiments.report.rounds import LEVEL
from experiments.report.scale import Axis
from experiments.report.shifts import ShiftCell, ShiftTable
from experiments.report.standalone import Figure
from experiments.report.streams import whole
from experiments.report.svg import HEIGHT, WIDTH, Series, key, plot
from requery.errors import ConfigError
from requery.expansion.measured import GATED, GOLD
from requery.formats import read_mapping
from requery.record import RunRecord

FILE = "expansion.json"
ASKED = "asked"
FULL = 0.2
"""Gain at which a cell has its full tint."""
READ = {"precision": "P", "hit_any": "R"}
"""What papers on these benchmarks call the metrics."""


@dataclass(frozen=True)
class Fate:
    """What became of a row's questions: how many were changed, what it cost, which answers were not used."""

    row: str
    changed: int
    asked: float
    tokens: float
    seconds: float
    unused: str


@dataclass(frozen=True)
class ExpansionView:
    """One run."""

    run: RunRecord
    name: str
    protocol: str
    facts: Sequence[tuple[str, str]]
    tables: Sequence[ShiftTable]
    fates: Sequence[Fate]
    pictures: Sequence[Figure]


def is_expansion_run(path: Path) -> bool:
    """Whether a run folder holds a test of query expansion."""
    return (path / FILE).is_file()


def expansion_view(run: RunRecord) -> ExpansionView:
    """Read a run.

    Raises:
        RunError: its file is damaged; names it.
    """
    content = read_mapping(run.path / FILE)
    with whole(run.path / FILE):
        gold = [metric for metric in content["headline"] if metric.startswith(GOLD)]
        answers = [metric for metric in content["headline"] if metric not in gold]
        tables = [_grid("By answers", content, answers, published(content["protocol"]))]
        if gold:
            tables.append(_grid("By marked passages", content, gold))
        facts = [("split", content["split"]), ("questions", f"{content['queries']:,}")]
        facts += [("passages", f"{content['n_gallery']:,}"), ("an answer stands as", content["match"])]
        facts += [("shift", content["shift"])] if content.get("shift") else []
        name = f"{run.experiment}/{run.name}"
        pictures = [_asked(content, metric, name) for metric in GATED] if content["gate"]["curves"] else []
        fates = [_fate(row, found) for row, found in content["rows"].items()]
        return ExpansionView(run, name, content["protocol"], facts, tables, fates, pictures)


def asked_figure(path: Path, metric: str | None = None) -> Figure:
    """Draw a run's gate: a metric by the share of questions that the model is asked about.

    Args:
        path: the run's folder.
        metric: `precision@5` or `hit_any@5`; None for the first.

    Raises:
        ConfigError: there is no such curve.
        RunError: the file is damaged; names it.
    """
    content = read_mapping(path / FILE)
    wanted = metric or GATED[0]
    with whole(path / FILE):
        if not content["gate"]["curves"]:
            raise ConfigError(f"{path}: no row is expanded for every question; add one without a gate")
        if wanted not in GATED:
            raise ConfigError(f"no metric {wanted!r}: {did_you_mean(wanted, GATED)}")
        return _asked(content, wanted, f"{path.parent.name}/{path.name}")


def said(metric: str) -> str:
    """A metric by the name that papers have for it, such as `P@5`."""
    kind, _, k = metric.partition("@")
    return f"{READ.get(kind, kind)}@{k}"


def _grid(
    title: str,
    content: Mapping[str, Any],
    metrics: Sequence[str],
    printed: Sequence[PublishedRow] = (),
) -> ShiftTable:
    tables = {table["metric"]: table["rows"] for table in content["tables"]}
    rows = [(name, False, [_cell(tables[metric][name]) for metric in metrics]) for name in content["rows"]]
    headings = [metric.removeprefix(GOLD) if metric.startswith(GOLD) else said(metric) for metric in metrics]
    beside = [(row.name, row.source, [row.values.get(metric) for metric in metrics]) for row in printed]
    return ShiftTable(title, headings, rows, beside)


def _cell(cell: Mapping[str, Any]) -> ShiftCell:
    gain = cell["gain"]
    sure = gain is not None and cell["p_holm"] < LEVEL
    return ShiftCell(
        cell["value"], cell["low"], cell["high"], None if gain is None else gain["value"], sure, FULL
    )


def _fate(row: str, found: Mapping[str, Any]) -> Fate:
    steps = {step: counts for step, counts in found["outcomes"].items() if step != "query"}
    unused = [
        f"{step}: {count:,} {outcome}"
        for step, counts in steps.items()
        for outcome, count in counts.items()
        if outcome != "ok"
    ]
    changed = found["outcomes"]["query"].get("expanded", 0)
    return Fate(row, changed, **found["cost"], unused=" · ".join(unused) or "–")


def _asked(content: Mapping[str, Any], metric: str, name: str) -> Figure:
    series, areas = [], []
    curves = {shape: found[metric] for shape, found in content["gate"]["curves"].items()}
    for colour, (shape, found) in zip((4, 1, 2), curves.items(), strict=True):
        points = found["points"]
        columns = {part: [point[part] for point in points] for part in ("share", "value", "low", "high")}
        series.append(
            Series(shape, colour, columns["share"], columns["value"], columns["low"], columns["high"])
        )
        area = {end: 100 * found["area"][end] for end in ("value", "low", "high")}
        areas.append(f"{shape} {area['value']:+.2f} [{area['low']:+.2f}, {area['high']:+.2f}]")
    line = next(iter(curves.values()))["points"]
    shares, random = ([point[part] for point in line] for part in ("share", "random"))
    series.append(Series("at random", 0, shares, random, dashed=True))
    whole_cost = line[-1]["tokens"]
    return Figure(
        title=f"{said(metric)} by the share of questions asked about, %",
        subtitle=f"{content['protocol']}, {content['split']}: {content['queries']:,} questions; "
        f"row {content['gate']['row']}",
        legend=[(key(one.colour, one.dashed), one.label) for one in series],
        body=plot(series, Axis("share of questions asked about, %", percent=True), Axis(percent=True)),
        width=WIDTH,
        height=HEIGHT,
        caption="The least sharp first retrievals are asked about first. Area over the line at random, "
        f"points: {'; '.join(areas)}. All questions: {whole_cost:,.0f} tokens each. Bands: 95 % intervals "
        f"over questions; run {name}.",
    )

"""One section of the page: a protocol's table, curves and examples, ready for the template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from experiments.report import table
from experiments.report.arms import Arm, Section
from experiments.report.charts import Chart, charts
from experiments.report.comparison import difference
from experiments.report.examples import Choice, Example, Illustrator, choose
from experiments.report.pictures import Album, load_task
from experiments.report.rows import Row, choose_baseline, rows
from experiments.report.svg import COLOURS, swatch
from requery.errors import RequeryError
from requery.task import RetrievalTask

GREY = COLOURS - 1
"""The last line colour is the ceiling's; arms share the others."""


@dataclass(frozen=True)
class Options:
    """What a user may choose about the page.

    Args:
        baseline: name of the arm the marks compare with, in each section that has it.
        examples: queries of each kind (wins, losses, random).
        open_examples: how many of each kind start unfolded.
    """

    baseline: str | None = None
    examples: int = 6
    open_examples: int = 1


@dataclass(frozen=True)
class Finding:
    """The section in one line: the best arm's lead over the baseline, as fractions."""

    arm: str
    baseline: str
    metric: str
    value: float
    lead: float
    low: float
    high: float


@dataclass(frozen=True)
class SectionView:
    """A section as the template shows it."""

    section: Section
    facts: list[tuple[str, str]]
    finding: Finding | None
    rows: list[Row]
    headings: list[str]
    caption: str
    scale: dict[str, float]
    colours: dict[str, int]
    legend: dict[str, Markup]
    charts: list[Chart]
    examples: list[tuple[str, list[Example]]]
    pictures: str | None
    remark: str | None


def view(section: Section, options: Options, album: Album, every: Sequence[Section]) -> SectionView:
    """Work a section out.

    Args:
        section: its arms.
        options: what the user chose.
        album: where its pictures are kept.
        every: all sections of the page.
    """
    tested = [arm for arm in section.arms if arm.runs]
    found = rows(tested, _baseline(tested, options)) if tested else []
    order = [row.name for row in found if row.kind != "ceiling"] or [arm.name for arm in section.arms]
    colours = {name: i % GREY for i, name in enumerate(order)}
    by_name = {arm.name: arm for arm in section.arms}
    arms = [by_name[name] for name in order]
    headings = table.columns(arms, found) if found else []
    examples, pictures = _examples(arms, found, options, album) if tested else ([], None)
    return SectionView(
        section=section,
        facts=_facts(section),
        finding=_finding(arms, found),
        rows=found,
        headings=headings,
        caption=table.caption(found) if found else "",
        scale={name: _top(found, name) for name in headings},
        colours=colours,
        legend={
            arm.name: swatch(colours[arm.name], dashed=not arm.fitted and bool(arm.runs)) for arm in arms
        },
        charts=charts(arms, colours),
        examples=examples,
        pictures=pictures,
        remark=_remark(section, every),
    )


def _baseline(arms: Sequence[Arm], options: Options) -> str:
    named = [arm.name for arm in arms if arm.name == options.baseline]
    return named[0] if named else choose_baseline(arms).name


def _top(found: Sequence[Row], metric: str) -> float:
    """The right end of a column's little interval bars."""
    cells = [row.cells[metric] for row in found if metric in row.cells]
    return max([cell.value if cell.high is None else cell.high for cell in cells], default=1.0) or 1.0


def _facts(section: Section) -> list[tuple[str, str]]:
    runs = section.runs
    dates = sorted(str(run.environment.get("started") or "")[:10] for run in runs)
    facts = [
        ("runs", str(len(runs))),
        ("date", " – ".join(dict.fromkeys((dates[0], dates[-1]))) or "unknown"),
    ]
    commits = dict.fromkeys(_commit(run.environment.get("git")) for run in runs)
    facts.append(("commit", ", ".join(commits)))
    if section.protocol:
        run = next(arm.runs[0] for arm in section.arms if arm.runs)
        gallery = (run.metrics or {}).get("n_gallery")
        asked = [
            ("queries", f"{len((run.ranks or {})['query_id']):,}"),
            ("gallery", f"{gallery:,}" if gallery else "unknown"),
        ]
        shift = (run.metrics or {}).get("shift")
        asked = [("shift", shift), *asked] if shift else asked
        facts = [("split", str(section.split)), *asked, *facts, ("data", (section.data or "unknown")[:12])]
    return facts


def _commit(git: dict[str, Any] | None) -> str:
    if not git or not git.get("commit"):
        return "not recorded"
    return str(git["commit"])[:10] + (" + changes" if git.get("dirty") else "")


def _finding(arms: Sequence[Arm], found: Sequence[Row]) -> Finding | None:
    compared = _pair(arms, found)
    if compared is None:
        return None
    best, baseline = compared
    metric = baseline.metrics[0]
    if metric not in best.metrics:
        return None
    lead = difference(best.values(metric), baseline.values(metric))
    value = next(row.cells[metric].value for row in found if row.name == best.name)
    return Finding(best.name, baseline.name, metric, value, lead.value, lead.low, lead.high)


def _pair(arms: Sequence[Arm], found: Sequence[Row]) -> tuple[Arm, Arm] | None:
    """The best arm by the first metric (rows ascend) and the baseline."""
    others = [row.name for row in found if row.kind == "arm"]
    baseline = next((row.name for row in found if row.kind == "baseline"), None)
    by_name = {arm.name: arm for arm in arms}
    return (by_name[others[-1]], by_name[baseline]) if others and baseline else None


def _examples(
    arms: Sequence[Arm], found: Sequence[Row], options: Options, album: Album
) -> tuple[list[tuple[str, list[Example]]], str | None]:
    """Groups of examples, and why they have no pictures where they have none."""
    best, baseline = _pair(arms, found) or (arms[0], arms[0])
    shown = list({arm.name: arm for arm in (best, baseline, *reversed(arms))}.values())
    task, reason = _task(shown)
    choices = choose(best, baseline, options.examples)
    refused = album.refused
    try:
        groups = _illustrate(Illustrator(shown, task, album), choices)
    except RequeryError as error:  # an image that went missing since the test
        reason = f"No pictures: {error}"
        groups = _illustrate(Illustrator(shown, None, album), choices)
    if album.refused > refused:
        reason = "The page's budget for pictures is spent: the others are shown by their names."
    return groups, reason


def _illustrate(illustrator: Illustrator, choices: Sequence[Choice]) -> list[tuple[str, list[Example]]]:
    return [(choice.title, [illustrator.example(query) for query in choice.queries]) for choice in choices]


def _task(arms: Sequence[Arm]) -> tuple[RetrievalTask | None, str | None]:
    """The data of the first run that still has them; runs of a section share them."""
    reason = None
    for arm in arms:
        try:
            return load_task(arm.runs[0]), None
        except RequeryError as error:
            reason = reason or str(error)
    return None, f"No pictures: {reason}"


def _remark(section: Section, every: Sequence[Section]) -> str | None:
    twins = [other for other in every if (other.protocol, other.split) == (section.protocol, section.split)]
    if section.protocol is None or len(twins) == 1:
        return None
    return (
        "Other runs under this protocol and split had other data or other queries: "
        "their scores are not comparable with these."
    )

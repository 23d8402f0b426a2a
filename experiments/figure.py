"""`python -m experiments figure RUN`: a test of adaptation, feedback or expansion, or a sweep, as an SVG."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from requery.errors import ConfigError, RunError
from requery.files import atomic_bytes

if TYPE_CHECKING:
    from experiments.report.standalone import Figure

LATEST, RUNS = "latest", "runs"
FILES = ("shifts.json", "rounds.json", "expansion.json")


def main(command: str, args: Sequence[str]) -> None:
    """Run the command.

    Args:
        command: its name on the command line.
        args: what follows the name.

    Raises:
        ConfigError: what is asked for was not tested.
        RunError: the run cannot be read, or the figure cannot be written.
    """
    given = _parser(command).parse_args(args)
    if given.features and (given.y or given.metric or given.tied):
        raise ConfigError("--features shows embeddings; leave out --y, --metric and --tied")
    from experiments.report.standalone import document

    figure = draw(given)
    atomic_bytes(given.out, document(figure).encode())
    print(f"{given.out}: {figure.title}")


def draw(given: argparse.Namespace) -> Figure:
    """The figure asked for."""
    from experiments.report.expansion import ASKED, asked_figure, is_expansion_run
    from experiments.report.measure import Measure
    from experiments.report.plane import feature_plane
    from experiments.report.rounds import is_feedback_run, rounds_figure
    from experiments.report.streams import read_streams, whole
    from experiments.report.sweep import sweep
    from experiments.report.trials import is_sweep

    path = _latest() if given.run == Path(LATEST) else given.run
    if is_sweep(path):
        return _of_sweep(path, given)
    if is_feedback_run(path):
        if given.x != "round" or given.y or given.tied or given.shift:
            raise ConfigError(f"{path} is a test of feedback: draw it with --x round and --metric alone")
        return rounds_figure(path, given.metric)
    if is_expansion_run(path):
        if given.x != ASKED or given.y or given.tied or given.shift:
            raise ConfigError(
                f"{path} is a test of query expansion: draw it with --x asked and --metric alone"
            )
        return asked_figure(path, given.metric)
    run = read_streams(path)
    with whole(run.file):
        if given.features:
            return feature_plane(run, given.shift)
        if len(given.shift) > 1:
            raise ConfigError(
                f"--x draws one shift or the mean of all; --shift is {' and '.join(given.shift)}"
            )
        metric = next(iter(run.tables)) if given.metric is None else given.metric
        return sweep(run, given.x, Measure(metric, given.y), *(given.shift or [None]), given.tied)


def _of_sweep(path: Path, given: argparse.Namespace) -> Figure:
    from experiments.report.coordinates import coordinates
    from experiments.report.importance_bars import importance_bars
    from experiments.report.trials import read_trials

    drawings = {"settings": coordinates, "importance": importance_bars}
    if given.x not in drawings or given.y or given.metric or given.tied or given.shift:
        raise ConfigError(f"{path} is a sweep: draw it with --x settings or --x importance alone")
    return drawings[given.x](read_trials(path))


def _latest() -> Path:
    found = [path for name in FILES for path in Path(RUNS).glob(f"[!.]*/[!.]*/{name}")]
    if not found:
        raise RunError(
            f"no run of RESTModule's test below {RUNS}, nor of FeedbackModule's or QueryExpansionModule's; "
            "give its folder"
        )
    return max(found, key=lambda path: path.stat().st_mtime_ns).parent


def _parser(command: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m experiments {command}",
        description="Draw a run of RESTModule: lines along what was varied, or its embeddings in a plane. "
        "Draw a run of FeedbackModule: lines over its rounds. Draw a run of QueryExpansionModule: what its "
        "gate buys. Draw a sweep: its trials, or what mattered.",
        allow_abbrev=False,
    )
    add: Any = parser.add_argument
    add("run", type=Path, metavar="RUN", help="the run folder, or latest for the newest below runs/")
    what: Any = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--x",
        metavar="NAME",
        help="lines along a setting, along clean or severity of the shifts, along round (feedback) or asked "
        "(expansion); settings or importance of a sweep",
    )
    what.add_argument("--features", action="store_true", help="embeddings in a plane (model.features: true)")
    add("--y", metavar="NAME", help="gain, or a fact such as source_gap or uniformity (default: the metric)")
    add("--metric", help="metric of --x (default: the first; drift: of feedback)")
    several = {"action": "append", "default": [], "metavar": "NAME"}
    add("--tied", **several, help="a setting that was varied together with --x; may be repeated")
    add("--shift", **several, help="the shift; with --features it may be repeated (default: the mean; all)")
    add("--out", type=Path, default=Path("figure.svg"), metavar="FILE", help="default: figure.svg")
    return parser

"""What a run needs and has not: weights, files, memory, earlier runs; found by looking, each time anew."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from experiments.reproduce.table import Experiment, Source, Table
from experiments.reproduce.weights import find
from experiments.study_file import Arm, Run, Study, plan
from requery.errors import DataError, first

if TYPE_CHECKING:
    from datamodules.base import RetrievalDataModule
    from datamodules.doctor.findings import Finding

GB = 1e9
SLACK = 0.95
"""A "24 GB" device reports a little less."""


@dataclass(frozen=True)
class Missing:
    """One thing that is not there.

    Args:
        kind: `weights`, `data`, `memory` or `earlier run`.
        what: the thing, and how that was found.
        sources: where it comes from.
    """

    kind: str
    what: str
    sources: tuple[Source, ...] = ()


class Prepared(NamedTuple):
    """A run as it would be started, and what keeps it from that.

    Args:
        run: its folder and arguments.
        missing: what is not there.
    """

    run: Run
    missing: Sequence[Missing]


@dataclass(frozen=True)
class Place:
    """Where runs go and local weights lie.

    Args:
        runs_root: folder of all runs; a table's are in `reproduce-<table>` below it.
        weights: folder of local copies of weights by hub name.
        seed: of all runs.
        looked: what was found of data that were looked at.
    """

    runs_root: Path
    weights: Path | None = None
    seed: int = 0
    looked: dict[str, list[str]] = field(default_factory=dict)

    def root(self, table: str) -> Path:
        """The folder of a table's runs."""
        return self.runs_root / f"reproduce-{table}"


def prepare(table: Table, name: str, place: Place, sources: Mapping[str, Source]) -> Prepared:
    """Make a run of an experiment and look for what it needs; runs before it in the table are not looked at.

    Args:
        table: the table.
        name: of the experiment.
        place: where things are.
        sources: of weights and data.

    Raises:
        ConfigError: the config or an override is wrong.
    """
    made, missing = table.experiments[name], []
    root = place.root(table.name)
    overrides = _filled(made.overrides, root)
    for key, source in made.weights.items():
        found = find(key, source, sources[source], place.weights)
        overrides |= found.settings
        if found.missing:
            missing.append(Missing("weights", found.missing, (sources[source],)))
    if made.checkpoint:
        path = checkpoint_path(table, made.checkpoint, place)
        if path.is_file():
            overrides["ckpt_path"] = str(path)
        elif "/" in made.checkpoint:
            other = made.checkpoint.partition("/")[0]
            command = f"python -m experiments reproduce {other}"
            missing.append(Missing("earlier run", f"{path}: trained by `{command}`, which is not done"))
    arm = Arm(name, os.path.relpath(table.path.parent / made.config), made.command, overrides)
    study = Study([arm], root.name)
    (run,) = plan(study, Path("table.yaml"), [place.seed], place.runs_root)
    missing += _memory(made)
    for file, source in made.files.items():
        if not Path(_filled(file, root)).is_file():
            missing.append(Missing("data", f"{_filled(file, root)}: no such file", (sources[source],)))
    missing += _data(run, made, place, sources)
    return Prepared(run, missing)


def checkpoint_path(table: Table, experiment: str, place: Place) -> Path:
    """The best checkpoint of an experiment, of this table or of `table/experiment`."""
    other, _, name = experiment.rpartition("/")
    return place.root(other or table.name) / name / f"seed-{place.seed}" / "checkpoints" / "best.ckpt"


def _filled(value: Any, root: Path) -> Any:
    """Overrides with the folders of the table's runs and of the datasets written in."""
    if isinstance(value, str):
        return value.replace("{root}", str(root)).replace("{data}", os.environ.get("REQUERY_DATA", "DATA"))
    if isinstance(value, Mapping):
        return {key: _filled(item, root) for key, item in value.items()}
    return [_filled(item, root) for item in value] if isinstance(value, list) else value


def _memory(made: Experiment) -> list[Missing]:
    found = []
    if made.gpu and (there := _gpu_memory()) < SLACK * made.gpu:
        have = f"{there:.0f} GB" if there else "no GPU"
        found.append(Missing("memory", f"a GPU with {made.gpu:g} GB of memory ({have} here): {made.why}"))
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GB
    if there < SLACK * made.memory:
        found.append(
            Missing("memory", f"{made.memory:g} GB of main memory ({there:.0f} GB here): {made.why}")
        )
    return found


def _gpu_memory() -> float:
    """GB of the largest GPU's memory; 0 without one."""
    import torch

    devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    return max((torch.cuda.get_device_properties(device).total_memory / GB for device in devices), default=0)


def _data(run: Run, made: Experiment, place: Place, sources: Mapping[str, Source]) -> list[Missing]:
    """What the DataModule's own quick check finds, the one before every command.

    Raises:
        ConfigError: the settings are wrong.
    """
    from experiments.cli import RequeryCLI
    from experiments.data_check import splits_used

    lines: list[str] = []
    for command in run.commands:
        cli = RequeryCLI(command, run.args(command), execute=False)
        given, data = cli.config[command], cli.build_data()
        for split in splits_used(command, given["model"]["class_path"], given["trainer"]):
            key = json.dumps([cli.resolved()["data"], split, command != "predict"], sort_keys=True)
            if key not in place.looked:
                place.looked[key] = _look(data, split, command != "predict")
            lines += place.looked[key]
    return [
        Missing("data", line, tuple(sources[name] for name in made.data)) for line in dict.fromkeys(lines)
    ]


def _look(data: RetrievalDataModule, split: str, scored: bool) -> list[str]:
    from datamodules.doctor.quick import quick

    try:
        sources = data.sources(split)
    except DataError as error:  # not even its folder is there
        return str(error).splitlines()
    return [] if sources is None else [_line(finding) for finding in quick(sources, needs_truth=scored)]


def _line(finding: Finding) -> str:
    """A finding without the ids that `doctor` lists."""
    queries = len(finding.queries)
    affected = f" for {queries:,} queries" if queries else ""
    detail = finding.detail or first(finding.items, 3)
    return f"{finding.where}: {finding.check}: {finding.count}{affected}, such as {detail}"

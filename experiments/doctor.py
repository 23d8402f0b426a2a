"""`python -m experiments doctor`: examine a config's data, and say all that is wrong with it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from requery.errors import ConfigError, first
from requery.files import atomic_bytes, ensure_writable

if TYPE_CHECKING:
    from rich.table import Table

    from datamodules.doctor.examine import Examination
    from datamodules.doctor.findings import Finding

SPLITS = ("train", "val", "test")
SHOWN = 5
"""Ids of each finding in the table."""

WIDTH = 160
"""Columns where the output is no terminal."""


def main(command: str, args: Sequence[str]) -> int:
    """Run the command.

    Args:
        command: its name on the command line.
        args: what follows the name.

    Returns:
        The exit status: 0 for clean data, 1 where there are findings.

    Raises:
        ConfigError: the settings are wrong.
        RunError: the list cannot be written.
    """
    given, settings = _parser(command).parse_known_args(args)
    from datamodules.doctor.examine import examine
    from experiments.cli import RequeryCLI
    from experiments.trainer_parts import quieten

    quieten()
    settings = [*(f"--config={config}" for config in given.config), *settings]
    data = RequeryCLI("fit", settings, execute=False).build_data()
    if given.list is not None:
        ensure_writable(given.list.parent)  # before the images are decoded
    found = examine(data, given.splits, _bar)
    if given.list is not None:
        atomic_bytes(given.list, (json.dumps(found.as_dict(), indent=1, ensure_ascii=False) + "\n").encode())
    _print(found, type(data).__name__, data.disjoint)
    return 1 if found.findings else 0


def _print(found: Examination, data: str, disjoint: str | None) -> None:
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)
    console.print(_counts(found, data))
    for title, findings in (("findings", found.findings), ("remarks: by the data's design", found.remarks)):
        if findings:
            console.print(_findings(title, findings))
    for remedy in dict.fromkeys(finding.remedy for finding in found.findings if finding.remedy):
        console.print(f"- {remedy}", markup=False)
    if disjoint is not None:
        console.print(f"no leakage between splits: {disjoint}", markup=False)
    console.print(verdict(found), style="bold", markup=False)


def verdict(found: Examination) -> str:
    """One line: clean, or how much is wrong."""
    remarks = f" ({len(found.remarks)} remarks)" if found.remarks else ""
    splits = ", ".join(split.split for split in found.splits)
    if not found.findings:
        return f"clean: {splits}{remarks}"
    queries = {(finding.where, query) for finding in found.findings for query in finding.queries}
    return f"not clean: {len(found.findings)} findings, {len(queries):,} queries affected{remarks}"


def _counts(found: Examination, data: str) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=data, title_justify="left", box=SIMPLE_HEAD)
    for name in ("split", "data", "queries", "gallery", "images", "SHA-256"):
        table.add_column(name, justify="right" if name in ("queries", "gallery", "images") else "left")
    for split in found.splits:
        sources = split.sources
        counts = ["–"] * 4
        if sources is not None:
            sizes = (len(sources.queries), sources.n_gallery, len(sources.names))
            counts = [sources.where, *(f"{size:,}" for size in sizes)]
        table.add_row(split.split, *counts, "–" if split.digest is None else f"{split.digest[:16]}…")
    return table


def _findings(title: str, findings: Sequence[Finding]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for name in ("where", "what", "items", "queries affected"):
        table.add_column(name, overflow="fold")
    for finding in findings:
        items = "\n".join(part for part in (first(finding.items, SHOWN), finding.detail) if part)
        roles = [f"{len(ids):,} by {role}: {first(ids, SHOWN)}" for role, ids in finding.affected.items()]
        cells = (finding.where, f"{finding.check}: {finding.count}", items, "\n".join(roles) or "–")
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _bar(items: Iterable[Any], total: int) -> Iterable[Any]:
    from tqdm import tqdm

    return tqdm(items, total=total, desc="decoding", unit=" images", leave=False, dynamic_ncols=True)


def _parser(command: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m experiments {command}",
        description="Examine a config's data: decode every image, resolve every name, compare the splits.",
        epilog="Other options are settings as of fit, such as --data.root=DIR. "
        "Exit status: 0 clean (remarks do not count), 1 findings, 2 wrong usage.",
        allow_abbrev=False,
    )
    add: Any = parser.add_argument
    files = {"action": "append", "required": True, "metavar": "FILE"}
    add("--config", "-c", **files, help="experiment config; later ones win")
    add("--splits", type=_splits, default=SPLITS, metavar="A,B", help="some of train,val,test (default: all)")
    add(
        "--list",
        type=Path,
        metavar="FILE",
        help="write everything as JSON: counts and full hashes of the splits; all items of each finding and "
        "remark with what is wrong with them, and the ids of all queries affected, by role",
    )
    return parser


def _splits(text: str) -> tuple[str, ...]:
    chosen = tuple(text.split(","))
    if unknown := [split for split in chosen if split not in SPLITS]:
        raise ConfigError(f"unknown split {', '.join(unknown)}: choose from {', '.join(SPLITS)}")
    return chosen

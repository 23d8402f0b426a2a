"""`ladder`: all methods and their combinations under the same shifts, in one table."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

UNITS = {"s": 1, "m": 60, "h": 3600}


def main(command: str, args: Sequence[str]) -> None:
    """Entry of `python -m experiments ladder`.

    Raises:
        ConfigError: the ladder's file is wrong, or its folder holds a ladder with other settings.
        RunError: the folder cannot be read or written.
    """
    own, rest = _parser(command).parse_known_args(args)
    if own.help:
        _parser(command).print_help()
        return
    from experiments.ladder.bench import require_fitting
    from experiments.ladder.cells import cells
    from experiments.ladder.page import write_page
    from experiments.ladder.results import columns, contributions, rows
    from experiments.ladder.runner import run_cells
    from experiments.ladder.settings import folder_of, read_ladder
    from experiments.trainer_parts import quieten
    from requery.files import atomic_bytes
    from requery.record import RunFolder

    quieten()
    ladder, plain = read_ladder(rest)
    for name, task in ladder.tasks.items():
        require_fitting(name, task)
    folder = RunFolder(folder_of(ladder))
    _open(folder, ladder, plain)
    done = run_cells(ladder, folder, cells(ladder), own.budget)
    compared = {name: columns(ladder, done.outcomes, name) for name in ladder.tasks}
    table = rows(ladder, done.outcomes, compared)
    adds = [asdict(one) for one in contributions(ladder, done.outcomes)]
    left = [f"{cell.where}: {cell.method}" for cell in done.left_out]
    for name, content in (("ladder", table), ("contributions", adds), ("left_out", left)):
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        atomic_bytes(folder.path / f"{name}.json", text.encode())
    write_page(folder.path / "ladder.html", ladder, done, compared)
    if left:
        print(f"{len(left)} cells were left out for want of time; the same command goes on with them:")
        print("\n".join(f"  {one}" for one in left[:20]))
    print(f"{folder.path}/ladder.json, {folder.path}/ladder.html")


def _open(folder: Any, ladder: Any, plain: dict[str, Any]) -> None:
    """Make the folder, or go on in one with the same settings."""
    from experiments.config_file import load_yaml
    from experiments.ladder.settings import EXPERIMENT
    from experiments.report.settings import require_same
    from requery.record import RunFolder

    if not folder.path.exists():
        RunFolder.create(ladder.runs_root, EXPERIMENT, ladder.name, plain)
        return
    folder.open()
    holds = f"{folder.path} holds a ladder with other settings"
    require_same(load_yaml(folder.path / "config.yaml"), plain, holds, "give another --name")


def seconds(text: str) -> float:
    """A time such as `10m` in seconds.

    >>> seconds("10m")
    600.0
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; write 90s, 10m or 1h")
    return float(found[1]) * UNITS[found[2] or "s"]


def _parser(command: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m experiments {command}",
        add_help=False,
        description="Run all methods and their combinations under the same shifts; finished cells are kept.",
        epilog="Other options are settings of the ladder: --config FILE, --name NAME, --runs_root FOLDER, …",
    )
    parser.add_argument("--budget", type=seconds, help="time such as 10m; cells that tell most come first")
    parser.add_argument("--help", "-h", action="store_true", help="show this")
    return parser

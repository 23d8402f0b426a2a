"""`python -m experiments reproduce TABLE`: published numbers, run as far as data and weights allow."""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.config_file import did_you_mean
from experiments.reproduce.cells import Cell, cells_of, needed
from experiments.reproduce.needs import Missing, Place, prepare
from experiments.reproduce.result import Result
from experiments.reproduce.table import Table
from experiments.reproduce.table_file import read_sources, read_table, table_names
from experiments.reproduce.verdict import Outcome, judge
from requery.errors import ConfigError, RunError


def main(command: str, args: Sequence[str]) -> int:
    """Run the command.

    Args:
        command: its name on the command line.
        args: what follows the name.

    Returns:
        The exit status: 0 where all that ran is within tolerance, else 1.

    Raises:
        ConfigError: there is no such table or row, or a config is wrong.
    """
    from experiments.reproduce.show import show, show_list

    given = _parser(command).parse_args(args)
    if given.list:
        show_list([read_table(name) for name in table_names()])
        return 0
    if given.table is None:
        raise ConfigError(f"which table? {', '.join(table_names())}; --list says what they are")
    if given.data_root is not None:
        os.environ["REQUERY_DATA"] = str(given.data_root.absolute())  # the runs' processes inherit it
    table = read_table(given.table)
    place = Place(given.runs_root, given.weights)
    result = reproduce(table, _chosen(table, given.only), place, given.fresh)
    written = result.write(place.root(table.name))
    show(result)
    print("written:", ", ".join(map(str, written)))
    return result.status


def reproduce(table: Table, cells: Sequence[Cell], place: Place, fresh: bool = False) -> Result:
    """Run what can be run of some cells and compare it.

    Args:
        table: the table.
        cells: some of its cells.
        place: where runs go and local weights lie.
        fresh: run everything anew.

    Raises:
        ConfigError: a config is wrong; nothing has been run then.
    """
    from experiments.study import execute, finished
    from experiments.trainer_parts import quieten

    quieten()
    sources, outcomes = read_sources(), {}
    for name in needed(table, cells):  # first all of them: a broken config is found before hours are spent
        prepare(table, name, place, sources)
    for name in needed(table, cells):
        # Again: those before it have left their checkpoints.
        run, missing = prepare(table, name, place, sources)
        missing = [*missing, *_earlier(table, name, outcomes)]
        commands = [shlex.join(["python", "-m", "experiments", c, *run.args(c)]) for c in run.commands]
        if missing:
            # A run that came from another machine is read although what made it is not here.
            state = "done" if finished(run) and not fresh else "missing"
            outcomes[name] = Outcome(run.folder, state, missing, commands=commands)
            continue
        print(f"{table.name}, {name}: {run.arm.command}", flush=True)
        try:
            ran = execute(run, fresh, apart=True)
            print(f"{table.name}, {name}: {'done' if ran else 'already finished'}", flush=True)
            outcomes[name] = Outcome(run.folder, "done", commands=commands)
        except RunError as error:
            outcomes[name] = Outcome(run.folder, "failed", message=str(error), commands=commands)
    return Result(table, [judge(cell, outcomes) for cell in cells], outcomes)


def _earlier(table: Table, name: str, outcomes: dict[str, Outcome]) -> list[Missing]:
    """The experiments that must come first and did not."""
    states = {before: outcomes[before].state for before in table.experiments[name].before}
    words = {"missing": "was not run, see there", "failed": "failed"}
    return [Missing("earlier run", f"experiment {b} {words[s]}") for b, s in states.items() if s != "done"]


def _chosen(table: Table, only: Sequence[str]) -> list[Cell]:
    names = [row.name for row in table.rows]
    for name in only:
        if name not in names:
            raise ConfigError(f"{table.name} has no row {name!r}: {did_you_mean(name, names)}")
    return [cell for cell in cells_of(table) if not only or cell.row in only]


def _parser(command: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m experiments {command}",
        description="Run what the present data and weights allow of a published table, compare, and say "
        "exactly what is missing for the rest. A finished run is not run again, a killed one goes on.",
        epilog="Exit status: 0 all that ran is within tolerance, 1 something is off or failed, 2 wrong "
        "usage.",
        allow_abbrev=False,
    )
    add: Any = parser.add_argument
    add("table", nargs="?", metavar="TABLE", help="a table of --list, or a file of your own")
    add("--list", action="store_true", help="list the tables")
    add("--only", action="append", default=[], metavar="ROW", help="this row alone; may be repeated")
    add("--data-root", "--data_root", type=Path, help="folder of the datasets (default: $REQUERY_DATA)")
    add("--weights", type=Path, help="folder of local copies of weights: owner--name or owner/name")
    add("--runs-root", "--runs_root", type=Path, default=Path("runs"), help="folder of all runs")
    add("--fresh", action="store_true", help="run everything anew, replacing the runs of this table")
    return parser

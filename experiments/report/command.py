"""`python -m experiments report PATH…`: read run folders into one HTML page."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments.report.load import Loaded, load
from experiments.report.page import render
from experiments.report.section import Options
from requery.errors import RunError
from requery.files import atomic_bytes


def main(command: str, args: Sequence[str]) -> None:
    """Run the command.

    Args:
        command: its name on the command line.
        args: what follows the name.

    Raises:
        RunError: there is no run to report.
    """
    given = _parser(command).parse_args(args)
    options = Options(given.baseline, given.examples, given.open_examples)
    loaded = write_report(given.paths, given.output, options)
    megabytes = given.output.stat().st_size / 1e6
    sweeps = f", sweeps: {len(loaded.sweeps)}" if loaded.sweeps else ""
    print(f"{given.output}: {loaded.n_tested} tested runs{sweeps}, {megabytes:.1f} MB")
    for problem in loaded.problems:
        print(f"  {problem.path}: {problem.reason}")


def write_report(paths: Sequence[Path | str], output: Path | str, options: Options = Options()) -> Loaded:
    """Read the run folders at or below `paths` and write the page.

    Returns:
        what was found, for whoever prints a table of it.

    Raises:
        RunError: there is no run to report, or the page cannot be written.
    """
    loaded = load(paths)
    if not (loaded.n_tested or loaded.trained or loaded.sweeps):
        where = ", ".join(map(str, paths))
        reasons = "".join(f"\n  {problem.path}: {problem.reason}" for problem in loaded.problems)
        raise RunError(f"no run to report below {where}; fit and test one first{reasons}")
    atomic_bytes(output, render(loaded, options).encode())
    return loaded


def _parser(command: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m experiments {command}",
        description="Read run folders into one self-contained HTML page.",
    )
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="a folder of run folders, such as runs/"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("report.html"), help="the page (default: report.html)"
    )
    parser.add_argument(
        "--baseline",
        metavar="ARM",
        help="arm the significance marks compare with (default: the strongest training-free one)",
    )
    parser.add_argument(
        "--examples",
        type=_count,
        default=6,
        metavar="N",
        help="queries of each kind: wins, losses, random (default: 6)",
    )
    parser.add_argument(
        "--open-examples",
        type=_count,
        default=1,
        metavar="N",
        help="how many of each kind start unfolded (default: 1)",
    )
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{number} is negative")
    return number

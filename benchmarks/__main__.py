"""`python -m benchmarks`: measure speed and memory, and write them down."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import (
    adaptation,
    bm25,
    corpus_growth,
    exact_ranks,
    feedback,
    figures,
    hard_negatives,
    head,
    paired_statistics,
    start_up,
    table,
)
from benchmarks.measure import TURNS

MEASUREMENTS = (
    exact_ranks,
    hard_negatives,
    corpus_growth,
    head,
    adaptation,
    feedback,
    bm25,
    paired_statistics,
    start_up,
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run all measurements, one after another."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("docs/performance.md"), help="the page to write")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one turn: a check of the code")
    options = parser.parse_args(arguments)
    turns = 1 if options.quick else TURNS
    rows = []
    for measurement in MEASUREMENTS:
        for row in measurement.measure(options.quick, turns):
            found = f"{row.seconds:.3g} s, {row.ratio:.3g} times {row.baseline}"
            print(f"{row.measurement}: {found}", file=sys.stderr)
            rows.append(row)
    made = table.record(rows, turns)
    table.write(made, options.output)
    figures.write(made, options.output.parent / "figures")


if __name__ == "__main__":
    main()

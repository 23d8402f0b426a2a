"""What is wrong in a file: raised at once, or collected so that everything is reported together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn

from requery.errors import DataError


@dataclass(frozen=True)
class Problem:
    """Something a reader cannot use.

    Args:
        message: names file, record and remedy.
        query_id: the query it costs, where that can be told.
    """

    message: str
    query_id: str | None = None


Report = Callable[[Problem], None]
"""What a reader does with a problem before it reads on: `fail`, or the `append` of a list."""


def fail(problem: Problem) -> NoReturn:
    """Raise the first problem as a DataError."""
    raise DataError(problem.message)


@contextmanager
def reporting(report: Report, query_id: str | None = None) -> Iterator[None]:
    """Turn a DataError of the block into a problem, and go on after the block."""
    try:
        yield
    except DataError as error:
        report(Problem(str(error), query_id))

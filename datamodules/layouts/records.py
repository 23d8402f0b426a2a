"""JSON annotations, read with errors that name the file and the record."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from datamodules.layouts.problems import Problem, Report, reporting
from requery.errors import DataError, first


def read_json(path: Path, remedy: str) -> Any:
    """Read one JSON file.

    Args:
        path: the file.
        remedy: what to do when it is absent.

    Raises:
        DataError: the file is absent, not UTF-8 JSON, holds one half of a surrogate pair, or repeats
            a key within an object.
    """
    try:
        data = path.read_bytes()
        content = json.loads(data, object_pairs_hook=lambda pairs: _distinct(path, pairs))
        if b"\\ud" in data.lower():  # half a pair passes the parser, and can never be written again
            json.dumps(content, ensure_ascii=False).encode()
        return content
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; {remedy}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not valid JSON ({error}); fetch the file again") from error


def read_list(path: Path, remedy: str, what: str, report: Report) -> list[Any]:
    """Read a JSON file that holds a list; where it does not, that is the problem and there is no record.

    Args:
        path: the file.
        remedy: what to do when it is absent.
        what: its records, for messages.
        report: is told the problem.
    """
    with reporting(report):
        records = read_json(path, remedy)
        if isinstance(records, list):
            return records
        report(Problem(f"{path}: expected a list of {what}, found {type(records).__name__}"))
    return []


def take(record: object, key: str, kind: type | tuple[type, ...], where: str) -> Any:
    """Take a field of a JSON object and check its type.

    Args:
        record: the object.
        key: the field's name.
        kind: the type or types it may have.
        where: file and record, for the message.

    Raises:
        DataError: the record is not an object, lacks the field, or the field has another type.
    """
    if not isinstance(record, dict):
        raise DataError(f"{where}: expected an object, found {type(record).__name__}")
    if key not in record:
        raise DataError(f"{where}: the field {key!r} is missing; fields are {first(record)}")
    value = record[key]
    if not isinstance(value, kind) or isinstance(value, bool):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        expected = " or ".join(k.__name__ for k in kinds)
        raise DataError(f"{where}: {key!r} must be {expected}, found {type(value).__name__}")
    return value


def take_strings(record: object, key: str, where: str) -> tuple[str, ...]:
    """Take a field that is a list of strings; raises DataError where it is not."""
    values = take(record, key, list, where)
    if not all(isinstance(value, str) for value in values):
        raise DataError(f"{where}: {key!r} must be a list of strings")
    return tuple(values)


def require_distinct(names: Iterable[str], what: str, path: Path) -> None:
    """Raise a DataError that lists the names that occur twice."""
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise DataError(f"{path}: {len(repeated)} {what} occur more than once: {first(repeated)}")


def _distinct(path: Path, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        require_distinct((key for key, _ in pairs), "keys", path)
    return found

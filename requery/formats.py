"""The file formats of a run folder: JSON, YAML, JSON lines, Parquet; a damaged file is named."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from requery.errors import RunError


def json_text(data: Mapping[str, Any], indent: int | None = None) -> str:
    """A mapping as JSON; a number that is not finite becomes null, which JSON has no other word for."""
    return json.dumps(_finite(data), ensure_ascii=False, allow_nan=False, indent=indent)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _damaged(path: Path, error: object) -> RunError:
    return RunError(f"{path} is damaged ({error}); remove it, or run the command that wrote it again")


def read_mapping(path: Path) -> dict[str, Any]:
    """Read the mapping a JSON or YAML file holds.

    Raises:
        RunError: the file is unreadable or holds something else; names it.
    """
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
        content = yaml.safe_load(text) if path.suffix == ".yaml" else json.loads(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise _damaged(path, error) from error
    if not isinstance(content, dict):
        raise _damaged(path, "it holds no mapping")
    return content


def read_history(path: Path) -> list[dict[str, Any]]:
    """Read JSON lines, one an epoch.

    Raises:
        RunError: the file is unreadable or a row has no epoch; names it.
    """
    try:
        rows = [json.loads(line) for line in path.read_bytes().split(b"\n") if line]
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from error
    if not all(isinstance(row, dict) and isinstance(row.get("epoch"), int) for row in rows):
        raise _damaged(path, "a row has no epoch")
    return rows


def read_ranks(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Read the columns of a Parquet file; a null number is NaN.

    Raises:
        RunError: the file is unreadable; names it.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise _damaged(path, error) from error
    return {name: table[name].to_numpy() for name in table.column_names}

"""What a cell gave, and its file: the values of every query, and what they cost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from requery.errors import RunError
from requery.files import atomic_write

COST = b"requery_ms"
"""Where a cell's file has its cost."""


@dataclass
class Outcome:
    """What a cell gave.

    Args:
        values: metric -> `(Q,)` float32.
        ms: milliseconds a query by stage; the gallery and its captions are made once and not counted.
    """

    values: dict[str, Tensor]
    ms: dict[str, float] = field(default_factory=dict)


def write_outcome(path: Path, query_ids: Sequence[str], outcome: Outcome) -> None:
    """Write a cell's file, whole or not at all.

    Raises:
        RunError: it cannot be written.
    """
    import pyarrow as pa
    from pyarrow import parquet

    columns = {"query_id": pa.array(query_ids, pa.string())}
    columns |= {name: pa.array(values.numpy()) for name, values in outcome.values.items()}
    with atomic_write(path, "wb") as file:
        parquet.write_table(
            pa.table(columns).replace_schema_metadata({COST: json.dumps(outcome.ms).encode()}), file
        )


def read_outcome(path: Path) -> Outcome:
    """Read what was kept of a cell.

    Raises:
        RunError: the file is damaged.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
        ms = json.loads((table.schema.metadata or {})[COST])
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise RunError(f"{path}: cannot be read ({error}); remove it, and it is run again") from error
    names = [name for name in table.column_names if name != "query_id"]
    return Outcome({name: torch.from_numpy(table[name].to_numpy().copy()) for name in names}, ms)

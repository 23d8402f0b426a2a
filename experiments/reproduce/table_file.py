"""Read a published table's file, and where the weights and data it names come from."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from experiments.config_file import did_you_mean, load_yaml
from experiments.reproduce.cells import cells_of
from experiments.reproduce.table import Column, Experiment, Published, Reading, Row, Source, Table, Tolerance
from requery.errors import ConfigError

HERE = Path(__file__).parent
TABLES = HERE / "tables"
T = TypeVar("T")


def table_names() -> list[str]:
    """The tables that ship."""
    return sorted(path.stem for path in TABLES.glob("*.yaml"))


def read_table(name: str) -> Table:
    """Read a table that ships, or a file of one's own (`….yaml`).

    Raises:
        ConfigError: there is no such table, or its file is wrong; names file, entry and remedy.
    """
    own = name.endswith(".yaml")
    if not own and name not in table_names():
        raise ConfigError(f"unknown table {name}: {did_you_mean(name, table_names())}")
    path = Path(name) if own else TABLES / f"{name}.yaml"
    content = {"experiments": {}, **load_yaml(path)}
    for key, kind in (("columns", dict), ("rows", list), ("experiments", dict)):
        if not isinstance(content.get(key), kind):
            raise ConfigError(f"{path}: `{key}` is missing or no {kind.__name__}; see the files in {TABLES}")
    columns = {name: _column(given, f"{path}, column {name}") for name, given in content["columns"].items()}
    rows = [_row(given, list(columns), f"{path}, row {n}") for n, given in enumerate(content["rows"], 1)]
    experiments = {
        name: build(Experiment, given, f"{path}, experiment {name}")
        for name, given in content["experiments"].items()
    }
    tolerance = build(Tolerance, content.get("tolerance"), f"{path}, tolerance")
    parts = {"columns": columns, "rows": rows, "experiments": experiments, "tolerance": tolerance}
    table = build(Table, {**content, **parts, "path": path}, str(path))
    _check(table)
    return table


def read_sources(path: Path = HERE / "sources.yaml") -> dict[str, Source]:
    """Read the weights and data that tables name.

    Raises:
        ConfigError: an entry is wrong.
    """
    return {name: build(Source, given, f"{path}, {name}") for name, given in load_yaml(path).items()}


def build(kind: type[T], content: Any, where: str) -> T:
    """Make a dataclass of what a file says.

    Raises:
        ConfigError: it is no mapping, or a key is unknown or missing.
    """
    if not isinstance(content, Mapping):
        raise ConfigError(f"{where}: {content!r} is no mapping of keys to values")
    keys = [key.name for key in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for key in content:
        _known(str(key), keys, where)
    try:
        return kind(**content)
    except (TypeError, ConfigError) as error:  # a key without default is missing, or a value is refused
        raise ConfigError(f"{where}: {error}") from None


def _known(name: str, names: Sequence[str], where: str) -> None:
    if name not in names:
        raise ConfigError(f"{where}: unknown {name}: {did_you_mean(name, names)}")


def _column(given: Any, where: str) -> Column:
    if isinstance(given, Mapping) and "read" in given:
        given = {**given, "read": build(Reading, given["read"], f"{where}, read")}
    return build(Column, given, where)


def _row(given: Any, columns: Sequence[str], where: str) -> Row:
    if not isinstance(given, Mapping) or not isinstance(given.get("values"), (list, Mapping)):
        raise ConfigError(
            f"{where}: a row needs `name` and `values`, a list or a mapping of columns to numbers"
        )
    where, values = f"{where} ({given.get('name')})", given["values"]
    if isinstance(values, list):
        if len(values) != len(columns):
            raise ConfigError(
                f"{where}: {len(values)} values for {len(columns)} columns; null stands for none"
            )
        values = dict(zip(columns, values, strict=True))
    for column in (*values, *given.get("notes", ())):
        _known(str(column), columns, where)
    content = {**given, "values": {name: _published(v, f"{where}, {name}") for name, v in values.items()}}
    for key, kind in (("read", Reading), ("tolerance", Tolerance)):
        if key in content:
            content[key] = build(kind, content[key], f"{where}, {key}")
    return build(Row, content, where)


def _published(value: Any, where: str) -> Published:
    ends = value if isinstance(value, list) else [value]
    if len(ends) not in (1, 2) or not all(end is None or isinstance(end, (int, float)) for end in ends):
        raise ConfigError(f"{where}: {value!r} is neither a number nor a range of two; null stands for none")
    return (ends[0], ends[1]) if isinstance(value, list) else value


def _check(table: Table) -> None:
    """Raise ConfigError where a name leads nowhere or a cell is made by nothing."""
    names, sources = list(table.experiments), list(read_sources())
    for name, column in table.columns.items():
        for part in column.mean:
            _known(part, list(table.columns), f"{table.path}, column {name}, mean")
    for number, (name, made) in enumerate(table.experiments.items()):
        where = f"{table.path}, experiment {name}"
        for source in (*made.weights.values(), *made.data, *made.files.values()):
            _known(source, sources, where)
        for other in made.before:
            _known(other, names[:number], f"{where}, of those before it")
    for cell in cells_of(table):
        where = f"{table.path}, row {cell.row}, {cell.column}"
        for part in cell.parts:
            if not part.experiment:
                raise ConfigError(f"{where}: give the `run` that makes it, or say why it is `only_published`")
            _known(part.experiment, names, where)
            if not part.reading.metric:
                raise ConfigError(f"{where}: nothing says which metric it is; give `read: {{metric: …}}`")

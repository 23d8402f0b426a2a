"""Which streams a figure's lines run through: a setting of the methods, or a property of the shifts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.config_file import did_you_mean
from experiments.report.streams import Streams
from experiments.report.ticks import Value
from requery.errors import ConfigError, RunError, first

OF_SHIFTS = ("clean", "severity")
"""What varies between shifts; all else is a setting of the methods."""


@dataclass(frozen=True)
class Place:
    """The streams behind a point.

    Args:
        method: its name.
        shifts: whose mean is taken.
    """

    method: str
    shifts: tuple[str, ...]


@dataclass(frozen=True)
class Line:
    """Places along the axis.

    Args:
        label: the method, without what is varied.
        places: value -> place.
        varied: False where the method has no value of its own, and one place that counts for the whole axis.
    """

    label: str
    places: Mapping[Value, Place]
    varied: bool = True


def lines_along(
    run: Streams, x: str, metric: str, shift: str | None = None, tied: Sequence[str] = ()
) -> list[Line]:
    """Lines along a setting or a property of the shifts.

    Args:
        run: what was tested.
        x: `clean`, `severity` or a setting of the methods.
        metric: by which shifts are set apart.
        shift: the only one to look at, or, along the shifts, its kind; None for the mean of those not set
            apart at all.
        tied: settings that may differ along a line, because they were varied with `x`.

    Raises:
        ConfigError: nothing of that name, or it was not varied.
        RunError: the run recorded neither settings nor shifts, or every shift is set apart.
    """
    if not run.methods or not run.segments:
        raise RunError(f"{run.path}: its test did not record settings and shifts yet; test the run again")
    if x in OF_SHIFTS:
        return _along_shifts(run, x, metric, shift)
    return _along_settings(run, x, _shifts(run, metric, shift), tied)


def plain(value: Any) -> Value:
    """A setting as something to compare and to print: numbers and null as they are, all else as text."""
    if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return value
    return "+".join(map(str, value)) if isinstance(value, list) else str(value)


def _shifts(run: Streams, metric: str, shift: str | None) -> tuple[str, ...]:
    rows = run.rows(metric)
    if shift is not None:
        if shift not in rows:
            raise ConfigError(f"no shift {shift!r}: {did_you_mean(shift, list(rows))}")
        return (shift,)
    kept = tuple(name for name, row in rows.items() if not row["apart"])
    if not kept:
        raise RunError(f"{run.path}: under every shift {metric} is near chance; choose one by --shift")
    return kept


def _along_settings(run: Streams, x: str, shifts: tuple[str, ...], tied: Sequence[str]) -> list[Line]:
    known = list(dict.fromkeys(name for method in run.methods.values() for name in method["settings"]))
    for name in (x, *tied):
        if name not in known:
            raise ConfigError(f"no setting {name!r}: {did_you_mean(name, [*known, *OF_SHIFTS])}")
    groups = _groups(run, [x, *tied])
    if all(len(group) < 2 for group in groups):
        varied = [name for name in known if any(len(group) > 1 for group in _groups(run, [name]))]
        others = f"varied so are {', '.join(varied)}; " if varied else ""
        raise ConfigError(f"{x} is not varied between methods alike in all else; {others}see also --tied")
    lines = []
    for group in groups:
        places = {value: Place(method, shifts) for value, method in group.items()}
        name = next(iter(group.values()))
        label = _without(name, [x, *tied]) if len(group) > 1 else name
        lines.append(Line(label, places, varied=list(group) != [None]))
    return sorted(lines, key=lambda line: not line.varied)  # stable


def _groups(run: Streams, free: Sequence[str]) -> list[dict[Value, str]]:
    """Methods of one class alike in all settings but `free`: value of the first of these -> method.

    A second method of the same value starts a group of its own.
    """
    groups: dict[str, list[dict[Value, str]]] = {}
    for name, method in run.methods.items():
        others = {key: value for key, value in method["settings"].items() if key not in free}
        alike = groups.setdefault(json.dumps([method["class"], others], sort_keys=True), [])
        value = plain(method["settings"].get(free[0]))
        group = next((group for group in alike if value not in group), None)
        if group is None:
            alike.append({value: name})
        else:
            group[value] = name
    return [group for alike in groups.values() for group in alike]


def _without(name: str, settings: Sequence[str]) -> str:
    """`tcr(lr=0.1, steps=5)` without `lr`: `tcr(steps=5)`."""
    method, _, inner = name.removesuffix(")").partition("(")
    others = [part for part in inner.split(", ") if part and part.partition("=")[0] not in settings]
    return f"{method}({', '.join(others)})" if others else method


def _along_shifts(run: Streams, x: str, metric: str, shift: str | None) -> list[Line]:
    rows = run.rows(metric)
    kinds = _kinds(run, x, rows, shift)
    values = sorted({value for kind in kinds for value in kind})
    complete = [kind for kind in kinds if len(kind) == len(values)]
    if len(values) < 2 or not complete:
        every = "; no kind of shift was tested with all of them" if len(values) > 1 else ""
        found = ", ".join(f"{value:g}" for value in values) or "nothing"
        raise ConfigError(f"{x} of the shifts is {found}{every}; test with data.{x} varied")
    # A kind that leaves nothing anywhere tells nothing; one that does so at some values is not cut short.
    kept = [
        kind for kind in complete if shift or not all(rows[s]["apart"] for of in kind.values() for s in of)
    ]
    if not kept:
        raise RunError(f"{run.path}: under every shift {metric} is near chance; choose one by --shift")
    at = {value: tuple(name for kind in kept for name in kind[value]) for value in values}
    return [Line(name, {value: Place(name, at[value]) for value in values}) for name in run.methods]


def _kinds(run: Streams, x: str, rows: Mapping[str, Any], shift: str | None) -> list[dict[float, list[str]]]:
    """Shifts alike in all but `x`: its value -> names; several names where a stream comes back to one."""
    (other,) = (name for name in OF_SHIFTS if name != x)
    found: dict[tuple[str, float], dict[float, list[str]]] = {}
    chosen = set()
    for name in rows:
        segment = run.segments[name.partition(" #")[0]]
        if segment["kind"] == "clean":
            continue
        key = (segment["kind"], segment[other])
        found.setdefault(key, {}).setdefault(segment[x], []).append(name)
        if shift in (None, name, segment["kind"]):
            chosen.add(key)
    if not chosen:
        raise ConfigError(f"no shift {shift!r}; there are {first(rows)}")
    return [kind for key, kind in found.items() if key in chosen]

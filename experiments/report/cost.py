"""What the runs cost, and where their environments differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.report.arms import Arm
from experiments.report.settings import flatten
from requery.record import RunRecord

GIB = 1024**3


@dataclass(frozen=True)
class StageCost:
    """Mean seconds of a stage over an arm's runs, and items per second where items were counted."""

    seconds: float
    rate: float | None


@dataclass(frozen=True)
class ArmCost:
    """What one arm cost per run.

    Args:
        name: the arm's name.
        stages: stage name -> cost.
        total: mean wall-clock seconds of a run.
        memory: peak of main memory in GiB, the largest of its runs.
        gpu_memory: peak of GPU memory in GiB.
    """

    name: str
    stages: dict[str, StageCost]
    total: float | None
    memory: float | None
    gpu_memory: float | None


def cost_of(arm: Arm) -> ArmCost:
    """Average an arm's `cost.json` over its runs."""
    runs = list({run.path: run for run in (*arm.runs, *arm.trained)}.values())
    costs = [run.cost for run in runs if run.cost]
    rows: dict[str, list[dict[str, Any]]] = {}
    for cost in costs:
        for name, row in (cost.get("stages") or {}).items():
            rows.setdefault(name, []).append(row)
    stages = {
        name: StageCost(
            float(np.mean([row["seconds"] for row in found])),
            float(np.mean([row.get("items_per_second") or 0 for row in found])) or None,
        )
        for name, found in rows.items()
    }
    totals = [cost["total_seconds"] for cost in costs if cost.get("total_seconds") is not None]
    return ArmCost(
        arm.name,
        stages,
        float(np.mean(totals)) if totals else None,
        _peak(costs, "peak_memory_bytes"),
        _peak(costs, "peak_gpu_memory_bytes"),
    )


def _peak(costs: Sequence[dict[str, Any]], key: str) -> float | None:
    found = [cost[key] for cost in costs if cost.get(key)]
    return max(found) / GIB if found else None


def stage_names(costs: Sequence[ArmCost]) -> list[str]:
    """Every stage, in the order of its first appearance."""
    return list(dict.fromkeys(name for cost in costs for name in cost.stages))


def environment_facts(runs: Sequence[RunRecord]) -> tuple[dict[str, str], dict[str, dict[str, list[str]]]]:
    """What all runs share, and what differs between them.

    Returns:
        the fact -> its one value, for facts worth a line (Python, processor, GPUs, main packages); and
        the fact -> value -> the runs that have it, for every fact with more than one value.
    """
    values: dict[str, dict[str, list[str]]] = {}
    flats = {f"{run.experiment}/{run.name}": _facts(run) for run in runs}
    keys = dict.fromkeys(key for flat in flats.values() for key in flat)
    for key in keys:
        for run, flat in flats.items():
            values.setdefault(key, {}).setdefault(flat.get(key, "absent"), []).append(run)
    shared = {key: next(iter(found)) for key, found in values.items() if len(found) == 1 and key in MAIN}
    return shared, {key: found for key, found in values.items() if len(found) > 1}


MAIN = (
    "git.commit",
    "git.dirty",
    "python",
    "hardware.cpu",
    "hardware.cores",
    "hardware.memory",
    "hardware.gpus",
    "packages.torch",
    "packages.lightning",
    "packages.transformers",
)


def _facts(run: RunRecord) -> dict[str, str]:
    environment = run.environment
    tree = {key: environment.get(key) for key in ("git", "python", "hardware", "packages")}
    flat = {key: value for key, value in flatten(tree).items() if value is not None}
    if "hardware.memory_bytes" in flat:
        flat["hardware.memory"] = f"{flat.pop('hardware.memory_bytes') / GIB:.0f} GiB"
    return {
        key: ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        for key, value in flat.items()
    }

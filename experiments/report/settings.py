"""Which settings make an arm, and what an arm is called by them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from requery.errors import ConfigError
from requery.record import RunRecord

# Where a run was computed and what it is called do not make another arm; neither does its seed.
OUTSIDE = frozenset(("seed_everything", "ckpt_path", "run", "runs_root", "resume", "experiment", "verbose"))
TRAINER_KEPT = frozenset(
    ("max_epochs", "max_steps", "precision", "accumulate_grad_batches", "gradient_clip_val", "callbacks")
)


def flatten(tree: Any, prefix: str = "") -> dict[str, Any]:
    """A tree of settings as dotted keys; lists stay values, lists of mappings are numbered."""
    if isinstance(tree, list) and any(isinstance(item, dict) for item in tree):
        tree = {str(i): item for i, item in enumerate(tree)}
    if not isinstance(tree, dict):
        return {prefix: tree}
    parts = [flatten(value, f"{prefix}.{key}" if prefix else str(key)) for key, value in tree.items()]
    return {key: value for part in parts for key, value in part.items()}


def require_same(before: Mapping[str, Any], now: Mapping[str, Any], holds: str, remedy: str) -> None:
    """Refuse to go on with other settings.

    Args:
        before: settings of what there is.
        now: those asked for.
        holds: what is where, such as `runs/a holds a run with other settings`.
        remedy: what to do instead.

    Raises:
        ConfigError: they differ; names the first five.
    """
    old, new = flatten(dict(before)), flatten(dict(now))
    changed = [key for key in sorted(old | new) if old.get(key) != new.get(key)]
    if changed:
        shown = "; ".join(f"{key}: {old.get(key)} there, {new.get(key)} now" for key in changed[:5])
        raise ConfigError(f"{holds} ({shown}); {remedy}")


def settings(run: RunRecord) -> dict[str, Any]:
    """The dotted settings that make an arm: model, data and training, without seeds, names and hardware."""
    flat = flatten(run.config)
    return {key: value for key, value in flat.items() if _matters(key.split("."))}


def _matters(parts: Sequence[str]) -> bool:
    if parts[0] == "trainer" and parts[1:2] and parts[1] not in TRAINER_KEPT:
        return False
    own_seed = parts[-1] == "seed" and (len(parts) <= 2 or parts[-2] == "init_args")  # not that of a world
    return parts[0] not in OUTSIDE and not own_seed


def arm_key(run: RunRecord) -> str:
    """Equal for runs of one experiment that differ only in their seed."""
    return (
        f"{run.path.resolve().parent}\n{sorted((key, repr(value)) for key, value in settings(run).items())}"
    )


def arm_names(runs: Sequence[RunRecord]) -> dict[str, str]:
    """Name each arm by its experiment; several arms of one experiment by what tells them apart."""
    arms: dict[str, RunRecord] = {}
    for run in runs:
        arms.setdefault(arm_key(run), run)
    experiments: dict[Path, list[str]] = defaultdict(list)
    for key, run in arms.items():
        experiments[run.path.resolve().parent].append(key)
    folders = [folder.name for folder in experiments]
    names = {}
    for folder, keys in experiments.items():
        short = folder.name if folders.count(folder.name) == 1 else f"{folder.parent.name}/{folder.name}"
        flats = {key: settings(arms[key]) for key in keys}
        for key in keys:
            names[key] = short if len(keys) == 1 else f"{short} ({_difference(arms[key], flats, key)})"
    return names


def _difference(run: RunRecord, flats: dict[str, dict[str, Any]], key: str) -> str:
    everything = sorted({name for flat in flats.values() for name in flat})
    differing = [name for name in everything if len({repr(flat.get(name)) for flat in flats.values()}) > 1]
    if len(differing) > 2:
        return run.name
    return ", ".join(f"{name.rpartition('.')[2]}={flats[key].get(name)}" for name in differing)

"""The quick check of the data before a command: every split it will use, before any model is loaded."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch import LightningModule

from datamodules.base import RetrievalDataModule
from datamodules.doctor.findings import Finding
from datamodules.doctor.images import absent
from datamodules.doctor.quick import quick, require_sound

SPLITS = {"fit": ("train", "val"), "validate": ("val",), "test": ("test",), "predict": ("test",)}


def splits_used(command: str, model: str, trainer: Mapping[str, Any]) -> tuple[str, ...]:
    """The splits a command reads; a fit that does not validate needs no `val`.

    Args:
        command: `fit`, `validate`, `test` or `predict`.
        model: path of the model's class.
        trainer: the Trainer's arguments.
    """
    module, _, name = model.rpartition(".")
    its_class = getattr(importlib.import_module(module), name)
    validates = its_class.validation_step is not LightningModule.validation_step
    if command == "fit" and (not validates or trainer.get("limit_val_batches") == 0):
        return ("train",)
    return SPLITS[command]


def check_data(
    data: RetrievalDataModule, splits: Sequence[str], configs: Sequence[str], scored: bool = True
) -> None:
    """Look whether annotations, names and image files are there, without decoding, and say so in one line.

    Args:
        data: the DataModule.
        splits: those that will be used.
        configs: config files, for the hint.
        scored: whether their targets are needed; a prediction does without.

    Raises:
        DataError: something is not; the message tells all of it.
    """
    findings: list[Finding] = []
    lines: list[str] = []
    for split in splits:
        sources = data.sources(split)
        if sources is None:
            continue
        findings += quick(sources, needs_truth=scored)
        left_out = sum(len(finding.items) for finding in absent(sources)) if sources.skip_bad else 0
        missing = f" ({left_out:,} missing: left out)" if left_out else ": all there"
        lines.append(
            f"{split} {len(sources.queries):,} queries, {len(sources.names):,} {sources.what}{missing}"
        )
    options = " ".join(f"--config {config}" for config in configs) or "--config …"
    require_sound(findings, f"everything about these data: python -m experiments doctor {options}")
    _say(f"data: {' · '.join(lines) or 'no file to check'}")


@rank_zero_only
def _say(line: str) -> None:
    print(line, flush=True)

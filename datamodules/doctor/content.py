"""Splits with nothing to ask or to retrieve, or without published targets."""

from __future__ import annotations

from datamodules.doctor.findings import Finding
from datamodules.sources import Sources


def nothing_there(sources: Sources) -> list[Finding]:
    """A split whose files can be read and hold no query or no image."""
    if sources.problems:
        return []
    sizes = {"there is no query": len(sources.queries), "the gallery is empty": sources.n_gallery}
    items = {said: f"check {sources.listed_in} and the captions" for said, size in sizes.items() if not size}
    return [Finding(sources.where, "split empty", items)] if items else []


def without_targets(sources: Sources, fails: bool) -> list[Finding]:
    """A split whose targets the benchmark keeps: it can be predicted, neither scored nor trained on."""
    if sources.has_truth:
        return []
    check, remedy = (
        "targets not published",
        "only predict such a split; set train_split, val_split or test_split",
    )
    return [Finding(sources.where, check, {"targets": ""}, remedy=remedy, fails=fails)]

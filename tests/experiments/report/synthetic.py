"""A run of adapting methods without running one: tables, facts and embeddings made up from a seed."""

import json

import numpy as np
from safetensors.numpy import save_file

DEFAULTS = {"batch_size": None, "pace": None, "steps": 3, "lr": 3e-4}
QUERIES, DIM = 60, 8


def interval(value, half=0.01):
    return {"value": value, "low": value - half, "high": value + half}


def method(name, cls="TCR", **changed):
    return name, {"class": cls, "settings": {**DEFAULTS, **changed}}


NONE = ("none", {"class": "NoAdaptation", "settings": {"batch_size": None, "pace": None}})
SIZES = dict(
    [
        method("tcr"),
        *(method(f"tcr(batch_size={n})", batch_size=n) for n in (4, 1, 16)),
        *(method(f"tcr(batch_size={n}, steps=5)", batch_size=n, steps=5) for n in (1, 16)),
        NONE,
    ]
)
LATE = {"fog@5": ("fog", 5, 0.0), "snow@5": ("snow", 5, 0.0), "jpeg@5": ("jpeg", 5, 0.0)}


def value_of(shift, name, methods):
    """What a method gets under a shift: larger batches are better, clean queries too; snow leaves nothing."""
    kind, severity, clean = shift
    if kind == "snow":
        return 0.001
    size = methods[name]["settings"]["batch_size"] or 64
    base = 0.4 - 0.05 * severity + 0.2 * clean + (0.05 if kind == "jpeg" else 0.0)
    return base if name == "none" else base + 0.01 * np.log2(size) - 0.02


def record(methods=SIZES, shifts=LATE, orders=2, metrics=("recall@1", "recall@10")):
    """The content of `shifts.json`."""

    def cell(value, source, name):
        gain = None if name == "none" else interval(value - source, 0.005)
        return {**interval(value), "spread": 0.0, "gain": gain}

    def row(name, of, apart=False):
        source = of("none") if "none" in methods else 0.0
        return {
            "shift": name,
            "apart": apart,
            "cells": {method: cell(of(method), source, method) for method in methods},
        }

    rows = [
        row(name, lambda m, shift=shift: value_of(shift, m, methods), shift[0] == "snow")
        for name, shift in shifts.items()
    ]
    kept = [shift for shift in shifts.values() if shift[0] != "snow"]
    if kept:
        mean = row(f"mean of {len(kept)}", lambda m: float(np.mean([value_of(s, m, methods) for s in kept])))
        rows.append(mean)
    head = {"protocol": "shapes/image_to_text@1", "split": "test", "orders": orders, "queries": QUERIES}
    tables = [
        {**head, "metric": m, "methods": list(methods), "rows": rows, "clean_after": []} for m in metrics
    ]
    facts = [
        {
            "order": order,
            "position": 0,
            "shift": shift,
            "method": name,
            "uniformity": 0.95 - 0.01 * order,
            "gap": 0.6 + 0.1 * order,
            "source_gap": None if name == "none" else 0.5,
            "threshold": None if name == "none" else 1.2,
            "updates": 0 if name == "none" else 24 + 2 * order,
            "adapted": float(name != "none"),
        }
        for order in range(orders)
        for shift in shifts
        for name in methods
    ]
    segments = {
        n: dict(zip(("kind", "severity", "clean"), shift, strict=True)) for n, shift in shifts.items()
    }
    return {"tables": tables, "methods": methods, "segments": segments, "facts": facts}


def write(folder, content=None, features=False, methods=SIZES, shifts=LATE):
    """A run folder; the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("config.yaml", "environment.json", "metrics.json"):
        (folder / name).write_text("{}")
    content = record(methods, shifts) if content is None else content
    (folder / "shifts.json").write_text(json.dumps(content))
    if features:
        save_file(embeddings(methods, shifts), folder / "features.safetensors")
    return folder


def embeddings(methods=SIZES, shifts=LATE, queries=QUERIES, dim=DIM):
    """Unit float16 rows: targets, clean queries beside them, shifted ones drawn together."""
    draw = np.random.default_rng(0)
    targets = draw.normal(size=(queries, dim)) + np.eye(dim)[0]
    clean = targets + 0.4 * draw.normal(size=(queries, dim)) + 1.5 * np.eye(dim)[1]
    found = {"targets": targets, "clean": clean}
    for number, shift in enumerate(shifts):
        for name in methods:
            pull = 0.3 if name == "none" else 0.7
            found[f"{shift}/{name}"] = pull * clean + (1 - pull) * (3 * np.eye(dim)[2 + number % (dim - 2)])
    unit = {n: rows / np.linalg.norm(rows, axis=1, keepdims=True) for n, rows in found.items()}
    return {name: rows.astype(np.float16) for name, rows in unit.items()}

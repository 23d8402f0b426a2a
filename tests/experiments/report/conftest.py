"""Synthetic run folders over a small Shapes world: scores are noise plus a pull towards the truth."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from requery.ranking.significance import paired_bootstrap
from requery.record import RunFolder
from requery.shapes.scene import ShapesConfig
from requery.shapes.tasks import build

FAMILIES = 14
WORLD = ShapesConfig()
METRICS = ("recall@1", "recall@5", "recall@10", "recall_subset@1", "map@10", "hit_any@1")


class Writer:
    """Writes run folders below a root; each argument of `run` changes one thing."""

    def __init__(self, root: Path, families: int = FAMILIES):
        self.root = root
        self.families = families
        self.task = build(WORLD, "composed", "test", families)

    def config(self, **model):
        data = {
            "class_path": "datamodules.shapes.ShapesDataModule",
            "init_args": {"task": "composed", "families": {"train": 4, "val": 2, "test": self.families}},
        }
        model = {"class_path": "lightning_modules.qure.QuReModule", "init_args": model}
        return {
            "seed_everything": 0,
            "model": model,
            "data": data,
            "trainer": {"max_epochs": 6, "devices": 1},
        }

    def run(
        self, experiment, name="first", *, strength=1.0, seed=0, trained=True, protocol="shapes/composed@1",
        split="test", data="d" * 64, model=None, notes=None, tested=True, status="finished", config=None,
    ):  # fmt: skip
        folder = RunFolder.create(self.root, experiment, name)
        text = yaml.safe_dump(self.config(**(model or {})) if config is None else config)
        folder.file("config.yaml").write_text(text)
        packages = {"torch": "2.13.0", "numpy": "2.4.6"}
        hardware = {"cpu": "some", "cores": 2, "memory_bytes": 2**34, "gpus": []}
        environment = {"command": ["test"], "started": "2026-01-01T00:00:00", "python": "3.11.7", "git": None}
        environment |= {"packages": packages, "hardware": hardware, "data": {split: data}, "seed": seed}
        folder.write_json("environment.json", environment)
        folder.write_status(status, ["test"], "the cause" if status == "failed" else None)
        stages = {"encode_gallery": {"seconds": 2.0, "items": 400, "items_per_second": 200.0}}
        if trained:
            stages["train"] = {"seconds": 61.0, "items": 3000, "items_per_second": 49.2}
            history(folder, strength, seed, "info_nce" not in experiment)
        cost = {"total_seconds": 70.0, "peak_memory_bytes": 3 * 2**29, "stages": stages}
        folder.write_json("cost.json", cost)
        if tested:
            columns = ranking(self.task, strength, seed)
            folder.write_table("ranks.parquet", columns)
            record = {
                "protocol": protocol,
                "split": split,
                "metrics": {metric: summary(columns[metric]) for metric in METRICS},
                "ceiling": {"recall@1": 0.51, "recall@5": 0.93, "recall@10": 0.99},
                "notes": notes or {},
                "n_gallery": self.task.n_gallery,
            }
            folder.write_json("metrics.json", record)
        return folder


def history(folder, strength, seed, hard):
    draw = np.random.default_rng([seed, int(strength * 100)])
    for epoch in range(6):
        row = {
            "epoch": epoch,
            "step": 10 * epoch,
            "train/loss": 2.0 / (1 + epoch * strength) + 0.1 * draw.random(),
        }
        row["val/recall@1"] = 0.3 * (1 - np.exp(-epoch * strength / 3)) + 0.02 * draw.random()
        if hard and epoch:
            row |= {
                "negatives/size_median": 20.0 * epoch,
                "negatives/size_q1": 9.0 * epoch,
                "negatives/size_q3": 50.0,
            }
            row["negatives/first_offset_median"] = 300.0 / epoch
            row["negatives/false_negative_rate"] = 0.01 * epoch
        folder.append_history(row)


def ranking(task, strength, seed):
    """Columns of ranks.parquet, by a naive loop."""
    draw = np.random.default_rng(seed + int(1000 * strength))
    rows = {
        name: [] for name in ("query_id", "target_id", "target_rank", "target_score", "top_ids", "n_relevant")
    }
    values = {metric: [] for metric in METRICS}
    for i, query in enumerate(task.query_ids):
        relevant = task.qrels.relevant[i].tolist()
        target = int(task.qrels.target[i])
        scores = draw.normal(size=task.n_gallery)
        scores[relevant] += strength
        scores[target] += strength / 2
        scores[task.qrels.excluded[i].tolist()] = -np.inf
        order = np.argsort(-scores, kind="stable")
        rank = int(np.flatnonzero(order == target)[0]) + 1
        subset = task.qrels.subset[i].tolist()
        hits = [int(np.flatnonzero(order == j)[0]) + 1 for j in relevant]
        rows["query_id"].append(query)
        rows["target_id"].append(task.gallery_ids[target])
        rows["target_rank"].append(rank)
        rows["target_score"].append(np.float32(scores[target]))
        rows["top_ids"].append([task.gallery_ids[j] for j in order[:20]])
        rows["n_relevant"].append(len(relevant))
        found = sorted(hits)
        precision = sum((n + 1) / hit for n, hit in enumerate(found) if hit <= 10) / min(10, len(found))
        first = float(max(subset, key=lambda j: scores[j]) == target)
        each = (rank <= 1, rank <= 5, rank <= 10, first, precision, found[0] == 1)
        for metric, value in zip(METRICS, each, strict=True):
            values[metric].append(np.float32(value))
    return {**rows, **values}


def summary(values):
    values = torch.tensor(np.asarray(values), dtype=torch.float64)
    mean = paired_bootstrap(values, torch.zeros_like(values), n=500)
    return {"value": mean.value, "low": mean.low, "high": mean.high, "n": len(values)}


@pytest.fixture
def runs(tmp_path):
    return Writer(tmp_path / "runs")


@pytest.fixture
def writer():
    """The class itself, for another root."""
    return Writer

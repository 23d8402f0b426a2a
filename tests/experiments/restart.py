"""One small run of the main job, and what must be the same after any interruption of it."""

import json

import torch
import yaml

from tests.processes import command, history

RUN = "runs/small/one"
FILES = ("metrics.json", "ranks.parquet", "run.trec", "qrels.trec")


def prepare(folder, checkpoints):
    """Make the folder of a run: its config, its checkpoints, its cache to come."""
    folder.mkdir(parents=True)
    arguments = {
        "backbone": str(checkpoints / "blip2"),
        "negatives": {"strategy": "two_drop_window", "window": 10, "per_query": 2},
        "lr": 1e-3,
        "min_temperature": 0.05,
        "cache": "cache",
    }
    families = {"train": 10, "val": 4, "test": 10}
    config = {
        "model": {"class_path": "lightning_modules.QuReModule", "init_args": arguments},
        "data": {
            "class_path": "datamodules.ShapesDataModule",
            "init_args": {"families": families, "batch_size": 8},
        },
        "trainer": {
            "accelerator": "cpu",
            "max_epochs": 3,
            "gradient_clip_val": 1.0,
            "callbacks": [{"class_path": "callbacks.HardNegativeRefresh", "init_args": {"n_def": 3}}],
            "enable_progress_bar": False,
            "logger": False,
        },
    }
    (folder / "small.yaml").write_text(yaml.safe_dump(config))
    return folder


def execute(folder, name, env=None, prepare=None):
    """Run `fit` or `test` in the folder, resuming the run where there is one; the process's exit status."""
    resume = name == "test" or (folder / RUN / "config.yaml").exists()
    args = [name, "--config=small.yaml", "--resume=latest" if resume else "--run=one"]
    process = command(args, folder, folder / "log.txt", env, prepare)
    process.join(120)
    process.kill()
    process.join()
    return process.exitcode


def finish(folder):
    """Let the run come to its end."""
    for name in ("fit", "test"):
        assert execute(folder, name) == 0, (folder / "log.txt").read_text()


def outcome(folder):
    """What must not depend on interruptions: weights, optimizer, schedule, curves, sets, metrics, cache."""
    run = folder / RUN
    made = {name: (run / name).read_bytes() for name in FILES}
    made |= {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*.safetensors"))}
    made["history"] = history(run)
    made["state"] = json.loads((run / "status.json").read_text())["state"]
    made["left over"] = sorted(p.name for p in run.rglob(".*.tmp"))
    for name in ("last", "best"):
        content = torch.load(run / "checkpoints" / f"{name}.ckpt", weights_only=True)
        for key in ("state_dict", "optimizer_states", "lr_schedulers", "global_step", "epoch", "epoch_means"):
            made[f"{name} {key}"] = content[key]
    return made


def differences(a, b):
    """The names under which two outcomes differ, bit for bit."""
    return [name for name in sorted(a.keys() | b.keys()) if not _same(a.get(name), b.get(name))]


def _same(a, b):
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and torch.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(_same, a, b))
    return a == b

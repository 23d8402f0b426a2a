"""Where a run happened: versions, commit, hardware."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import torch


def environment(data: Mapping[str, str] | None = None, seed: int | None = None) -> dict[str, Any]:
    """Describe this process, as written to `environment.json`.

    Args:
        data: split -> SHA-256 of the data read.
        seed: the run's seed.
    """
    return {
        "command": list(sys.argv),
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "packages": packages(),
        "git": git_state(),
        "hardware": hardware(),
        "data": dict(data or {}),
        "seed": seed,
    }


def packages() -> dict[str, str]:
    """Name and version of every installed distribution, sorted."""
    found = {dist.metadata["Name"]: dist.version for dist in metadata.distributions()}
    return {name: found[name] for name in sorted(found, key=str.lower) if found[name]}


def git_state(folder: Path | str = ".") -> dict[str, Any] | None:
    """Commit of the checkout that holds `folder` and whether it has changes; None outside one or without git.

    The commit is None in a checkout that has none yet. Untracked files count as changes.
    """
    status = _git(folder, "status", "--porcelain")
    if status is None:
        return None
    return {"commit": _git(folder, "rev-parse", "--verify", "--quiet", "HEAD"), "dirty": bool(status)}


def _git(folder: Path | str, *arguments: str) -> str | None:
    command = ["git", "-C", os.fspath(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def hardware() -> dict[str, Any]:
    """Processor, cores this process may use, main memory, GPUs."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cpu": _cpu_name(),
        "cores": usable,
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "gpus": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
    }


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())

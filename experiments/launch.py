"""How this process was started: alone, by Lightning as one of several, or by a cluster."""

from __future__ import annotations

import os

from requery.errors import ConfigError

NUMBERS = ("RANK", "SLURM_PROCID", "NODE_RANK", "LOCAL_RANK")
"""Environment variables that number processes, from 0: torchrun's, SLURM's, Lightning's two."""

JOBS = {"SLURM_JOB_ID": "slurm", "TORCHELASTIC_RUN_ID": "torchrun"}
"""Environment variables that name a job of several processes."""


def is_follower() -> bool:
    """Whether another process is the first one, which makes run folders and writes into them."""
    return any(int(os.environ.get(name) or 0) > 0 for name in NUMBERS)


def by_cluster() -> bool:
    """Whether a cluster started several processes, which have only their settings and a job in common."""
    return any(int(os.environ.get(name) or 1) > 1 for name in ("WORLD_SIZE", "SLURM_NTASKS")) and any(
        name in os.environ for name in ("RANK", "SLURM_PROCID")
    )


def job_name() -> str:
    """A run's name that all processes of a job come to.

    Raises:
        ConfigError: the job has no name.
    """
    for variable, prefix in JOBS.items():
        job = os.environ.get(variable, "none")
        if job != "none":  # torchrun's default
            return f"{prefix}-{job}"
    raise ConfigError("processes that a cluster starts need a common name for their run: give --run NAME")

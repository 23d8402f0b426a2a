"""Weights & Biases as a mirror of the run folder: it may fail, the run may not."""

from __future__ import annotations

import netrc
import os
import warnings
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.loggers.logger import DummyLogger


def has_account() -> bool:
    """Whether this user has signed in to W&B: `WANDB_API_KEY`, or the server's entry in the netrc file."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    try:
        return netrc.netrc(os.environ.get("NETRC")).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def _safely(name: str) -> Callable[..., Any]:
    """`WandbLogger`'s method of this name, which turns the logger off where it would raise."""
    method = getattr(WandbLogger, name)

    @wraps(method)
    def call(self: SafeWandbLogger, *args: Any, **kwargs: Any) -> Any:
        if self._off:
            return None
        try:
            return method(self, *args, **kwargs)
        except Exception as error:
            self._turn_off(error)
            return None

    return call


class SafeWandbLogger(WandbLogger):
    """A `WandbLogger` that works without an account and whose failure never stops a run.

    Without an account the run is kept offline (`WANDB_MODE` decides where it is set). The first failure,
    whatever it is, warns once and turns the logger off; the run folder has all it would have been told.

    Args:
        save_dir: where W&B keeps its files, the run's folder.
        project: W&B project.
        name: name shown for the run.
        version: W&B id of the run; the same id continues a run.
    """

    def __init__(
        self,
        save_dir: Path | str = ".",
        project: str = "requery",
        name: str | None = None,
        version: str | None = None,
    ) -> None:
        self._off = False
        mode = None if os.environ.get("WANDB_MODE") or has_account() else "offline"
        try:
            super().__init__(name=name, save_dir=save_dir, project=project, version=version, mode=mode)
            self._wandb_init.pop("anonymous", None)  # Lightning still sets it, W&B warns that it is gone
        except Exception as error:  # W&B is not installed
            self._experiment, self._project, self._save_dir, self._id = None, project, str(save_dir), version
            self._turn_off(error)

    @property
    def experiment(self) -> Any:
        """The W&B run, or an object that ignores every call once the logger is off."""
        if not self._off:
            try:
                return super().experiment
            except Exception as error:
                self._turn_off(error)
        return DummyLogger().experiment

    log_metrics = _safely("log_metrics")
    log_hyperparams = _safely("log_hyperparams")
    log_table = _safely("log_table")
    log_image = _safely("log_image")
    after_save_checkpoint = _safely("after_save_checkpoint")
    finalize = _safely("finalize")

    def close(self) -> None:
        """Finish the W&B run, so that the next run of this process gets its own."""
        if not self._off and self._experiment is not None:
            try:
                self._experiment.finish()
            except Exception as error:
                self._turn_off(error)
            self._experiment = None

    def __getstate__(self) -> dict[str, Any]:
        """State for a spawned process, which attaches to this process's W&B run if there is one."""
        if not self._off:
            try:
                return super().__getstate__()
            except Exception as error:
                self._turn_off(error)
        return self.__dict__.copy()

    def _turn_off(self, error: Exception) -> None:
        self._off, self._experiment = True, None
        warnings.warn(
            f"W&B failed ({type(error).__name__}: {error}) and is off; the run goes on, its folder has all",
            stacklevel=3,
        )

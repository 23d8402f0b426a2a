"""`fit`, `validate`, `test` and `predict`: LightningCLI in a run folder of its own."""

from __future__ import annotations

import json
from argparse import ArgumentError
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jsonargparse import Namespace, set_parsing_settings
from jsonargparse.typing import PositiveFloat
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

from callbacks.wandb_logger import SafeWandbLogger
from datamodules.base import RetrievalDataModule
from experiments.config_errors import explain
from experiments.data_check import check_data, splits_used
from experiments.run_options import checkpoint_of, claim, open_run, read_options
from experiments.trainer_parts import TRAINER_DEFAULTS, complete, quieten
from requery import distributed
from requery.adaptation import Method
from requery.errors import ConfigError, RequeryError, RunError
from requery.feedback.row import Row
from requery.files import ensure_writable
from requery.record import RunFolder

set_parsing_settings(subclasses_enabled=[Method, Row])  # settings that are chosen by their class


class RequeryCLI(LightningCLI):
    """Parse one command's settings and, unless told otherwise, run it.

    What is given on the command line wins over config files, these over the hyper-parameters kept in the
    checkpoint, and these over defaults.

    Args:
        command: `fit`, `validate`, `test` or `predict`.
        args: the arguments after it.
        execute: False only resolves the settings: no model, no folder.
    """

    folder: RunFolder

    def __init__(self, command: str, args: Sequence[str], execute: bool = True) -> None:
        self._command, self._execute = command, execute
        self.options = read_options(args)
        if execute:
            claim(self.options)
        self._checkpoint = checkpoint_of(self.options, command)
        strict = {"exit_on_error": False, "allow_abbrev": False}
        super().__init__(
            LightningModule,
            RetrievalDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            save_config_callback=None,  # it refuses a second run; see open_run
            trainer_defaults=TRAINER_DEFAULTS,
            seed_everything_default=0,
            parser_kwargs={**strict, command: strict},
            auto_configure_optimizers=False,
            args=[command, *self._with_checkpoint(args)],
        )

    def subcommands(self) -> dict[str, set[str]]:  # type: ignore[override]
        """Only the command asked for: each parser takes a noticeable time to build."""
        return {self._command: LightningCLI.subcommands()[self._command]}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the options about the run folder, and safe defaults."""
        add = parser.add_argument
        add("--experiment", type=str | None, help="folder under runs_root (default: the config file's name)")
        add("--run", type=str | None, help="name of the new run (default: the time of day)")
        add("--resume", type=str | None, help="continue the run of this name, or 'latest'")
        add("--runs_root", type=str, default="runs", help="folder of all runs")
        best = "metric whose highest value makes checkpoints/best.ckpt; null keeps the last epoch only"
        add("--monitor", type=str | None, default="val/recall@1", help=best)
        add(
            "--patience",
            type=PositiveFloat,
            default=1800.0,
            help="seconds that processes wait for one another",
        )
        parser.link_arguments("seed_everything", "model.init_args.seed")
        parser.link_arguments("seed_everything", "data.init_args.seed")

    def _prepare_subcommand_parser(self, *args: Any, **kwargs: Any) -> LightningArgumentParser:
        parser = super()._prepare_subcommand_parser(*args, **kwargs)
        parser.set_defaults(weights_only=True)
        if self._command == "predict":
            parser.set_defaults(return_predictions=False)  # the module writes them as they come
        return parser

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse, and say in one line what is wrong.

        Raises:
            ConfigError: a key is unknown or a value does not fit its type.
        """
        try:
            self.config = parser.parse_args(args)
        except ArgumentError as error:
            options = [a.dest for a in self._parser(self._command)._actions if not a.dest.endswith("help")]
            raise ConfigError(explain(str(error), options)) from None

    def _with_checkpoint(self, args: Sequence[str]) -> list[str]:
        """Put the checkpoint's hyper-parameters first, where everything given wins over them."""
        if self._checkpoint is None:
            return list(args)
        path = ["--ckpt_path", str(self._checkpoint)]
        model = _hyper_parameters(self._checkpoint)
        if model is None:
            return [*args, *path]
        print(f"model settings not given here come from {self._checkpoint}")
        return ["--model", json.dumps(model), *args, *path]

    def _parse_ckpt_path(self) -> None:
        """Nothing: LightningCLI would let the checkpoint win over what is given (see `_with_checkpoint`)."""

    def resolved(self) -> dict[str, Any]:
        """The settings in full, fit to be given as `--config`: they name no run to make or continue."""
        self._dump_config()
        return {**self.config_dump, "experiment": self.options.experiment, "run": None, "resume": None}

    def instantiate_classes(self) -> None:
        """Build model, data and trainer, unless only the settings are wanted.

        Raises:
            RequeryError: a class refuses its arguments; jsonargparse would bury its message.
        """
        if not self._execute:
            return
        ensure_writable(self.options.folder)  # before the model is loaded
        try:
            self._check_data()
            super().instantiate_classes()
        except ValueError as error:
            raise _root(error) from None

    def build_data(self) -> RetrievalDataModule:
        """The DataModule alone: its files can be looked at before any model is loaded."""
        only = Namespace({self._command: Namespace(data=self.config[self._command]["data"])})
        data: RetrievalDataModule = self.parser.instantiate(only)[self._command]["data"]
        return data

    def _check_data(self) -> None:
        given = self.config[self._command]
        splits = splits_used(self._command, given["model"]["class_path"], given["trainer"])
        configs = [str(config) for config in given["config"] or []]
        check_data(self.build_data(), splits, configs, scored=self._command != "predict")

    def _run_subcommand(self, subcommand: str) -> None:
        if self._execute:
            super()._run_subcommand(subcommand)

    def _instantiate_trainer(self, config: dict[str, Any], callbacks: list[Callback]) -> Trainer:
        """Attach what every run has: its record, checkpoints, a progress bar and the W&B mirror."""
        # Only now: settings that model or data refuse leave no folder behind.
        self.folder = open_run(self.options, self._command, self.resolved())
        given = self.config[self._command]
        complete(config, self._command, self.folder, given["monitor"], given["patience"])
        return super()._instantiate_trainer(config, callbacks)


def _root(error: BaseException) -> BaseException:
    """The error of ours that another was raised from, else the error itself."""
    cause = error.__cause__ or error.__context__
    if cause is None or isinstance(error, RequeryError):
        return error
    root = _root(cause)
    return root if isinstance(root, RequeryError) else error


def _hyper_parameters(path: Path) -> dict[str, Any] | None:
    """The model's class and arguments as a checkpoint keeps them; None where it keeps none."""
    if not path.is_file():
        raise RunError(f"there is no checkpoint {path}; check --ckpt_path")
    try:
        content = torch.load(path, weights_only=True, map_location="cpu", mmap=True)
    except Exception as error:
        raise RunError(f"{path} is not a checkpoint that can be loaded safely ({error})") from error
    arguments = dict(content.get("hyper_parameters", {}))
    arguments.pop("_instantiator", None)
    class_path = arguments.pop("_class_path", None)
    return None if class_path is None else {"class_path": class_path, "init_args": arguments}


def resolve(command: str, args: Sequence[str]) -> dict[str, Any]:
    """The full settings a command would run with, as `config.yaml` holds them, without building anything.

    Raises:
        ConfigError: a key is unknown or a value does not fit its type.
    """
    quieten()
    return RequeryCLI(command, args, execute=False).resolved()


def run(command: str, args: Sequence[str]) -> Path:
    """Run a command in this process.

    Returns:
        The run's folder.

    Raises:
        RequeryError: what was asked cannot be done.
    """
    quieten()
    try:
        cli = RequeryCLI(command, args)
    except MisconfigurationException as error:
        raise ConfigError(str(error)) from error
    except torch.OutOfMemoryError as error:
        raise RunError(
            f"{str(error).splitlines()[0]} A training step needs less memory with a smaller --data.batch_size"
        ) from error
    except RuntimeError as error:
        raise distributed.explain(error) from None
    if isinstance(cli.trainer.logger, SafeWandbLogger):
        cli.trainer.logger.close()
    return cli.folder.path


def main(command: str, args: Sequence[str]) -> None:
    """Entry of `python -m experiments fit|validate|test|predict`."""
    print(f"run folder: {run(command, args)}")

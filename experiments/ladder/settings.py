"""What a ladder is made of: tasks, and for each the methods that are defined there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datamodules.base import RetrievalDataModule
from requery.adaptation import Method
from requery.backbones import Fusion
from requery.errors import ConfigError
from requery.expansion import ExpansionSettings
from requery.feedback.row import Row
from requery.feedback.rows import PRF
from requery.generation.caption_source import CaptionSource
from requery.generation.source import GeneratorSource
from requery.index.bm25 import Bm25
from requery.ranges import at_least

EXPANSION, ADAPTATION, FEEDBACK, TRAINED = METHODS = ("expansion", "adaptation", "feedback", "trained")
"""The four methods: QueryFormer, REST, relevance feedback, an encoder trained by QuRe."""

EXPERIMENT = "ladder"
"""Folder of all ladders below `runs_root`."""


@dataclass(frozen=True)
class Expanding:
    """Query expansion: needs a DataModule with questions.

    Args:
        generator: the image–text model.
        settings: the pipeline's.
        captions: of the queries' images.
        bm25: of the corpus that gives context and chooses clues.
    """

    generator: GeneratorSource
    settings: ExpansionSettings = field(default_factory=ExpansionSettings)
    captions: CaptionSource = field(default_factory=CaptionSource)
    bm25: Bm25 = field(default_factory=Bm25)


@dataclass(frozen=True)
class Adapting:
    """Test-time adaptation: each shift is one stream, its first order.

    Args:
        method: such as `requery.adaptation.REST`.
        batch_size: queries that arrive together.
        adapted: modules of the encoder whose LayerNorm is adapted; null = all a query passes through.
    """

    method: Method
    batch_size: int = 64
    adapted: list[str] | None = None

    def __post_init__(self) -> None:
        at_least(self, 1, "batch_size")


@dataclass(frozen=True)
class Feeding:
    """Relevance feedback.

    Args:
        row: such as `requery.feedback.rows.AFS`; one that moves the query.
        rounds: searches; the first is without feedback.
        k: items shown a round.
        accumulate: start from the last query.
        captions: of the gallery's images, if the row reads any.
    """

    row: Row = field(default_factory=PRF)
    rounds: int = 2
    k: int = 5
    accumulate: bool = True
    captions: CaptionSource = field(default_factory=CaptionSource)


@dataclass(frozen=True)
class LadderTask:
    """One task: data, encoder, shifts, and the methods defined there.

    Args:
        data: the benchmark; its test split.
        backbone: checkpoint folder or hub id of the encoder.
        metric: of the protocol's, the one that the ladder is about.
        shifts: kinds of corruption of the queries, with severities; the clean queries come by themselves.
        revision: commit of a hub id.
        fusion: how CLIP composes a query of image and text.
        trained: folder of the encoder that QuRe trained, in place of `backbone`.
        expansion: null = not defined.
        adaptation: likewise.
        feedback: likewise.
        reference_side: see `datamodules.QueryShift`.
        shift_seed: seed of the corruptions.
    """

    data: RetrievalDataModule
    backbone: str
    metric: str
    shifts: dict[str, list[int]] = field(default_factory=dict)
    revision: str | None = None
    fusion: Fusion = "sum"
    trained: str | None = None
    expansion: Expanding | None = None
    adaptation: Adapting | None = None
    feedback: Feeding | None = None
    reference_side: int | None = None
    shift_seed: int = 0

    @property
    def methods(self) -> tuple[str, ...]:
        """Those that are defined."""
        return tuple(name for name in METHODS if getattr(self, name) is not None)


@dataclass(frozen=True)
class Ladder:
    """All tasks of a ladder.

    Args:
        tasks: by name.
        name: of the folder below `runs_root/ladder`.
        cache: folder of the feature cache.
        seed: of the streams' orders and of all that methods draw.
        runs_root: folder of all runs.
    """

    tasks: dict[str, LadderTask]
    name: str = "shapes"
    cache: str = ".cache/requery"
    seed: int = 0
    runs_root: str = "runs"


def read_ladder(args: Sequence[str]) -> tuple[Ladder, dict[str, Any]]:
    """Read a config file and what is given beside it.

    Args:
        args: `--config FILE` and dotted settings, as on other commands.

    Returns:
        The ladder, its DataModules made, and its settings as plain values.

    Raises:
        ConfigError: a key is unknown or a value does not fit.
    """
    from argparse import ArgumentError

    from jsonargparse import ActionConfigFile, ArgumentParser, set_parsing_settings

    from experiments.config_errors import explain

    if not any(arg.split("=")[0] in ("--config", "-c") for arg in args):
        raise ConfigError("a ladder has tasks: give --config experiments/ladder/shapes.yaml or another")
    set_parsing_settings(subclasses_enabled=[Method, Row])
    parser = ArgumentParser(prog="python -m experiments ladder", exit_on_error=False)
    parser.add_argument("--config", "-c", action=ActionConfigFile, help="ladder file")
    parser.add_class_arguments(Ladder)
    try:
        given = parser.parse_args(list(args))
    except ArgumentError as error:
        raise ConfigError(explain(str(error), [action.dest for action in parser._actions])) from None
    plain: dict[str, Any] = json.loads(parser.dump(given, format="json", skip_none=False))
    made = parser.instantiate(given)
    ladder = Ladder(**{name: made[name] for name in Ladder.__dataclass_fields__})
    return ladder, {name: value for name, value in plain.items() if name != "config"}


def folder_of(ladder: Ladder) -> Path:
    """Where the cells and the table are."""
    return Path(ladder.runs_root) / EXPERIMENT / ladder.name

"""`python -m experiments shift-preview`: a benchmark's first queries under each kind of shift."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from requery.errors import ConfigError
from requery.files import atomic_write, ensure_writable

if TYPE_CHECKING:
    from datamodules.base import RetrievalDataModule
    from requery.corruptions.tools import TextSources
    from requery.task import RetrievalTask

WIDTH = 160
"""Columns where the output is no terminal."""


class Look(NamedTuple):
    """What shifts depend on besides kind and severity: as in `QueryShift`."""

    seed: int
    reference_side: int | None
    text: TextSources


def main(command: str, args: Sequence[str]) -> None:
    """Run the command.

    Args:
        command: its name on the command line.
        args: what follows the name.

    Raises:
        ConfigError: the settings are wrong, or a kind finds nothing to change.
        DataError: the data cannot be read.
        RunError: the sheet cannot be written.
    """
    given, settings = _parser(command).parse_known_args(args)
    from datamodules.shift import QueryShift
    from experiments.cli import RequeryCLI
    from experiments.trainer_parts import quieten

    quieten()
    if given.items < 1:
        raise ConfigError(f"--items is {given.items}; it must be at least 1")
    settings = [*(f"--config={config}" for config in given.config), *settings]
    data = RequeryCLI("fit", settings, execute=False).build_data()
    look = _look(data, given.reference_side)
    task = (data.source if isinstance(data, QueryShift) else data).task(given.split)
    images, texts = _chosen(given.kinds, task, look.text)
    if images:
        ensure_writable(given.output.parent)
        from experiments.contact_sheet import contact_sheet

        sheet = contact_sheet(task, given.items, images, given.severity, look.seed, look.reference_side)
        with atomic_write(given.output, "wb") as file:
            sheet.save(file, "PNG")
        print(f"{given.output}: {len(images)} kinds")
    if texts:
        _print_texts(task, given.items, texts, given.severity, look)


def _look(data: RetrievalDataModule, reference_side: int | None) -> Look:
    """The draws, lengths and tools of data that are a QueryShift; else the defaults."""
    from datamodules.shift import QueryShift
    from requery.corruptions.tools import TextSources

    if not isinstance(data, QueryShift):
        return Look(0, reference_side, TextSources())
    return Look(data.mixture.seed, reference_side or data.reference_side, data.text)


def _chosen(kinds: str, task: RetrievalTask, text: TextSources) -> tuple[list[str], list[str]]:
    """Kinds of images and of texts; `all` are those that the queries and the tools at hand allow."""
    from requery.corruptions import AUDIO_KINDS, EMBEDDED_TEXT_KINDS, IMAGE_KINDS, TEXT_KINDS
    from requery.corruptions.severity import require_kind

    medium = "image" if task.query_image is None else task.images.medium
    if medium != "image":
        raise ConfigError(f"{task.protocol.key}: shift-preview shows images and texts, no {medium}")
    if kinds != "all":
        asked = kinds.split(",")
        for kind in asked:
            require_kind(kind, (*IMAGE_KINDS, *AUDIO_KINDS, *TEXT_KINDS), "image, audio or text")
        images, sounds, texts = (
            [k for k in asked if k in known] for known in (IMAGE_KINDS, AUDIO_KINDS, TEXT_KINDS)
        )
        sides = (
            (images, task.query_image, "images"),
            (sounds, None, "sounds"),
            (texts, task.query_text, "texts"),
        )
        for idle, there, part in sides:
            if idle and there is None:
                raise ConfigError(f"{task.protocol.key}: its queries have no {part} for {idle[0]} to change")
        return images, texts
    given = {*EMBEDDED_TEXT_KINDS, *text.prepared, *text.models}
    given |= {"synonym"} if text.wordnet is not None else set()
    return (
        [] if task.query_image is None else list(IMAGE_KINDS),
        [] if task.query_text is None else [kind for kind in TEXT_KINDS if kind in given],
    )


def _print_texts(
    task: RetrievalTask, items: int, kinds: Sequence[str], severity: int | None, look: Look
) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from requery.corruptions import corrupt_text, max_severity

    assert task.query_text is not None
    tools, asked = look.text.open(kinds), list(zip(task.query_ids, task.query_text, strict=True))[:items]
    table = Table(title=f"texts of {task.protocol.key}", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("kind", no_wrap=True)
    table.add_column("texts", overflow="fold")
    table.add_row("as they are", Text("\n".join(text for _, text in asked)))
    for kind in kinds:
        level = min(severity or max_severity(kind), max_severity(kind))
        made = [
            corrupt_text(text, kind, level, key=name, seed=look.seed, tools=tools) for name, text in asked
        ]
        table.add_row(f"{kind}@{level}", Text("\n".join(made)))
    Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False).print(table)


def _parser(command: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m experiments {command}",
        description="Show a benchmark's first queries under each kind of shift: images on a sheet, texts in "
        "a table.",
        epilog="Other options are settings as of fit, such as --data.root=DIR. Where the data are a "
        "QueryShift, its source is shown, with its seed, lengths and tools.",
        allow_abbrev=False,
    )
    add: Any = parser.add_argument
    files = {"action": "append", "required": True, "metavar": "FILE"}
    add("--config", "-c", **files, help="experiment config; later ones win")
    add("--kinds", default="all", metavar="A,B", help="kinds of shift (default: all)")
    add("--severity", type=int, help="how strong, at most (default: each kind's highest)")
    add("--items", type=int, default=6, help="queries shown (default: 6)")
    add("--split", default="test", choices=("train", "val", "test"), help="default: test")
    add(
        "--reference-side",
        type=int,
        help="224 scales lengths in pixels to small images (default: as published)",
    )
    output = {"type": Path, "default": Path("shift-preview.png"), "metavar": "FILE"}
    add("--output", **output, help="the sheet (default: shift-preview.png)")
    return parser

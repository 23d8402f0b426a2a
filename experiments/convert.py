"""`python -m experiments convert`: a published checkpoint as a folder that a config's `backbone` can name."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path


def main(command: str, args: Sequence[str]) -> None:
    """Run the command.

    Args:
        command: its name on the command line.
        args: what follows the name.

    Raises:
        ConfigError: an option is missing or one too many.
        DataError: a file cannot be read or has another layout.
    """
    given = _parser(command).parse_args(args)
    from requery.backbones.lavis import convert  # torch: not for `convert --help`

    model = convert(given.lavis, given.output, given.tokenizer, given.vision)
    tower, qformer = model.vision.config, model.qformer.config
    print(
        f"{given.output}: vision tower of {tower.num_hidden_layers} layers of {tower.hidden_size} for "
        f"{tower.image_size} × {tower.image_size} pixels; Q-Former of {qformer.num_hidden_layers} layers "
        f"of {qformer.hidden_size}, vocabulary {qformer.vocab_size}"
    )


def _parser(command: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m experiments {command}",
        description="Turn LAVIS' BLIP-2 with CLIP's tower into a checkpoint folder.",
    )
    files = {"type": Path, "metavar": "FILE"}
    parser.add_argument("--lavis", required=True, **files, help="blip2_pretrained_vitL.pth")
    parser.add_argument("--vision", **files, help="clip_vit_L.pth, where the first file holds no tower")
    parser.add_argument(
        "--tokenizer",
        required=True,
        metavar="DIR",
        help="folder of bert-base-uncased, or owner/name@commit on the hub",
    )
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="the folder to write")
    return parser

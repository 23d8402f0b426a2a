"""The pairs that a summarizer is trained on, from any DataModule with captions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from datamodules.pairs import PairsDataModule
from requery.cache import weights_digest
from requery.errors import ConfigError
from requery.feedback.context import Encoders
from requery.feedback.lessons import Lessons
from requery.feedback.retrieved import Retrieved
from requery.feedback.summarizer_file import Head


def lessons(encoders: Encoders, data: Any, head: Head) -> Lessons:
    """Search with every caption of the train split, once, and look up what the head reads.

    Args:
        encoders: of the module.
        data: the DataModule.
        head: what is trained.

    Raises:
        ConfigError: the batches are no numbers of pairs.
    """
    if not isinstance(data, PairsDataModule):
        raise ConfigError(
            f"a fit reads images with captions: wrap {type(data).__name__} in datamodules.PairsDataModule"
        )
    tasks, pairs, images = encoders.tasks, data.pairs("train"), data.task("train").images
    positions = torch.tensor([position for position, _ in pairs])
    texts = [text for _, written in pairs for text in written]
    offsets = torch.tensor([0, *(len(written) for _, written in pairs)]).cumsum(0)

    def search() -> Retrieved:
        gallery = encoders.images(images, positions).to(tasks.device)
        return Retrieved.make(offsets, encoders.texts(texts), gallery)

    tasks.features(images)  # now, while all processes are here
    content = [
        weights_digest(tasks.backbone),
        tasks.backbone.preprocess.key,
        [images.digest(int(position)) for position in positions],
        [list(written) for _, written in pairs],
    ]
    with tasks.cost.stage("training_retrieval", items=len(texts)):
        found = Retrieved.kept(Path(tasks.cache.root) / "retrieved", content, search)
    captions = encoders.generated(images, positions) if head.captions else None
    return Lessons(
        found,
        encoders.text_tokens(texts),
        encoders.image_tokens(images, positions) if head.images else None,
        None if captions is None else encoders.text_tokens(captions),
    )

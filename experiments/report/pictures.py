"""The pictures of a run's data as small data URIs, each embedded once however often it is shown."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from requery.errors import DataError
from requery.images import ImageSet
from requery.record import RunRecord
from requery.task import RetrievalTask

if TYPE_CHECKING:
    from datamodules.base import RetrievalDataModule

SIDE = 112
QUALITY = 82
BUDGET = 2_200_000
"""Characters of all data URIs of a page."""


def load_task(run: RunRecord) -> RetrievalTask:
    """Make the run's DataModule from its settings and ask it for the split that was tested.

    Raises:
        DataError: the settings name no DataModule, or it cannot serve the queries that were ranked.
    """
    metrics, ranks = run.metrics or {}, run.ranks or {}
    data = datamodule(run)
    try:
        task = data.task(metrics["split"])
    except Exception as error:  # whatever a data module raises, the report goes on without pictures
        raise _lost(run, error) from error
    if task.protocol.key != metrics["protocol"]:
        raise DataError(
            f"{run.path}: its data now serve {task.protocol.key}, tested was {metrics['protocol']}"
        )
    unknown = set(ranks["query_id"]) - set(task.query_ids)
    if unknown:
        raise DataError(f"{run.path}: its data no longer hold query {min(unknown)}; the data have changed")
    return task


def datamodule(run: RunRecord) -> RetrievalDataModule:
    """Make a run's DataModule from its settings.

    Raises:
        DataError: the settings name no DataModule, or it refuses them.
    """
    from jsonargparse import ArgumentParser

    from datamodules.base import RetrievalDataModule

    if not run.config.get("data"):
        raise _lost(run, "it has no `data`")
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(RetrievalDataModule, "data")
    try:
        made: RetrievalDataModule = parser.instantiate(parser.parse_object({"data": run.config["data"]})).data
    except Exception as error:  # likewise
        raise _lost(run, error) from error
    return made


def _lost(run: RunRecord, reason: object) -> DataError:
    return DataError(f"the data of {run.path / 'config.yaml'} cannot be loaded: {reason}")


@dataclass
class Album:
    """Pictures by class name, for a style sheet in which each stands once.

    Args:
        budget: characters left for data URIs; what no longer fits is shown by its name.
    """

    budget: int = BUDGET
    uris: dict[str, str] = field(default_factory=dict)
    refused: int = 0
    names: dict[str, str] = field(default_factory=dict)

    def add(self, images: ImageSet, position: int) -> str | None:
        """The class name of an image; None where the budget is spent, and of a sound or a video.

        Raises:
            DataError: the image cannot be read.
        """
        if images.medium != "image":
            return None
        digest = images.digest(position)
        if digest not in self.names:
            uri = _data_uri(images, position)
            if len(uri) > self.budget:
                self.refused += 1
                return None
            self.budget -= len(uri)
            self.names[digest] = f"p{len(self.names)}"
            self.uris[self.names[digest]] = uri
        return self.names[digest]


def _data_uri(images: ImageSet, position: int) -> str:
    image = images.load(position).convert("RGB")
    image.thumbnail((SIDE, SIDE))
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=QUALITY, method=6)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()

"""A task whose queries, and on demand its gallery, are corrupted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from requery.corruptions.audio import AUDIO_KINDS
from requery.corruptions.image import IMAGE_KINDS
from requery.corruptions.image_set import ShiftedImages, Version, fitting_kinds
from requery.corruptions.mixture import Mixture
from requery.corruptions.text import TEXT_KINDS, TextTools, corrupt_text
from requery.errors import ConfigError
from requery.task import RetrievalTask


def shift_task(
    task: RetrievalTask,
    mixture: Mixture,
    tools: TextTools = TextTools(),
    reference_side: int | None = None,
    gallery: bool = False,
) -> RetrievalTask:
    """Corrupt a task's queries; names, truth and, unless told otherwise, the gallery stay.

    Args:
        task: the task as it was. Its images keep their positions, corrupted versions follow: an image that is
            a query's reference and in the gallery is corrupted in the query alone.
        mixture: what is done to which item.
        tools: what some kinds of text need.
        reference_side: as for `corrupt_image`.
        gallery: corrupt the gallery too.

    Raises:
        ConfigError: a kind finds nothing to change, or the gallery is of another medium and not to be spared.
        DataError: features of shifted queries are not stored.
    """
    if gallery and task.gallery_images is not None:
        raise ConfigError(
            f"{task.protocol.key}: the gallery is {task.gallery_images.medium}, the queries are "
            f"{task.images.medium}: no kind fits both; set data.gallery: false"
        )
    change = _Shift(task, mixture, tools)
    query_image, query_text = change.side(task.query_ids, task.query_image, task.query_text, "queries")
    gallery_image, gallery_text = task.gallery_image, task.gallery_text
    if gallery:
        gallery_image, gallery_text = change.side(task.gallery_ids, gallery_image, gallery_text, "gallery")
    return replace(
        task,
        images=ShiftedImages(task.images, list(change.versions), mixture.seed, reference_side),
        query_image=query_image,
        query_text=query_text,
        gallery_image=gallery_image,
        gallery_text=gallery_text,
        shift=_mark(mixture, reference_side, gallery),
    )


def _mark(mixture: Mixture, reference_side: int | None, gallery: bool) -> str:
    """What is done, in few words: `gaussian_noise@5`, and whatever is not as by default."""
    more = [
        "" if reference_side is None else f"lengths for {reference_side} px",
        f"seed {mixture.seed}" if mixture.seed else "",
        "gallery too" if gallery else "",
    ]
    said = ", ".join(part for part in more if part)
    return f"{mixture.name} ({said})" if said else mixture.name


@dataclass
class _Shift:
    """The sides of a task, changed one after the other.

    Args:
        task: the task as it was.
        mixture: what is done to which item.
        tools: what some kinds of text need.
        versions: the corrupted images so far, with their positions in the shifted task's images.
    """

    task: RetrievalTask
    mixture: Mixture
    tools: TextTools
    versions: dict[Version, int] = field(default_factory=dict)

    def side(
        self, ids: Sequence[str], image: Tensor | None, text: Sequence[str] | None, what: str
    ) -> tuple[Tensor | None, Sequence[str] | None]:
        """The images, `(n,)` positions or None, and texts, `n` or None, of `n` items, corrupted."""
        fitting = () if image is None else fitting_kinds(self.task.images.medium)
        self._require(IMAGE_KINDS[0] in fitting, IMAGE_KINDS, f"{what}: no images")
        self._require(AUDIO_KINDS[0] in fitting, AUDIO_KINDS, f"{what}: no sounds")
        self._require(text is not None, TEXT_KINDS, f"{what}: no texts")
        positions = None if image is None else image.tolist()
        texts = None if text is None else list(text)
        for i, name in enumerate(ids):
            drawn = self.mixture.draw(name)
            if drawn is None:
                continue
            kind, severity = drawn
            if kind in TEXT_KINDS and texts is not None:
                seed = self.mixture.seed
                texts[i] = corrupt_text(texts[i], kind, severity, key=name, seed=seed, tools=self.tools)
            elif positions is not None and positions[i] >= 0:
                version = Version(positions[i], kind, severity)
                positions[i] = self.versions.setdefault(version, len(self.task.images) + len(self.versions))
        return None if positions is None else torch.tensor(positions, dtype=torch.int64), texts

    def _require(self, there: bool, kinds: Sequence[str], lack: str) -> None:
        idle = [kind for kind in self.mixture.kinds if kind in kinds]
        if idle and not there:
            raise ConfigError(
                f"{self.task.protocol.key}, {lack} for {idle[0]} to change; choose a kind that changes what "
                "is there"
            )

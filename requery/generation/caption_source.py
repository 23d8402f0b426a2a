"""Where generated captions of images come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from requery.encode import Progress
from requery.errors import ConfigError, DataError, first
from requery.generation import Generator, Replay, Store, caption_requests, generate, load_generator
from requery.images import ImageSet


@dataclass(frozen=True)
class CaptionSource:
    """A captioner and the store of what it wrote.

    Args:
        generator: checkpoint folder or hub id; null takes what the store has, and generates nothing.
        revision: commit of a hub id.
        adapter: folder of a PEFT adapter.
        batch_size: images at a time.
        max_new_tokens: longest caption in tokens (100 in the official code).
        store: folder the captions are kept in; null = `captions` below the feature cache.
    """

    generator: str | None = None
    revision: str | None = None
    adapter: str | None = None
    batch_size: int = 32
    max_new_tokens: int = 100
    store: str | None = None

    def texts(
        self,
        images: ImageSet,
        positions: Sequence[int],
        cache: Path,
        device: str = "auto",
        progress: Progress | None = None,
    ) -> list[str]:
        """One caption of each image, each generated once; a run that was killed goes on where it stopped.

        Args:
            images: the images.
            positions: of those wanted.
            cache: folder of the feature cache.
            device: for the model.
            progress: told after each batch.

        Raises:
            ConfigError: neither a captioner nor a store is given.
            DataError: some images have no caption; names them.
        """
        if self.generator is None and self.store is None:
            raise ConfigError(
                "generated captions are to be read, and there is no captioner: set model.captions.generator "
                "to a checkpoint, or model.captions.store to a folder of captions"
            )
        store = Store(cache / "captions" if self.store is None else self.store)
        model = self._generator(store, device)
        requests = caption_requests(images, positions, prompted=model.takes_prompts)
        limit = self.max_new_tokens
        answers = generate(model, requests, max_new_tokens=limit, store=store, progress=progress)
        lacking = [request.name for request, answer in zip(requests, answers, strict=True) if not answer]
        if lacking:
            raise DataError(
                f"{len(lacking)} of {len(requests)} images have no caption ({first(lacking)}); the warnings "
                "say why: mend them, and run again"
            )
        return [answer[0] for answer in answers]

    def _generator(self, store: Store, device: str) -> Generator:
        if self.generator is None:
            return Replay(store)
        loaded: Any = load_generator(self.generator, self.revision, self.adapter, self.batch_size, device)
        made: Generator = loaded
        return made

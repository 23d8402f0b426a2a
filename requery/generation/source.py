"""Where the image–text model comes from that rewrites and expands queries."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from requery.generation.endpoint import EndpointGenerator
from requery.generation.generator import Generator
from requery.generation.load import load_generator
from requery.generation.local import Dtype
from requery.generation.replay import Replay
from requery.generation.store import Store


@dataclass(frozen=True)
class GeneratorSource:
    """A model that is talked to, and the store of what it said.

    Args:
        checkpoint: folder or hub id; null takes what the store has, and generates nothing.
        revision: commit of a hub id.
        adapter: folder of a LoRA adapter (PEFT); null = none.
        endpoint: base URL of an OpenAI-compatible server that serves `checkpoint`; null = here.
        batch_size: prompts at a time.
        dtype: of weights and arithmetic; null = bfloat16 on a GPU, float32 elsewhere.
        four_bit: the language model's weights in 4 bits, on a GPU.
        store: folder the answers are kept in; null = `expansions` below the feature cache.
    """

    checkpoint: str | None = None
    revision: str | None = None
    adapter: str | None = None
    endpoint: str | None = None
    batch_size: int = 8
    dtype: Dtype | None = None
    four_bit: bool = False
    store: str | None = None

    def opened(self, cache: Path) -> Store:
        """The store.

        Args:
            cache: folder of the feature cache.
        """
        return Store(cache / "expansions" if self.store is None else self.store)

    def load(self, store: Store, device: str = "auto", adapted: bool = True) -> Generator:
        """Load the model, or what stands for it.

        Args:
            store: of its answers; replayed where there is no checkpoint.
            device: for the model.
            adapted: with its adapter; else the base model.

        Raises:
            ConfigError: the model cannot be used as it is set up.
            DataError: its files are missing or broken, or the store lacks its answers.
        """
        if self.checkpoint is None:
            return Replay(store)
        if self.endpoint is not None:
            return EndpointGenerator(self.endpoint, self.checkpoint, parallel=self.batch_size)
        adapter = self.adapter if adapted else None
        loaded: Any = load_generator(
            self.checkpoint, self.revision, adapter, self.batch_size, device, self.dtype, self.four_bit
        )
        made: Generator = loaded
        return made

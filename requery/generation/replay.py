"""A generator that only finds what a store already has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from requery.errors import DataError, first
from requery.generation.generator import CAPTIONER, Identity, Prompt
from requery.generation.request import Sampling
from requery.generation.store import Store


class Replay:
    """Stands for the generator that filled a store, without its weights: nothing new is generated.

    Args:
        store: the store.
        name: name of the generator meant; None where the store has one alone.

    Raises:
        DataError: the store has no such generator, or several.
    """

    batch_size = 1

    def __init__(self, store: Store, name: str | None = None) -> None:
        fitting = [(model, identity) for model, identity in store.models if name in (None, model)]
        if len(fitting) != 1:
            there = first(sorted(model for model, _ in store.models)) or "nobody"
            meant = name or "any name"
            raise DataError(
                f"{store.folder}: {len(fitting)} generators fit {meant}; it holds answers of {there}"
            )
        self.name: str = fitting[0][0]
        self.identity: Identity = fitting[0][1]
        self.takes_prompts = self.identity["kind"] != CAPTIONER
        self.folder = store.folder

    def answer(self, prompts: Sequence[Prompt], sampling: Sampling) -> NoReturn:
        """Never asked by `generate`, which asks `lacking` instead.

        Raises:
            DataError: always.
        """
        raise self.lacking([f"{len(prompts)} prompts"])

    def lacking(self, names: Sequence[str]) -> DataError:
        """What to say of requests without a stored answer."""
        return DataError(
            f"{self.folder}: {len(names)} answers of {self.name} are missing: {first(names)}; generate them "
            "with the model itself, or copy in the shards of who has them"
        )

"""What a row of a table of query expansion is: who expands, with which settings, and what searches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, get_args

from requery.changes import changed
from requery.errors import ConfigError
from requery.expansion.settings import ExpansionSettings
from requery.ranges import one_of

By = Literal["none", "rules", "model"]
Search = Literal["bm25", "dense", "hybrid"]
BASELINE = "none"
"""Name of the row that every other is compared with: the original query under BM25."""


class Expansion(NamedTuple):
    """What the queries of a row go through; rows that share it are expanded once.

    Args:
        by: who expands.
        lora: whether the model has its adapter; False where it is not asked.
        settings: the pipeline's.
    """

    by: By
    lora: bool
    settings: ExpansionSettings


@dataclass(frozen=True, kw_only=True)
class ExpansionRow:
    """Settings of one row.

    The rows of the paper's Table 2 are changes of one switch: `{image: false}` (w/o picture),
    `{question: false}` (w/o query), `{caption: false}` (w/o caption), `{expand: false}` (w/o QE); w/o LoRA is
    `lora: false`.

    Args:
        label: its name in tables; null = what differs from the first row by a model.
        by: who expands: `model`, `rules`, or `none`: the original query, question and caption.
        lora: whether the model has its adapter; False: the base model.
        search: `bm25` by weighted terms; `dense` by the encoder of image and expanded text; `hybrid` fuses
            both lists by their ranks.
        change: what differs from the module's settings, by dotted names: `{weighting.caption: 1.0}`.
    """

    label: str | None = None
    by: By = "model"
    lora: bool = True
    search: Search = "bm25"
    change: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        one_of(self, "by", get_args(By))
        one_of(self, "search", get_args(Search))
        changed(ExpansionSettings(), self.change)  # what is unknown is said before anything is loaded

    @property
    def name(self) -> str:
        """What it is called in a table."""
        if self.label is not None:
            return self.label
        given = ["lora=False"] * (self.by == "model" and not self.lora)
        given += [f"{name}={value}" for name, value in self.change.items()]
        made = self.by + (f"({', '.join(given)})" if given else "")
        return made if self.search == "bm25" else f"{made}, {self.search}"

    def expansion(self, settings: ExpansionSettings) -> Expansion:
        """What its queries go through.

        Args:
            settings: the module's.
        """
        own = changed(settings, self.change)
        if self.by == "none":
            own = replace(own, rewrite=False, expand=False, gate=None)
        return Expansion(self.by, self.lora and self.by == "model", own)


def named(rows: Sequence[ExpansionRow]) -> dict[str, ExpansionRow]:
    """Rows by their names, the baseline first.

    Raises:
        ConfigError: two rows have one name.
    """
    every = [ExpansionRow(label=BASELINE, by="none"), *rows]
    found = {row.name: row for row in every}
    if len(found) < len(every):
        raise ConfigError(
            f"two rows have one name among {', '.join(row.name for row in every)} ({BASELINE} comes by "
            "itself); give one a label"
        )
    return found


def main_row(rows: Mapping[str, ExpansionRow]) -> str:
    """The row a run is about: the first that the model expands, its adapter not left out; else the last."""
    return next((name for name, row in rows.items() if row.by == "model" and row.lora), list(rows)[-1])

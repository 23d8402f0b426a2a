"""What is measured of rows of query expansion: every query's metrics, tables, the gate's curve."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from requery.expansion.curve import SHAPES, Curve, curve
from requery.expansion.gate import Shape
from requery.expansion.row import BASELINE, Expansion, ExpansionRow, main_row
from requery.expansion.trace import Trace, outcomes
from requery.ranking.compared import Compared, compare
from requery.ranking.listed import rank_listed
from requery.ranking.metrics import per_query
from requery.ranking.protocols import PSEUDO_METRICS
from requery.ranking.pseudo_relevance import Match, judge
from requery.ranking.qrels import Qrels
from requery.ranking.ranks import Ranking
from requery.task import RetrievalTask

GOLD = "gold/"
"""Before the name of a metric by the passages that are marked, where the benchmark marks any."""
GATED = ("precision@5", "hit_any@5")
"""Metrics of the gate's curve."""


@dataclass(frozen=True)
class Measured:
    """Rows over the same questions.

    Args:
        task: questions and passages.
        rows: by name, the baseline first.
        expansions: what the queries of each row went through.
        traces: of each expansion, one a query.
        lists: row -> `(Q, K)` int64 passages, best first, -1 where a list ends.
        sharp: `(Q, 3)` sharpness of the baseline's lists by each of `SHAPES`, whatever the rows' gates.
        answers: to each question.
        ks: depths of P@k and R@k.
        match: where in a passage an answer may stand.
        lowercase_passage: whether a passage is lower-cased before.
    """

    task: RetrievalTask
    rows: Mapping[str, ExpansionRow]
    expansions: Mapping[str, Expansion]
    traces: Mapping[Expansion, Sequence[Trace]]
    lists: Mapping[str, Tensor]
    sharp: Tensor
    answers: Sequence[Collection[str]]
    ks: Sequence[int]
    match: Match = "substring"
    lowercase_passage: bool = True

    @property
    def main(self) -> str:
        """The row that the run is about."""
        return main_row(self.rows)

    @property
    def headline(self) -> tuple[str, ...]:
        """P@1, P@5, R@5 and R@10 by the answers; and the protocol's own metrics where passages are marked."""
        gold = self.task.protocol.metrics if self.task.has_truth else ()
        return (*PSEUDO_METRICS, *(GOLD + metric for metric in gold))

    @property
    def metrics(self) -> tuple[str, ...]:
        """Of the tables: P@k (`precision@k`) and R@k (`hit_any@k`) for all k, and the headline's."""
        every = [f"{kind}@{k}" for k in self.ks for kind in ("precision", "hit_any")]
        return tuple(dict.fromkeys([*every, *self.headline]))

    @cached_property
    def judged(self) -> Mapping[str, tuple[Ranking, Qrels]]:
        """Row -> its ranking, and which of what it found holds an answer."""
        corpus, how = self.task.gallery_text or (), {"lowercase_passage": self.lowercase_passage}
        return {
            name: judge(items, self.answers, corpus, match=self.match, **how)
            for name, items in self.lists.items()
        }

    @cached_property
    def values(self) -> Mapping[str, Mapping[str, Tensor]]:
        """Metric -> row -> `(Q,)`."""
        marked = {name: (self._marked(items), self.task.qrels) for name, items in self.lists.items()}
        return {
            metric: {
                name: per_query(metric.removeprefix(GOLD), *found)
                for name, found in (marked if metric.startswith(GOLD) else self.judged).items()
            }
            for metric in self.metrics
        }

    def _marked(self, items: Tensor) -> Ranking:
        """The ranks of the passages that are marked."""
        scores = -torch.arange(items.shape[1], dtype=torch.float32).expand(items.shape)
        return rank_listed(scores, items, self.task.qrels, self.task.n_gallery, top_k=items.shape[1])

    @cached_property
    def tables(self) -> Mapping[str, Mapping[str, Compared]]:
        """Metric -> row -> mean, interval, gain over the baseline and its test."""
        return {metric: compare(values, BASELINE) for metric, values in self.values.items()}

    def first_right(self, name: str) -> Tensor:
        """`(Q,)` int64 rank of a row's first passage that holds an answer; 0 = none."""
        ranking, qrels = self.judged[name]
        never = torch.iinfo(torch.int64).max
        best = torch.full((len(qrels),), never)
        best.scatter_reduce_(0, qrels.relevant.row_of, ranking.relevant_rank, "amin")
        return torch.where(best == never, 0, best)

    def traces_of(self, name: str) -> Sequence[Trace]:
        """What a row's queries went through."""
        return self.traces[self.expansions[name]]

    def outcomes(self, name: str) -> Mapping[str, Mapping[str, int]]:
        """How many answers of each step a row could use, and what became of its queries."""
        return outcomes(self.traces_of(name))

    def spent(self, name: str) -> tuple[Tensor, Tensor, Tensor]:
        """Whether each query was asked about, tokens, and seconds they took, each `(Q,)`."""
        traces, anybody = self.traces_of(name), self.rows[name].by != "none"
        return (
            torch.tensor([anybody and trace.spent for trace in traces]),
            torch.tensor([trace.tokens for trace in traces]),
            torch.tensor([trace.seconds for trace in traces], dtype=torch.float64),
        )

    @property
    def gated(self) -> str | None:
        """The row whose gain the gate's curve shares out: expanded for every query and searched by BM25."""
        return next(self._ungated(), None)

    def _ungated(self) -> Iterator[str]:
        for by, lora in (("model", True), ("rules", False)):
            for name, (who, adapted, settings) in self.expansions.items():
                by_terms = self.rows[name].search == "bm25"
                if (who, adapted) == (by, lora) and by_terms and settings.gate is None:
                    yield name

    @cached_property
    def curves(self) -> Mapping[Shape, Mapping[str, Curve]]:
        """The gate's curve by shape and metric; empty where no row is expanded for every query."""
        name = self.gated
        if name is None:
            return {}
        _, tokens, seconds = self.spent(name)
        return {
            shape: {
                metric: curve(
                    self.sharp[:, at],
                    self.values[metric][BASELINE],
                    self.values[metric][name],
                    tokens,
                    seconds,
                )
                for metric in GATED
            }
            for at, shape in enumerate(SHAPES)
        }

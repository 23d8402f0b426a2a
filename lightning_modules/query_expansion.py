"""Query expansion: rows of who expands and what searches, over the same questions (QueryFormer)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

import torch
from torch import Tensor

from lightning_modules.generator_tuning import GeneratorTuning
from lightning_modules.retrieval import bar
from requery.backbones import Fusion, load_backbone
from requery.cache import FeatureCache
from requery.changes import changed
from requery.distributed import gather
from requery.encode import Progress
from requery.errors import ConfigError
from requery.expansion import Expander, ExpansionSettings, Gate, VisualQuestion, sharpness
from requery.expansion.ask import Ask, AskModel, StepProgress
from requery.expansion.curve import SHAPES
from requery.expansion.dense import Dense
from requery.expansion.lessons import Tuning
from requery.expansion.retriever import Found
from requery.expansion.row import BASELINE, Expansion, ExpansionRow, named
from requery.expansion.rules import AskRules
from requery.expansion.tested import Expanded
from requery.expansion.trace import Trace
from requery.generation.caption_source import CaptionSource
from requery.generation.source import GeneratorSource
from requery.index.bm25 import Bm25
from requery.index.hybrid import fuse
from requery.ranking.pseudo_relevance import KS
from requery.task_encoder import TaskEncoder

BRANCHES = {"bm25": ("bm25",), "dense": ("dense",), "hybrid": ("bm25", "dense")}
"""Whose lists a row's search fuses."""
LEAST_DEPTH = 10
"""Passages retrieved at least: the headline has R@10."""


class QueryExpansionModule(GeneratorTuning):
    """Tests rows of query expansion; a fit tunes the model's LoRA adapter (see `GeneratorTuning`).

    Each query is expanded once for all rows that share who expands and how. Whatever the model says is kept
    in the store as it comes: a test that was killed goes on from there.

    Args:
        generator: the image–text model.
        rows: what is compared; the original query under BM25 comes first by itself.
        settings: the pipeline's, for all rows.
        captions: where captions come from of questions whose data bring none.
        bm25: of the corpus.
        encoder: checkpoint folder or hub id of the encoder that `dense` and `hybrid` rows search with.
        revision: commit of a hub id.
        fusion: how a CLIP composes a query of image and text: `image`, `text` or `sum`.
        ks: depths of P@k and R@k.
        lowercase_passage: look for answers in lower-cased passages, as Luo et al. (2021); GeMKR does not.
        tuning: how a fit tunes the adapter.
        lr: highest learning rate of AdamW.
        weight_decay: of AdamW.
        output: folder the best adapter of a fit is written to; null for none.
        cache: folder of the feature cache.
        seed: of everything random in a fit.
    """

    def __init__(
        self,
        generator: GeneratorSource = GeneratorSource(),
        rows: Sequence[ExpansionRow] = (),
        settings: ExpansionSettings = ExpansionSettings(),
        captions: CaptionSource = CaptionSource(),
        bm25: Bm25 = Bm25(),
        encoder: str | None = None,
        revision: str | None = None,
        fusion: Fusion = "sum",
        ks: Sequence[int] = KS,
        lowercase_passage: bool = True,
        tuning: Tuning = Tuning(),
        lr: float = 1e-4,
        weight_decay: float = 0.0,
        output: str | None = None,
        cache: str = ".cache/requery",
        seed: int = 0,
    ) -> None:
        given = (generator, settings, captions, bm25, tuning)
        generator, settings, captions, bm25, tuning = (
            changed(kind(), own) if isinstance(own, Mapping) else own
            for kind, own in zip(
                (GeneratorSource, ExpansionSettings, CaptionSource, Bm25, Tuning), given, strict=True
            )
        )
        bm25 = replace(bm25, analyser=replace(bm25.analyser))  # one in use has more than its settings
        super().__init__(generator, settings, captions, bm25, tuning, lr, weight_decay, output, cache, seed)
        parts = {"generator": generator, "settings": settings, "captions": captions, "bm25": bm25}
        plain = {name: asdict(own) for name, own in {**parts, "tuning": tuning}.items()}
        self.save_hyperparameters(ignore=["rows", *plain])
        self.save_hyperparameters({"rows": [], **plain})  # plain: checkpoints hold no objects, a fit no rows
        self.rows = named(rows)
        self.expansions = {name: row.expansion(settings) for name, row in self.rows.items()}
        self.encoder_source = (encoder, revision, fusion)
        self.ks, self.lowercase_passage = tuple(ks), lowercase_passage
        if not self.ks or min(self.ks) < 1:
            raise ConfigError(f"model.ks is {list(self.ks)}; give depths of at least 1")
        searching = [name for name, row in self.rows.items() if row.search != "bm25"]
        if encoder is None and searching:
            raise ConfigError(f"{', '.join(searching)}: nothing encodes passages; set model.encoder")
        if generator.adapter is None and any(not row.lora for row in self.rows.values()):
            raise ConfigError(
                "a row says lora: false, and no row has an adapter; set model.generator.adapter"
            )
        self.tested: Expanded | None = None

    def setup(self, stage: str) -> None:
        if stage in ("validate", "predict"):
            raise ConfigError("query expansion is neither validated nor predicted: its tables come from test")
        super().setup(stage)
        source, revision, fusion = self.encoder_source
        if stage == "test" and any(row.search != "bm25" for row in self.rows.values()):
            assert source is not None
            self.encoder = load_backbone(source, revision, fusion).requires_grad_(False).eval()

    # ---- testing ----

    def on_test_epoch_start(self) -> None:
        self._task, self._dense = self.data.task("test"), None
        asked, self._corpus = self.questions("test"), self.corpus("test")
        self._traces: dict[Expansion, list[Trace]] = {}
        self._expand_all(asked)
        if hasattr(self, "encoder"):
            encoder = TaskEncoder(self.encoder, FeatureCache(self.cache), self.cost, bar)
            self._dense = Dense(encoder, self._task)
        self._depth = min(max(LEAST_DEPTH, *self.ks), self._task.n_gallery)
        self._found: list[tuple[Tensor, ...]] = []

    def _expand_all(self, asked: Sequence[VisualQuestion]) -> None:
        """Expand the queries of every row; a model is loaded once, and let go before the next."""
        wanted = list(dict.fromkeys(self.expansions.values()))
        for expansion in (one for one in wanted if one.by != "model"):
            self._expand(expansion, AskRules(expansion.settings, self._corpus), asked)
        for lora in (False, True):
            self._expand_by_model([one for one in wanted if one.by == "model" and one.lora == lora], asked)

    def _expand_by_model(self, wanted: Sequence[Expansion], asked: Sequence[VisualQuestion]) -> None:
        if not wanted:
            return
        model = self.generator.load(self.store, str(self.device), adapted=wanted[0].lora)
        progress = step_bars(model.name) if self.trainer.is_global_zero else None  # type: ignore[attr-defined]
        for expansion in wanted:
            self._expand(expansion, AskModel(expansion.settings, model, self.store, progress), asked)

    def _expand(self, expansion: Expansion, ask: Ask, asked: Sequence[VisualQuestion]) -> None:
        name = next(name for name, one in self.expansions.items() if one == expansion)
        with self.cost.stage(f"expand_{name}", items=len(asked)):
            self._traces[expansion] = Expander(ask, self._corpus).expand(asked)

    def test_step(self, batch: Tensor) -> None:
        rows, lists, columns = batch.cpu(), dict[tuple[str, Expansion], Tensor](), []
        for name, row in self.rows.items():
            both = [(branch, self.expansions[name]) for branch in BRANCHES[row.search]]
            for key in both:
                if key not in lists:  # rows share what they do not do otherwise
                    lists[key] = self._search(*key, rows)
            own = [lists[key] for key in both]
            columns.append(own[0] if len(own) == 1 or not len(rows) else fuse(own, self._depth)[1])
        sharp = [[sharpness(found.scores, Gate(shape)) for shape in SHAPES] for found in self._first(rows)]
        self._found.append((*columns, torch.tensor(sharp, dtype=torch.float64).view(len(rows), len(SHAPES))))

    def _search(self, branch: str, expansion: Expansion, rows: Tensor) -> Tensor:
        """The passages of some queries, `(B, depth)` int64, -1 where a list ends."""
        traces = [self._traces[expansion][int(i)] for i in rows]
        if not traces:
            return torch.empty(0, self._depth, dtype=torch.int64)
        with self.cost.stage(f"search_{branch}", items=len(traces)):
            if branch == "bm25":
                return items_of(self._found_by_terms(expansion, traces, self._depth), self._depth)
            assert self._dense is not None
            texts = [trace.text for trace in traces]
            return self._dense.find(rows, texts, self._depth, expansion.settings.image)

    def _first(self, rows: Tensor) -> list[Found]:
        """The first retrieval of some queries, deep enough for a gate."""
        expansion = self.expansions[BASELINE]
        return self._found_by_terms(expansion, [self._traces[expansion][int(i)] for i in rows], Gate().depth)

    def _found_by_terms(self, expansion: Expansion, traces: Sequence[Trace], k: int) -> list[Found]:
        searching = AskRules(expansion.settings, self._corpus)  # nobody is asked any more
        return Expander(searching, self._corpus).search(traces, k)

    def on_test_epoch_end(self) -> None:
        *lists, sharp = (gather(torch.cat(column)) for column in zip(*self._found, strict=True))
        if len(sharp) < self._task.n_queries:
            raise ConfigError(
                "a score leaves no query out: remove trainer.limit_test_batches or fast_dev_run"
            )
        cut = 0 if self._dense is None else self._dense.truncated
        notes = {**self._task.notes, **({"passages_truncated": cut} if cut else {})}
        self.tested = Expanded(
            replace(self._task, notes=notes),
            self.rows,
            self.expansions,
            self._traces,
            dict(zip(self.rows, lists, strict=True)),
            sharp,
            self.data.answers("test"),
            self.ks,
            self.data.match,
            self.lowercase_passage,
        )


def items_of(found: Sequence[Found], depth: int) -> Tensor:
    """Lists of passages as `(B, depth)` int64, -1 where a list ends."""
    rows = [[*one.items, *[-1] * (depth - len(one.items))] for one in found]
    return torch.tensor(rows, dtype=torch.int64)


def step_bars(name: str) -> StepProgress:
    """A progress bar for each step of the pipeline."""
    shown: dict[str, Progress] = {}

    def update(step: str, done: int, total: int) -> None:
        shown.setdefault(step, bar(f"{name}: {step}"))(done, total)
        if done >= total:
            del shown[step]

    return update

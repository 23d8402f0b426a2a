"""Relevance feedback: strategies round by round, and the summarizer AFS trained (arXiv 2511.17255)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor

from lightning_modules.feedback_lessons import lessons
from lightning_modules.retrieval import RetrievalModule
from requery.distributed import gather
from requery.errors import ConfigError
from requery.feedback import Loop, run_rounds
from requery.feedback.context import Encoders, TaskContext
from requery.feedback.lessons import Training
from requery.feedback.row import Row, expand
from requery.feedback.rows import NoFeedback
from requery.feedback.rows.summarized import summarizing
from requery.feedback.summarizer_file import Head, make_summarizer, save_summarizer
from requery.feedback.tested import Fed, RowResult
from requery.generation.caption_source import CaptionSource
from requery.pipeline import QueryBatch
from requery.preprocess import Shape
from requery.ranking.embeddings import check_embeddings
from requery.ranking.metrics import per_query

WATCHED = "mrr@5"
"""What a fit is validated by, in the second round."""
PREFIX = "summarizer."


class FeedbackModule(RetrievalModule):
    """Tests rows of feedback over the same queries; a fit trains a summarizer on captioned images.

    Queries are encoded once for all rows. A fit reads `datamodules.PairsDataModule` and validates by the
    mrr@5 of the second round, with the weights 0.8, 0.1, 0.1.

    Args:
        backbone: checkpoint folder or hub id; frozen.
        rows: what is compared; the row without feedback and AFS's controls come by themselves.
        rounds: searches; the first is without feedback.
        k: items shown a round.
        accumulate: start from the last query, not from the first one.
        captions: where generated captions come from, if a row reads any.
        head: the summarizer that a fit trains.
        training: how.
        lr: of AdamW; half a cosine over the epochs, one step each.
        weight_decay: of AdamW.
        output: folder the best summarizer of a fit is written to; null for none.
        revision: commit of a hub id.
        cache: folder of the feature cache.
        seed: of the captions drawn and the items hidden in training.
        shape: how images become square; the paper's CLIP crops, null = as the checkpoint says.
    """

    def __init__(
        self,
        backbone: str,
        rows: Sequence[Row] = (),
        rounds: int = 5,
        k: int = 5,
        accumulate: bool = True,
        captions: CaptionSource = CaptionSource(),
        head: Head = Head(),
        training: Training = Training(),
        lr: float = 3e-4,
        weight_decay: float = 0.01,
        output: str | None = None,
        revision: str | None = None,
        cache: str = ".cache/requery",
        seed: int = 0,
        shape: Shape | None = None,
    ) -> None:
        super().__init__(backbone=backbone, revision=revision, cache=cache, seed=seed, shape=shape)
        captions, head, training = (
            kind(**given) if isinstance(given, Mapping) else given
            for kind, given in ((CaptionSource, captions), (Head, head), (Training, training))
        )
        plain = {"captions": asdict(captions), "head": asdict(head), "training": asdict(training)}
        self.save_hyperparameters({"rows": [], **plain})  # plain: checkpoints hold no objects, a fit no rows
        self.rows, self.pairs = expand([NoFeedback(), *rows])
        names = [row.name for row in self.rows]
        if len(set(names)) < len(names):
            raise ConfigError(f"two rows have one name among {', '.join(names)}; give one a label")
        self.loops = [row.loop(rounds, k, accumulate) for row in self.rows]
        self.rounds, self.k, self.head, self.training_settings = rounds, k, head, training
        self.lr, self.weight_decay, self.output = lr, weight_decay, output
        self.backbone.requires_grad_(False).eval()
        self.encoders, self.strict_loading = Encoders(self.tasks, captions), False

    def train(self, mode: bool = True) -> FeedbackModule:
        """Switch the summarizer's mode; the backbone stays in evaluation mode."""
        super().train(mode)
        self.backbone.eval()
        return self

    # ---- testing ----

    def on_test_epoch_start(self) -> None:
        self.begin("test")
        self._context = self._of_task()
        made = [(row.strategy(self._context), row.user(self._context)) for row in self.rows]
        self._made = list(zip(self.rows, made, self.loops, strict=True))
        self._found: list[list[RowResult]] = []

    def test_step(self, batch: Tensor) -> None:
        if not len(batch):
            self._found.append([RowResult.none(self.rounds)] * len(self.rows))
            return
        queries, rows, found = self._queries(batch), batch.cpu(), []
        qrels = self._open_task.qrels.select(rows)
        for row, (strategy, user), loop in self._made:
            with self.cost.stage(f"feedback_{row.name}", items=len(rows)):
                rounds = run_rounds(
                    queries, self.index, strategy, loop, qrels=qrels, rows=rows, user=user, top_k=loop.k
                )
            found.append(RowResult.of(rounds, qrels))
        self._found.append(found)

    def on_test_epoch_end(self) -> None:
        results = [RowResult.gathered(parts) for parts in zip(*self._found, strict=True)]
        if len(results[0].found) < self._open_task.n_queries:
            raise ConfigError(
                "a score leaves no query out: remove trainer.limit_test_batches or fast_dev_run"
            )
        names = [row.name for row in self.rows]
        rows, every = dict(zip(names, self.rows, strict=True)), dict(zip(names, results, strict=True))
        task = self._noted(self._open_task)
        noted = replace(task, notes={**task.notes, **self._context.notes})
        self.tested = Fed(noted, rows, every, self.pairs, self.k)  # type: ignore[assignment]

    def _of_task(self) -> TaskContext:
        """What rows may ask for of the open task."""
        task, data = self._open_task, cast("Any", self.trainer).datamodule
        return TaskContext(
            self.encoders,
            task,
            self.index,
            pairs=lambda: data.pairs(task.split),
            others=lambda: data.task("val").query_text or (),
        )

    def _queries(self, batch: Tensor) -> Tensor:
        task = self._open_task
        queries = self.encode_queries(QueryBatch.of(task, batch))
        check_embeddings(queries, "query", [task.query_ids[int(i)] for i in batch])
        return queries

    # ---- training ----

    def setup(self, stage: str) -> None:
        if stage in ("validate", "predict"):
            raise ConfigError("feedback is neither validated nor predicted: its tables come from test")
        if stage == "fit" and not hasattr(self, "summarizer"):
            with torch.random.fork_rng([]):
                torch.manual_seed(self.seed)
                self.summarizer = make_summarizer(self.head, self.encoders.widths)

    def on_fit_start(self) -> None:
        self.lessons = lessons(self.encoders, self.trainer.datamodule, self.head)  # type: ignore[attr-defined]

    def training_step(self, index: Tensor) -> Tensor:
        n = len(index)
        # A process without a pair summarises the first and drops it: its gradients are zeros, not missing.
        images = index.cpu() if n else index.new_zeros(1).cpu()
        training, seed = self.training_settings, self.seed
        rows = self.lessons.draw(images, training, seed, self.current_epoch)
        masked = (seed, self.global_step) if training.random_mask else None
        out = gather(self.lessons.summarise(self.summarizer, self.head, rows, masked)[:n])
        loss = self.lessons.loss(out, gather(images[:n]), gather(rows[:n]), training)
        self.note("train/loss", loss, len(out))
        self.log("train/loss_step", loss, prog_bar=True)
        return loss

    def on_validation_epoch_start(self) -> None:
        if getattr(self, "_validated", None) is None:  # the backbone is frozen: once for all epochs
            self.begin("val")
            self._validated = self._of_task()
            if self.head.captions:
                self._validated.captions()  # now, while all processes are here
        self._values: list[Tensor] = []

    def validation_step(self, batch: Tensor) -> None:
        if not len(batch):
            self._values.append(torch.empty(0, dtype=torch.float64))
            return
        context, head, rows = self._validated, self.head, batch.cpu()
        queries, qrels = self._queries(batch), context.task.qrels.select(rows)
        strategy = summarizing(context, self.summarizer, head)
        options = {"loop": Loop(2, head.k), "qrels": qrels, "rows": rows, "top_k": head.k}
        ranking = run_rounds(queries, self.index, strategy, **options).rankings[1]  # type: ignore[arg-type]
        self._values.append(per_query(WATCHED, ranking, qrels))

    def on_validation_epoch_end(self) -> None:
        self.log(f"val/{WATCHED}", gather(torch.cat(self._values)).mean(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        parameters = [p for p in self.summarizer.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(parameters, lr=self.lr, weight_decay=self.weight_decay)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.trainer.max_epochs or 100)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "epoch"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        state = checkpoint["state_dict"]
        checkpoint["state_dict"] = {name: state[name] for name in state if name.startswith(PREFIX)}

    def on_fit_end(self) -> None:
        if self.output is None or not self.trainer.is_global_zero:
            return
        best = [
            c.best_model_path for c in self.trainer.callbacks if isinstance(c, ModelCheckpoint) and c.monitor
        ]  # type: ignore[attr-defined]
        if best and best[0]:
            state = torch.load(best[0], weights_only=True, map_location="cpu")["state_dict"]
            self.summarizer.load_state_dict({name.removeprefix(PREFIX): state[name] for name in state})
        save_summarizer(self.summarizer, self.head, self.encoders.widths, Path(self.output))

"""Tune a generator for query expansion: LoRA on the prompts that the pipeline makes of training questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from PIL.Image import Image
from torch import Tensor

from lightning_modules.knowledge import KnowledgeModule
from requery.distributed import gather
from requery.errors import ConfigError, DataError
from requery.expansion import Corpus, ExpansionSettings, VisualQuestion
from requery.expansion.ask import AskModel
from requery.expansion.lessons import AskTeacher, Lesson, Tuning, make_lessons
from requery.expansion.targets import weak_positives
from requery.expansion.teacher import Truth
from requery.expansion.trace import join
from requery.generation import Prompt, TransformersGenerator
from requery.generation.caption_source import CaptionSource
from requery.generation.lora import is_adapter, put_on, save_adapter, switched_off, weights
from requery.generation.source import GeneratorSource
from requery.generation.supervised import Example, Scored, score
from requery.index.bm25 import Bm25
from requery.losses.preference import dpo
from requery.ranking.pseudo_relevance import holds


class GeneratorTuning(KnowledgeModule):
    """The fit of query expansion.

    The adapter of the epoch with the best validation is written out. Training questions are the DataModule's
    train split; the val split is scored, and the test split is not looked at. Validation logs `val/loss`, and
    the share of tokens (R3: of pairs) that are right as `val/token_accuracy`.

    Args:
        generator: the image–text model; its `adapter` is left aside.
        settings: the pipeline's; a gate is left aside.
        captions: where captions come from of questions whose data bring none.
        bm25: of the corpus.
        tuning: how the adapter is tuned.
        lr: highest learning rate of AdamW.
        weight_decay: of AdamW.
        output: folder the best adapter is written to; null for none.
        cache: folder of the feature cache.
        seed: of everything random.
    """

    def __init__(
        self,
        generator: GeneratorSource,
        settings: ExpansionSettings,
        captions: CaptionSource,
        bm25: Bm25,
        tuning: Tuning,
        lr: float,
        weight_decay: float,
        output: str | None,
        cache: str,
        seed: int,
    ) -> None:
        super().__init__(generator, settings, captions, bm25, cache, seed)
        self.tuning, self.lr, self.weight_decay, self.output = tuning, lr, weight_decay, output
        self.strict_loading = False
        self._lessons: dict[str, list[list[Lesson]]] = {}

    # ---- lessons ----

    def setup(self, stage: str) -> None:
        if stage != "fit" or hasattr(self, "network"):
            return
        device = str(self.trainer.strategy.root_device)  # type: ignore[attr-defined]
        loaded = self.generator.load(self.store, device, adapted=False)
        if not isinstance(loaded, TransformersGenerator):
            raise ConfigError(f"{loaded.name} cannot be tuned: give model.generator.checkpoint, no endpoint")
        self.chat, self.network = loaded, loaded.model
        put_on(self.network, self.tuning.lora, self.seed)
        if self.tuning.activation_checkpointing:
            self.network.activation_checkpointing_enable()
            self.network.enable_input_require_grads()  # embeddings are frozen, and nothing would flow back

    def on_fit_start(self) -> None:
        self.lessons("train")
        self.network.train()

    def lessons(self, split: str) -> list[list[Lesson]]:
        """The lessons of each of a split's questions, made once; all processes ask for them together.

        Raises:
            DataError: there is none at all.
        """
        if split not in self._lessons:
            asked, corpus = self.questions(split), self.corpus(split)
            settings, training = replace(self.settings, gate=None), self.network.training
            model = AskModel(settings, self.chat, self.store)
            truths = self._truths(split, asked, corpus)
            self.network.eval()
            with switched_off(self.network), self.cost.stage("lessons", items=len(asked)):
                made = make_lessons(asked, AskTeacher(settings, self.tuning, corpus, truths, model))
            self.network.train(training)
            if not any(made):
                raise DataError(f"{split}: no question has a lesson; check its answers and model.tuning")
            self._lessons[split] = made
        return self._lessons[split]

    def _truths(self, split: str, asked: Sequence[VisualQuestion], corpus: Corpus) -> dict[str, Truth]:
        """What is known of each question."""
        task, truths, marked = self.data.task(split), {}, self.tuning.positives == "truth"
        if marked:
            task.require_truth()
        for row, (question, answers) in enumerate(zip(asked, self.data.answers(split), strict=True)):
            relevant = holds(answers, self.data.match)
            if marked:
                items = task.qrels.relevant[row].tolist()
            else:
                items = weak_positives(
                    corpus, join(question.question, question.caption or ""), answers, relevant
                )
            truths[question.id] = Truth(answers, tuple(corpus.texts[item] for item in items), relevant)
        return truths

    # ---- training ----

    def training_step(self, index: Tensor) -> Tensor:
        losses, units, _ = self._scored("train", index)
        loss = losses.sum() / units.sum().clamp(min=1)
        self.note("train/loss", loss, float(units.sum()))
        self.log("train/loss_step", loss, prog_bar=True)
        return loss

    def on_validation_epoch_start(self) -> None:
        self.lessons("val")
        self._values: list[Tensor] = []

    def validation_step(self, index: Tensor) -> None:
        self._values.append(torch.stack(self._scored("val", index), dim=1).sum(0).double())

    def on_validation_epoch_end(self) -> None:
        loss, units, right = torch.stack(self._values).sum(0)
        self.log("val/loss", loss / units)
        self.log("val/token_accuracy", right / units, prog_bar=True)

    def _scored(self, split: str, index: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Loss, tokens (R3: 1) and what is right of them, of each lesson of all processes' questions."""
        taught = [lesson for i in index.tolist() for lesson in self._lessons[split][i]]
        preferred = [lesson for lesson in taught if lesson.rejected is not None]
        if self.tuning.recipe == "R3":
            columns = self._compared(preferred)
        else:
            found = self._answered(taught)
            columns = found.losses, found.tokens, found.right
        # every process has a gradient for each weight, zero where it has no lesson or no image
        nothing = sum(0 * weight.sum() for weight in weights(self.network).values())
        return gather(columns[0] + nothing), gather(columns[1]), gather(columns[2])

    def _compared(self, pairs: Sequence[Lesson]) -> tuple[Tensor, Tensor, Tensor]:
        """DPO's loss of each pair, 1, and whether the better answer gained on the worse one."""
        worse = [replace(pair, answer=pair.rejected or "") for pair in pairs]
        both = [*pairs, *worse]
        now = -self._answered(both).losses
        with torch.no_grad(), switched_off(self.network):
            before = -self._answered(both).losses
        n = len(pairs)
        losses, margins = dpo(now[:n], now[n:], before[:n], before[n:], self.tuning.beta)
        return losses, torch.ones_like(losses), (margins > 0).float()

    def _answered(self, taught: Sequence[Lesson]) -> Scored:
        """Score lessons; each image is loaded once."""
        images: dict[tuple[int, int], Image] = {}
        examples = []
        for lesson in taught:
            request, image = lesson.request, None
            if request.image is not None:
                where = id(request.image[0]), request.image[1]
                image = images[where] = images.get(where) or request.image[0].load(request.image[1])
            examples.append(Example(Prompt(request.turns, image, 0), lesson.answer, lesson.longest))
        return score(self.chat, examples)

    def configure_optimizers(self) -> Any:
        adapter = list(weights(self.network).values())
        optimizer = torch.optim.AdamW(adapter, lr=self.lr, weight_decay=self.weight_decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            self.lr,
            total_steps=self.planned_steps,
            pct_start=self.tuning.warmup,
            cycle_momentum=False,
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    # ---- what is kept ----

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        state = checkpoint["state_dict"]
        checkpoint["state_dict"] = {name: state[name] for name in state if is_adapter(name)}

    def on_fit_end(self) -> None:
        if self.output is None or not self.trainer.is_global_zero:
            return
        kept = [c for c in self.trainer.callbacks if isinstance(c, ModelCheckpoint) and c.monitor]  # type: ignore[attr-defined]
        if kept and kept[0].best_model_path:
            best = torch.load(kept[0].best_model_path, weights_only=True, map_location="cpu")["state_dict"]
            self.load_state_dict(best, strict=False)
        save_adapter(self.network, Path(self.output), self.chat.name)

"""Make the small checkpoints: CLIP and BLIP-2's Q-Former, from scratch on image–text pairs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lightning_modules.resumable import ResumableModule
from requery import distributed
from requery.backbones import Backbone, Blip2, Clip, load_backbone
from requery.backbones.tokenizer import learn_tokenizer
from requery.cost import CostMeter
from requery.distributed import gather
from requery.losses.info_nce import info_nce
from requery.preprocess import Preprocess
from requery.rng import uniform_below


class Pretraining(ResumableModule):
    """What both pre-trainings share: the pairs, AdamW with a one-cycle schedule, and saving at the end.

    Args:
        output: folder the checkpoint is written to.
        lr: highest learning rate.
        weight_decay: AdamW's weight decay.
        warmup: share of the steps in which the learning rate rises.
        seed: which caption of an image is read in an epoch.
    """

    backbone: Backbone

    def __init__(self, output: str, lr: float, weight_decay: float, warmup: float, seed: int) -> None:
        super().__init__(seed)
        self.save_hyperparameters()
        self.output, self.lr, self.weight_decay, self.warmup = output, lr, weight_decay, warmup
        self.cost = CostMeter()

    def setup(self, stage: str) -> None:
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
        self.pairs: list[tuple[int, tuple[str, ...]]] = data.pairs("train")
        self.images = data.task("train").images
        self.prepare()

    def prepare(self) -> None:
        """Make the backbone and whatever the steps look up."""
        raise AssertionError("defined by the two pre-trainings")

    def texts(self, index: Tensor) -> list[str]:
        """One caption of each pair `(B,)`, drawn anew each epoch."""
        options = [self.pairs[int(i)][1] for i in index]
        sizes = torch.tensor([len(texts) for texts in options]).numpy()
        chosen = uniform_below(sizes, self.seed, self.current_epoch, index.cpu().numpy())
        return [texts[int(k)] for texts, k in zip(options, chosen, strict=True)]

    def note_step(self, loss: Tensor, temperature: Tensor, n: int) -> None:
        """Note what a step over `n` pairs of all processes gave."""
        self.note("train/loss", loss, n)
        self.note("train/temperature", temperature, n)
        self.log("train/loss_step", loss, prog_bar=True)

    def configure_optimizers(self) -> Any:
        parameters = [p for p in self.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(parameters, lr=self.lr, weight_decay=self.weight_decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.lr, total_steps=self.planned_steps, pct_start=self.warmup
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_fit_end(self) -> None:
        if self.trainer.is_global_zero:
            self.backbone.save(self.output)


class ClipPretraining(Pretraining):
    """CLIP from scratch: symmetric in-batch InfoNCE (Radford et al. 2021, figure 3).

    Args:
        output: folder the checkpoint is written to.
        px: side of the images in pixels.
        patch: side of a patch in pixels.
        width: width of both transformers.
        vision_layers: layers of the vision tower.
        text_layers: layers of the text tower.
        heads: attention heads of both.
        dim: width of the shared space.
        vocabulary: tokens of the byte-level BPE, learnt from the captions.
        max_text: longest text in tokens.
        pad_ratio: TargetPad's ratio; null never pads.
        lr: highest learning rate.
        weight_decay: AdamW's weight decay.
        warmup: share of the steps in which the learning rate rises.
        seed: which caption of an image is read in an epoch.
    """

    def __init__(
        self,
        output: str,
        px: int = 48,
        patch: int = 12,
        width: int = 128,
        vision_layers: int = 4,
        text_layers: int = 2,
        heads: int = 4,
        dim: int = 128,
        vocabulary: int = 512,
        max_text: int = 40,
        pad_ratio: float | None = 1.25,
        lr: float = 2e-3,
        weight_decay: float = 0.05,
        warmup: float = 0.1,
        seed: int = 0,
    ) -> None:
        super().__init__(output, lr, weight_decay, warmup, seed)
        self.px, self.vocabulary, self.max_text, self.pad_ratio = px, vocabulary, max_text, pad_ratio
        shared = {
            "hidden_size": width,
            "intermediate_size": 4 * width,
            "num_attention_heads": heads,
            "hidden_act": "gelu",  # one fused kernel; CLIP's quick_gelu takes three passes over memory
        }
        self.vision = {**shared, "num_hidden_layers": vision_layers, "image_size": px, "patch_size": patch}
        self.text = {**shared, "num_hidden_layers": text_layers, "max_position_embeddings": max_text}
        self.dim = dim

    def prepare(self) -> None:
        from transformers import CLIPConfig, CLIPModel

        tokenizer = learn_tokenizer(
            (t for _, texts in self.pairs for t in texts), self.vocabulary, self.max_text
        )
        marks = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad")}
        text = {**self.text, **marks, "vocab_size": len(tokenizer)}
        model = CLIPModel(CLIPConfig(text_config=text, vision_config=self.vision, projection_dim=self.dim))
        self.backbone = Clip(model, tokenizer, Preprocess(self.px, pad_ratio=self.pad_ratio))
        self.backbone.requires_grad_(True)
        model.logit_scale.requires_grad_(False)  # the backbone's temperature stands for it
        self.pixels = torch.stack(
            [self.backbone.preprocess(self.images.load(position)).half() for position, _ in self.pairs]
        )

    def training_step(self, index: Tensor) -> Tensor:
        pixels = self.pixels[index.cpu()].to(self.device, torch.float32)
        image = self.backbone.encode_gallery(self.backbone.image_features(pixels), None)[:, 0]  # (B, D)
        text = self.backbone.encode_query(None, self.texts(index))  # (B, D)
        temperature = self.backbone.temperature.clamp(min=0.01)
        image, text = gather(image), gather(text)
        loss = info_nce(text @ image.T / temperature, symmetric=True)
        self.note_step(loss, temperature, len(text))
        return loss


class Blip2Pretraining(Pretraining):
    """A Q-Former over CLIP's frozen tower, from scratch, in the place of BLIP-2's own pre-training.

    Three in-batch InfoNCE terms against the image's query tokens, all from image–text pairs alone: the
    caption by itself (BLIP-2's ITC); the caption with another image as reference, so that text is followed;
    no text and the image itself, so that the reference is kept. The last two are ours: they stand in for
    ITM and captioning, which need a language head and far more steps.

    Args:
        output: folder the checkpoint is written to.
        vision: folder of the CLIP checkpoint whose tower and tokenizer are used; the new checkpoint names it.
        width: width of the Q-Former.
        layers: layers of the Q-Former; every second has cross-attention.
        heads: attention heads.
        dim: width of the shared space.
        n_tokens: query tokens.
        max_text: longest text in tokens.
        dropout: dropout of the Q-Former (0.1 in BLIP-2).
        lr: highest learning rate.
        weight_decay: AdamW's weight decay.
        warmup: share of the steps in which the learning rate rises.
        seed: which caption and which other image are read in an epoch.
    """

    def __init__(
        self,
        output: str,
        vision: str,
        width: int = 128,
        layers: int = 2,
        heads: int = 4,
        dim: int = 64,
        n_tokens: int = 8,
        max_text: int = 40,
        dropout: float = 0.1,
        lr: float = 1e-3,
        weight_decay: float = 0.05,
        warmup: float = 0.1,
        seed: int = 0,
    ) -> None:
        super().__init__(output, lr, weight_decay, warmup, seed)
        self.vision = vision
        self.qformer = {
            "hidden_size": width,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "intermediate_size": 4 * width,
            "cross_attention_frequency": 2,
            "max_position_embeddings": max_text,
            "use_qformer_text_input": True,
            "hidden_dropout_prob": dropout,
            "attention_probs_dropout_prob": dropout,
        }
        self.head = {"dim": dim, "n_tokens": n_tokens, "max_text": max_text}

    def prepare(self) -> None:
        clip = load_backbone(self.vision)
        qformer = {
            **self.qformer,
            "vocab_size": len(clip.tokenizer),
            "pad_token_id": clip.tokenizer.pad_token_id,
        }
        config = {"qformer": qformer, **self.head}
        self.backbone = Blip2.create(clip.vision, clip.tokenizer, config, clip.preprocess, Path(self.vision))
        with torch.no_grad():
            self.features = torch.cat(
                [self._features(start) for start in range(0, len(self.pairs), 256)]
            )  # (pairs, L, W)

    def _features(self, start: int) -> Tensor:
        part = [self.images.load(position) for position, _ in self.pairs[start : start + 256]]
        return self.backbone.image_features(self.backbone.preprocess.batch(part)).half()

    def training_step(self, index: Tensor) -> Tensor:
        whole = gather(index.cpu())  # the batch of all processes
        image = self._tokens(index)
        target = gather(self.backbone.encode_gallery(image, None))  # (B, T, D)
        queries = torch.cat([gather(part) for part in self._queries(index, image, whole)])  # (2B, D)
        temperature = self.backbone.temperature.clamp(min=0.02)
        scores = torch.einsum("qd,itd->qit", queries, target).amax(-1) / temperature  # (2B, B)
        n = len(whole)
        loss = info_nce(scores[:n], symmetric=True) + info_nce(scores[n:])
        self.note_step(loss, temperature, n)
        return loss

    def _queries(self, index: Tensor, image: Tensor, whole: Tensor) -> Iterator[Tensor]:
        """Yield the queries of this process's pairs: captions alone, captions with another image, images.

        The first half of the whole batch has its neighbour's image as reference, the other half no text.
        """
        text, half = self.texts(index), len(whole) // 2
        alone = self.backbone.encode_query(None, text)
        yield alone
        place = torch.tensor(distributed.share(len(whole)))
        n = int((place < half).sum())
        other = self._tokens(whole[(place[:n] - 1) % max(half, 1)])
        yield self.backbone.encode_query(other, text[:n]) if n else alone[:0]
        yield self.backbone.encode_query(image[n:], None) if n < len(index) else alone[:0]

    def _tokens(self, index: Tensor) -> Tensor:
        return self.features[index.cpu()].to(self.device, torch.float32)

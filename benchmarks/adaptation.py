"""A batch adapted in three steps, against the three forward and backward passes that it cannot do without."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from benchmarks.measure import DEVICE, Row, best_seconds
from requery.adaptation import REST, TCR, Adapter, Method
from requery.adaptation.layer_norms import freeze_all_but, layer_norm_parameters
from requery.backbones import load_backbone
from requery.backbones.base import Backbone

CHECKPOINT = "experiments/checkpoints/shapes_clip"
STEPS = 3
METHODS = {
    "TCR": TCR(steps=STEPS),
    "REST": REST(steps=STEPS),
    "REST, `prograd`": REST(steps=STEPS, decoupling="prograd"),
}


class Images(torch.nn.Module):
    """Pixels `(B, 3, S, S)` to embeddings `(B, D)`."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, pixels: Tensor) -> Tensor:
        return self.backbone.encode_query(self.backbone.image_features(pixels), None)


def measure(quick: bool, turns: int) -> list[Row]:
    """Batches of 64 images through the shipped CLIP's tower, a gallery of 5,000."""
    batch, items = (8, 50) if quick else (64, 5_000)
    images = Images(load_backbone(CHECKPOINT)).to(DEVICE)
    generator = torch.Generator().manual_seed(0)
    side = images.backbone.preprocess.size
    pixels = torch.randn(2, batch, 3, side, side, generator=generator).to(DEVICE)
    gallery = torch.randn(items, len(images(pixels[0])[0]), generator=generator).to(DEVICE)
    contestants = {
        name: partial(adapted, images, pixels, gallery, method) for name, method in METHODS.items()
    }
    seconds = best_seconds(turns, {**contestants, "passes": partial(passes, images, pixels)})
    size = f"batches of {batch} images, {items:,} items"
    baseline = f"{STEPS} forward and backward passes a batch"
    return [
        Row(f"a batch adapted, {name}", size, seconds[name], baseline, seconds["passes"]) for name in METHODS
    ]


def adapted(images: Images, pixels: Tensor, gallery: Tensor, method: Method) -> None:
    """Two batches, so that the second is not at the source weights; what was changed is put back."""
    adapter = Adapter(images, gallery, method)
    for batch in pixels:
        adapter.step(batch)
    adapter.reset()


def passes(images: Images, pixels: Tensor) -> None:
    """The same passes with gradients of the same parameters, and nothing beside them."""
    parameters = layer_norm_parameters(images, None)
    freeze_all_but(images, parameters)
    for batch in pixels:
        for _ in range(STEPS):
            loss = images(batch).square().sum()
            torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)

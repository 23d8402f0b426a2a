"""Shapes as retrieval tasks: composed, text to image, image to text, knowledge questions."""

from __future__ import annotations

import torch

from requery.errors import ConfigError
from requery.ragged import Ragged
from requery.ranking.protocols import shapes_composed, shapes_cross_modal, shapes_knowledge
from requery.ranking.qrels import Qrels
from requery.shapes.knowledge import Question, passages, question
from requery.shapes.language import Caption, caption, modification
from requery.shapes.scene import ShapesConfig, stream
from requery.shapes.truth import SceneIndex, attributes, grades, nearest_misses, transpose
from requery.shapes.world import ShapesImages, family, scene_at
from requery.task import RetrievalTask

TASKS = ("composed", "text_to_image", "image_to_text", "knowledge")
SUBSET_MISSES = 5


def build(config: ShapesConfig, task: str, split: str, families: int) -> RetrievalTask:
    """One split of one task, over `families * config.variants` images.

    Raises:
        ConfigError: for an unknown task or split, or no family.
    """
    if families < 1:
        raise ConfigError(f"shapes: {families} families in split {split}; at least one is needed")
    if task == "composed":
        return _composed(config, split, families)
    if task == "knowledge":
        return _knowledge(config, split, families)
    if task in TASKS:
        return _cross_modal(config, task, split, families)
    raise ConfigError(f"Shapes has no task {task!r}; use one of {', '.join(TASKS)}")


def captions(config: ShapesConfig, split: str, n: int, epoch: int = 0) -> list[Caption]:
    """A caption of each of the first `n` images; another epoch words them anew."""
    return [
        caption(stream("caption", config.seed, split, i, epoch), scene_at(config, split, i), config)
        for i in range(n)
    ]


def _composed(config: ShapesConfig, split: str, families: int) -> RetrievalTask:
    """Queries lead from each family's base image to `config.queries` of its near misses."""
    images = ShapesImages(config, split, families * config.variants)
    scenes = [scene_at(config, split, i) for i in range(len(images))]
    index, table = SceneIndex(scenes), attributes(scenes)
    texts, references, targets, relevant, subsets = [], [], [], [], []
    for number in range(families):
        base = number * config.variants
        members = family(config, split, number)
        for member in range(1, config.queries + 1):
            edit, place = members.edits[member - 1], base + member
            right = index.of_edit(members.scenes[0], edit, config)
            draw = stream("modification", config.seed, split, place)
            texts.append(modification(draw, members.scenes[0], edit, config))
            references.append(base)
            targets.append(place)
            relevant.append(right)
            if split != "train":  # what is only trained on is never scored within its subset
                subsets.append(sorted([place, *nearest_misses(table, place, [*right, base], SUBSET_MISSES)]))
    found, target = Ragged.from_rows(relevant), torch.tensor(targets)
    reference = torch.tensor(references)
    qrels = Qrels(
        target=target,
        relevant=found,
        grades=grades(found, target),
        excluded=Ragged.from_rows(reference[:, None].tolist()),
        subset=Ragged.from_rows(subsets) if subsets else None,
    )
    return RetrievalTask(
        protocol=shapes_composed(),
        split=split,
        images=images,
        query_ids=[f"{split}-q{i:06d}" for i in range(len(texts))],
        gallery_ids=images.ids,
        qrels=qrels,
        query_image=reference,
        query_text=texts,
        gallery_image=torch.arange(len(images)),
    )


def _cross_modal(config: ShapesConfig, direction: str, split: str, families: int) -> RetrievalTask:
    """One caption of each image; an item is relevant where the caption is true of the image."""
    images = ShapesImages(config, split, families * config.variants)
    everything = torch.arange(len(images))
    index = SceneIndex([scene_at(config, split, i) for i in range(len(images))])
    written = captions(config, split, len(images))
    relevant = Ragged.from_rows([index.of_caption(c) for c in written])
    if direction == "image_to_text":
        relevant = transpose(relevant, len(images))
    texts = [c.text for c in written]
    to_image = direction == "text_to_image"
    return RetrievalTask(
        protocol=shapes_cross_modal(direction),
        split=split,
        images=images,
        query_ids=[f"{split}-q{i:06d}" for i in range(len(images))],
        gallery_ids=images.ids if to_image else [f"{split}-t{i:06d}" for i in range(len(images))],
        qrels=Qrels(target=everything, relevant=relevant, grades=grades(relevant, everything)),
        query_image=None if to_image else everything,
        query_text=texts if to_image else None,
        gallery_image=everything if to_image else None,
        gallery_text=None if to_image else texts,
    )


def knowledge(config: ShapesConfig, split: str, families: int) -> list[Question]:
    """The question about each picture of the first families of a split."""
    n = families * config.variants
    return [question(config, split, i, scene_at(config, split, i)) for i in range(n)]


def _knowledge(config: ShapesConfig, split: str, families: int) -> RetrievalTask:
    """One question about each image; passages with the fact asked for are relevant, the first the target."""
    images = ShapesImages(config, split, families * config.variants)
    corpus = passages(config)
    places: dict[tuple[int, int, str], list[int]] = {}
    for place, passage in enumerate(corpus):
        places.setdefault((passage.shape, passage.colour, passage.fact), []).append(place)
    asked = knowledge(config, split, families)
    relevant = Ragged.from_rows([places[(*q.thing.kind, q.fact)] for q in asked])
    target = relevant.values[relevant.offsets[:-1]]
    return RetrievalTask(
        protocol=shapes_knowledge(),
        split=split,
        images=images,
        query_ids=[f"{split}-k{i:06d}" for i in range(len(images))],
        gallery_ids=[f"passage-{i:04d}" for i in range(len(corpus))],
        qrels=Qrels(target=target, relevant=relevant, grades=grades(relevant, target)),
        query_image=torch.arange(len(images)),
        query_text=[q.text for q in asked],
        gallery_text=[passage.text for passage in corpus],
    )

"""Named, versioned rules of scoring: printed beside every score, never mixed in one table."""

from __future__ import annotations

from dataclasses import dataclass

from requery.errors import ConfigError


@dataclass(frozen=True)
class Protocol:
    """How a split is scored.

    Args:
        name: benchmark, split and variant, such as `fashion_iq/val/original`.
        version: raised whenever a rule below changes.
        metrics: the metrics reported, in design order.
        gallery: which items can be retrieved.
        excluded: what is removed from each query's ranking before anything is counted.
        queries: how the query's text is made.
        server: whose submission files `predict` writes; None where there is no server.
    """

    name: str
    version: int
    metrics: tuple[str, ...]
    gallery: str
    excluded: str = "nothing"
    queries: str = "one query per annotation, its text as it stands"
    server: str | None = None

    @property
    def key(self) -> str:
        """The name with its version, such as `cirr/val@1`."""
        return f"{self.name}@{self.version}"


COMPOSED_METRICS = ("recall@1", "recall@5", "recall@10", "recall_subset@1", "map@10", "hit_any@1")
CROSS_MODAL_METRICS = ("recall@1", "recall@5", "recall@10", "map@10", "hit_any@1", "ndcg@10")
KARPATHY_METRICS = {
    "text_to_image": ("recall@1", "recall@5", "recall@10"),
    "image_to_text": ("hit_any@1", "hit_any@5", "hit_any@10"),
}
ANY_METRICS = ("hit_any@1", "hit_any@5", "hit_any@10")
FIRST_CAPTION_METRICS = (*KARPATHY_METRICS["text_to_image"], "mrr@1", "mrr@5", "mrr@10")
PERSON_METRICS = (*ANY_METRICS, "map@100000")
"""The published R@k and mAP: the latter is cut nowhere, so its depth is beyond every gallery."""
KNOWLEDGE_METRICS = ("recall@1", "recall@5", "recall@10", "mrr@10")
PSEUDO_METRICS = ("precision@1", "precision@5", "hit_any@5", "hit_any@10")
"""P@1, P@5, R@5 and R@10 of work on OK-VQA, as fractions."""
PAIRED_METRICS = {
    "pair": ("recall@1", "recall@5", "recall@10", "mrr@10"),
    "label": (*ANY_METRICS, "map@10"),
}


def shapes_composed() -> Protocol:
    """Composed retrieval on Shapes: the whole split is the gallery, the reference is removed."""
    return Protocol(
        "shapes/composed",
        1,
        COMPOSED_METRICS,
        gallery="all images of the split",
        excluded="the reference image",
    )


def shapes_cross_modal(direction: str) -> Protocol:
    """Text-to-image or image-to-text on Shapes."""
    from_text = _from_text(direction)
    gallery = "all images of the split" if from_text else "one caption of each image of the split"
    return Protocol(f"shapes/{direction}", 1, CROSS_MODAL_METRICS, gallery=gallery)


def shapes_knowledge() -> Protocol:
    """Knowledge questions on Shapes: image and question, the corpus of all passages."""
    metrics = ("recall@1", "recall@5", "recall@10", "hit_any@1", "mrr@10")
    return Protocol("shapes/knowledge", 1, metrics, gallery="the passages about all things of the world")


def shapes_written(about: str, marks: tuple[str, ...]) -> Protocol:
    """What a generator writes on Shapes, read back by the words of the world.

    Args:
        about: `captions` or `rewritten`.
        marks: what is read: shares from 0 to 1.
    """
    return Protocol(f"shapes/{about}", 1, marks, gallery="all words the generator knows")


def karpathy(name: str, split: str, direction: str) -> Protocol:
    """Captioned images (COCO, Flickr30k; Karpathy and Fei-Fei 2015), the whole split as the gallery.

    An image has several captions: each of them is a query, and each of them answers the image, so the
    published R@k is recall@k from text and hit_any@k from images.

    Args:
        name: the benchmark (`coco`, `emoji_cirr`).
        split: `train`, `val` or `test`.
        direction: `text_to_image` or `image_to_text`.
    """
    from_text = _from_text(direction)
    return Protocol(
        f"{name}/{split}/{direction}",
        1,
        KARPATHY_METRICS[direction],
        gallery="all images of the split" if from_text else "all captions of all images of the split",
        queries="every caption" if from_text else "every image",
    )


def first_caption(name: str, split: str) -> Protocol:
    """One query an image, its first caption (Khaertdinov et al. 2025: relevance feedback, `caption_0`).

    Flickr30k lists longer captions first, which makes them easier: never compare it with `karpathy`, under
    which every caption asks.

    Args:
        name: the benchmark (`coco`, `flickr30k`).
        split: `train`, `val` or `test`.
    """
    return Protocol(
        f"{name}/{split}/text_to_image/caption_0",
        1,
        FIRST_CAPTION_METRICS,
        gallery="all images of the split",
        queries="the first caption of each image",
    )


def nocaps(domain: str, direction: str) -> Protocol:
    """Nocaps' validation set (Agrawal et al. 2019) or one of its domains, by the rules of `karpathy`.

    The gallery is the domain's alone, as in TCR's evaluation (Li et al. 2025).

    Args:
        domain: `in-domain`, `near-domain`, `out-domain` or `entire`.
        direction: `text_to_image` or `image_to_text`.
    """
    what = "images" if _from_text(direction) else "captions of all images"
    return Protocol(
        f"nocaps/val/{domain}/{direction}",
        1,
        KARPATHY_METRICS[direction],
        gallery=f"all {what} of the set" if domain == "entire" else f"all {what} of the domain",
        queries="every caption" if _from_text(direction) else "every image",
    )


def person_search(name: str, split: str) -> Protocol:
    """Persons found by a description (CUHK-PEDES, ICFG-PEDES): every image of the person described is right.

    Args:
        name: the benchmark: `cuhk_pedes` or `icfg_pedes`.
        split: `train`, `val` or `test`.
    """
    return Protocol(
        f"{name}/{split}/text_to_image",
        1,
        PERSON_METRICS,
        gallery="all images of the split",
        queries="every caption",
    )


def fashion_gen(split: str, direction: str) -> Protocol:
    """Fashion-Gen's products (Rostamzadeh et al. 2018): every image of the product described is right.

    The gallery is the whole split, not the 101 candidates of some publications.

    Args:
        split: `train` or `val`.
        direction: `text_to_image` or `image_to_text`.
    """
    from_text = _from_text(direction)
    return Protocol(
        f"fashion_gen/{split}/{direction}",
        1,
        ANY_METRICS,
        gallery="all images of the split" if from_text else "the description of each product of the split",
        queries="each product's title and description" if from_text else "every image",
    )


def vggsound(split: str, direction: str, relevant: str) -> Protocol:
    """Paired clips of VGGSound (Chen et al. 2020): a sound finds its video, or a video its sound.

    The clip's other side is the target. By `label`, all clips of its label are right as well; that is another
    protocol. `test` is the official split; `val` is ours, a 50th of the official train split by YouTube id.

    Args:
        split: `train`, `val` or `test`.
        direction: `audio_to_video` or `video_to_audio`.
        relevant: `pair` or `label`.
    """
    sides = {"audio_to_video": ("sound", "videos"), "video_to_audio": ("video", "sounds")}
    if direction not in sides:
        raise ConfigError(f"direction {direction!r} is neither audio_to_video nor video_to_audio")
    if relevant not in PAIRED_METRICS:
        raise ConfigError(f"relevant {relevant!r} is neither pair nor label")
    asked, found = sides[direction]
    return Protocol(
        f"vggsound/{split}/{direction}" + ("/label" if relevant == "label" else ""),
        1,
        PAIRED_METRICS[relevant],
        gallery=f"the {found} of all clips of the split",
        queries=f"the {asked} of every clip",
    )


def knowledge_qa(name: str, split: str) -> Protocol:
    """Questions with marked passages: the first of them is the target.

    Args:
        name: the benchmark (`knowledge_qa`).
        split: `val` or `test`.
    """
    return Protocol(f"{name}/{split}", 1, KNOWLEDGE_METRICS, gallery="all passages")


def okvqa(split: str, corpus: str, queries: str, answers: str, match: str) -> Protocol:
    """OK-VQA's pseudo relevance (Luo et al. 2021): a passage that holds an answer is right.

    What counts as an answer and where it may stand moves scores a lot: each choice is another protocol.

    Args:
        split: `train`, `val` or `test`.
        corpus: name of the corpus, such as `gs112k`.
        queries: what a query's text is: `question` or `question_caption`.
        answers: `raw`, `stemmed` or `both`.
        match: `substring` or `word`.
    """
    asked = {"question": "the question", "question_caption": "the question, then the image's caption"}
    return Protocol(
        f"okvqa/{split}/{corpus}/{queries}/{answers}/{match}",
        1,
        PSEUDO_METRICS,
        gallery=f"all passages of {corpus}",
        queries=asked[queries],
    )


def _from_text(direction: str) -> bool:
    if direction not in KARPATHY_METRICS:
        raise ConfigError(f"direction {direction!r} is neither text_to_image nor image_to_text")
    return direction == "text_to_image"

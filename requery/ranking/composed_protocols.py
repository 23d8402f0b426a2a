"""Named rules of composed retrieval on photographs: CIRR, FashionIQ, CIRCO, HP-FashionIQ."""

from __future__ import annotations

from requery.errors import ConfigError
from requery.ranking.protocols import Protocol

CIRR_METRICS = (
    "recall@1",
    "recall@5",
    "recall@10",
    "recall@50",
    "recall_subset@1",
    "recall_subset@2",
    "recall_subset@3",
)
FASHION_IQ_METRICS = ("recall@10", "recall@50")
FASHION_IQ_GALLERIES = {
    "original": "all images the split file lists for the query's category",
    "val": "the references and targets of all queries of the query's category",
    "targets": "the targets of all queries of the query's category",
}
CIRCO_METRICS = tuple(f"{kind}@{k}" for kind in ("map", "recall") for k in (5, 10, 25, 50))
CIRCO_QUERIES = {
    "caption": "the relative caption as it stands",
    "prompt": "the relative caption as in `a photo of $ that {caption}`",
}


def cirr(split: str, name: str = "cirr") -> Protocol:
    """CIRR's rules (Liu et al. 2021): whole split, reference removed, subset of the image set's members.

    Args:
        split: `val`, `test1` or `train`.
        name: the benchmark in CIRR's layout (`cirr`, `emoji_cirr`): scores of two are never one protocol's.
    """
    return Protocol(
        f"{name}/{split}",
        1,
        CIRR_METRICS,
        gallery="all images of the split",
        excluded="the reference image",
        server="cirr",
    )


def fashion_iq(split: str, gallery: str, category: str = "all") -> Protocol:
    """FashionIQ's rules (Wu et al. 2021): the gallery is the category's, the reference stays in it.

    The gallery `val` is smaller than `original` and its scores are several points higher: never compare them.
    Over all categories recall is the mean over queries, hundredths of a point from the published mean of
    three categories.

    Args:
        split: `train`, `val` or `test`.
        gallery: `original` or `val`; `targets` is what a query's negatives are drawn from.
        category: `dress`, `shirt`, `toptee` or `all`.
    """
    if gallery not in FASHION_IQ_GALLERIES:
        raise ConfigError(f"gallery {gallery!r} is none of {', '.join(FASHION_IQ_GALLERIES)}")
    return Protocol(
        f"fashion_iq/{split}/{gallery}" + ("" if category == "all" else f"/{category}"),
        1,
        FASHION_IQ_METRICS,
        gallery=FASHION_IQ_GALLERIES[gallery],
        excluded="the images of other categories" if category == "all" else "nothing",
        queries="one query per annotation, its two captions joined by `and`",
    )


def circo(split: str, queries: str) -> Protocol:
    """CIRCO's rules (Baldrati et al. 2023): several images are right, the reference stays in the gallery.

    Args:
        split: `val` or `test`.
        queries: what a query's text is: `caption` or `prompt`.
    """
    if queries not in CIRCO_QUERIES:
        raise ConfigError(f"queries {queries!r} is neither caption nor prompt")
    return Protocol(
        f"circo/{split}" + ("" if queries == "caption" else f"/{queries}"),
        1,
        CIRCO_METRICS,
        gallery="all unlabelled images of COCO 2017",
        queries=CIRCO_QUERIES[queries],
        server="circo",
    )


def hp_fashioniq() -> Protocol:
    """HP-FashionIQ (Kwak et al. 2025): which of two lists of five images a model scores higher."""
    return Protocol(
        "hp_fashioniq/preference",
        1,
        ("preference_accuracy", "preference_rate"),
        gallery="all images of the lists",
        queries="every judgement; which of them the paper left out is not published",
    )

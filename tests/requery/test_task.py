"""A task refuses what cannot be scored, and its digest moves with all that can move a score."""

from __future__ import annotations

from dataclasses import replace

import pytest

from requery.errors import DataError
from requery.ranking.composed_protocols import cirr
from requery.ranking.qrels import Qrels
from requery.shapes.scene import ShapesConfig
from requery.shapes.tasks import build
from requery.shapes.world import ShapesImages


@pytest.fixture(scope="module")
def task():
    return build(ShapesConfig(), "composed", "test", 5)


def test_an_empty_gallery_is_named(task):
    with pytest.raises(DataError, match=r"shapes/composed@1 .*gallery is empty"):
        replace(task, gallery_ids=[])


def test_no_query_is_named(task):
    with pytest.raises(DataError, match="no query"):
        replace(task, query_ids=[])


@pytest.mark.parametrize("side", ["query", "gallery"])
def test_ids_that_occur_twice_are_named(task, side):
    names = list(getattr(task, f"{side}_ids"))
    with pytest.raises(DataError, match=rf"shapes/composed@1 .*{side} ids occur more than once: {names[0]}$"):
        replace(task, **{f"{side}_ids": [*names[:-1], names[0]]})


def test_targets_outside_the_gallery_are_named(task):
    target = task.qrels.target.clone()
    target[3] = 10_000
    with pytest.raises(DataError, match="queries 3"):
        replace(task, qrels=replace(task.qrels, target=target))


def test_queries_without_content_and_two_galleries_are_refused(task):
    with pytest.raises(DataError, match="neither image nor text"):
        replace(task, query_image=None, query_text=None)
    with pytest.raises(DataError, match="either images or texts"):
        replace(task, gallery_text=list(task.gallery_ids))


def test_a_gallery_of_another_medium_has_its_own_set(task):
    other = ShapesImages(ShapesConfig(seed=1), "test", len(task.images))
    apart = replace(task, gallery_images=other)
    assert task.gallery_set is task.images and apart.gallery_set is other
    assert apart.select(apart.all_queries()[:2]).gallery_set is other
    assert apart.digest() != task.digest()
    assert apart.digest() != replace(task, gallery_images=task.images).digest()


def test_unpublished_targets_cannot_be_scored(task):
    task.require_truth()
    with pytest.raises(DataError, match="not published"):
        replace(task, has_truth=False).require_truth()


def test_the_digest_moves_with_everything(task):
    texts = ["other", *task.query_text[1:]]
    variants = [
        task,
        replace(task, query_text=texts),
        replace(task, protocol=cirr("val")),
        replace(task, split="val"),
        replace(task, query_image=task.query_image + 1),
        replace(task, images=ShapesImages(ShapesConfig(seed=1), "test", len(task.images))),
        replace(task, qrels=Qrels.from_targets(task.qrels.target)),
        replace(task, qrels=replace(task.qrels, excluded=None)),
        replace(task, qrels=replace(task.qrels, subset=None)),
    ]
    assert len({variant.digest() for variant in variants}) == len(variants)
    assert build(ShapesConfig(), "composed", "test", 5).digest() == task.digest()

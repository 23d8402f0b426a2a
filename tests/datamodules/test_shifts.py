"""Streams of shifted queries over one gallery."""

import pytest
import torch

from datamodules import QueryShifts, ShapesDataModule
from datamodules.shapes import Families
from requery.corruptions import EMBEDDED_TEXT_KINDS, IMAGE_KINDS
from requery.episodes import CLEAN, Segment
from requery.errors import ConfigError

SIZES = Families(train=2, val=2, test=8)


def shifts(task="image_to_text", **options):
    return QueryShifts(ShapesDataModule(task=task, families=SIZES), **options)


def test_all_kinds_that_fit_the_queries():
    assert [e.segments[0].kind for e in shifts(orders=1).episodes] == list(IMAGE_KINDS)
    assert [e.segments[0].kind for e in shifts("text_to_image", orders=1).episodes] == list(
        EMBEDDED_TEXT_KINDS
    )
    assert len(shifts("composed", orders=2).episodes) == 2 * len(IMAGE_KINDS + EMBEDDED_TEXT_KINDS)
    assert len(shifts("composed", kinds="text", orders=1).episodes) == len(EMBEDDED_TEXT_KINDS)
    with pytest.raises(ConfigError, match="have no text"):
        _ = shifts(kinds="text").episodes


def test_severity_is_each_kinds_highest_unless_given():
    data = shifts("composed", kinds=["fog", "ocr", CLEAN, "snow+frost"], orders=1)
    assert [e.segments[0].name for e in data.episodes] == ["fog@5", "ocr@7", CLEAN, "snow+frost@5"]
    assert [e.segments[0].severity for e in shifts(kinds=["fog"], severity=2, orders=1).episodes] == [2]
    named = shifts(kinds=["fog@3", "snow+frost@1", "snow"], severity=2, orders=1).episodes
    assert [e.segments[0].name for e in named] == ["fog@3", "snow+frost@1", "snow@2"]
    with pytest.raises(ConfigError, match="severity of fog"):
        _ = shifts(kinds=["fog"], severity=9).episodes
    with pytest.raises(ConfigError, match="fog@x"):
        _ = shifts(kinds=["fog@x"]).episodes


def test_queries_are_drawn_once_and_only_they_are_shifted():
    data = shifts(kinds=["fog"], queries=20)
    clean, foggy = data.task("test"), data.shifted(Segment("fog", 5))
    assert clean.n_queries == foggy.n_queries == 20 and clean.n_gallery == foggy.n_gallery == 48
    assert clean.query_ids == foggy.query_ids and foggy.shift.startswith("fog@5") and clean.shift is None
    assert torch.equal(clean.qrels.target, foggy.qrels.target) and clean.gallery_text == foggy.gallery_text
    assert not torch.equal(clean.query_image, foggy.query_image)
    before, after = (t.images.load(int(t.query_image[0])) for t in (clean, foggy))
    assert before.tobytes() != after.tobytes()
    assert data.shifted(Segment(CLEAN, 0)) is clean
    assert shifts(kinds=["fog"], queries=20).task("test").query_ids == clean.query_ids


def test_the_gallery_is_shifted_where_asked():
    data = shifts("composed", kinds=["fog"], gallery=True, orders=1)
    task = data.task("test")
    assert "gallery too" in task.shift and data.shifted(Segment("fog", 5)) is task
    with pytest.raises(ConfigError, match="one gallery"):
        shifts(kinds=["fog", "snow"], gallery=True)


def test_batches_are_episodes():
    data = shifts(kinds=["fog", "snow"], orders=3)
    assert [batch.tolist() for batch in data.test_dataloader()] == [[n] for n in range(6)]

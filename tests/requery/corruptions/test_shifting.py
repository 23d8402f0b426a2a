import numpy as np
import pytest
import torch

from requery.corruptions import IMAGE_KINDS, Mixture, TextTools, shift_task
from requery.errors import ConfigError
from requery.ranking.ranks import rank
from requery.results import score
from requery.shapes.scene import ShapesConfig
from requery.shapes.tasks import build

WORLD = ShapesConfig(variants=4, queries=2)


def task(kind="composed"):
    return build(WORLD, kind, "test", 5)


def test_queries_change_and_the_gallery_stays():
    clean = task()
    made = shift_task(clean, Mixture.of("snow", 4, 0), reference_side=224)
    assert made.protocol == clean.protocol and made.query_ids == clean.query_ids
    assert made.qrels is clean.qrels and made.query_text == clean.query_text
    assert torch.equal(made.gallery_image, clean.gallery_image)
    for old, new in zip(clean.query_image.tolist(), made.query_image.tolist(), strict=True):
        assert new >= len(clean.images) and made.images.ids[new] == f"{clean.images.ids[old]}~snow@4"
        assert made.images.load(old).tobytes() == clean.images.load(old).tobytes()
        assert made.images.load(new).tobytes() != clean.images.load(old).tobytes()
    assert len(made.images) == len(clean.images) + 5  # two queries share a reference, and its version
    assert (
        clean.digest()
        != made.digest()
        == shift_task(clean, Mixture.of("snow", 4, 0), reference_side=224).digest()
    )


def test_texts_change_alone():
    clean = task()
    made = shift_task(clean, Mixture.of("char_swap", 7, 0))
    assert torch.equal(made.query_image, clean.query_image) and len(made.images) == len(clean.images)
    assert sum(a != b for a, b in zip(made.query_text, clean.query_text, strict=True)) > 8
    assert made.shift == "char_swap@7"


def test_the_gallery_shifts_on_demand_with_the_same_versions():
    clean = task()
    made = shift_task(clean, Mixture.of("jpeg", None, 0), gallery=True)
    assert len(made.images) == 2 * len(clean.images)
    assert torch.equal(made.query_image, made.gallery_image[clean.query_image])
    texts = shift_task(task("image_to_text"), Mixture.of("snow", 1, 0))
    assert texts.gallery_text == task("image_to_text").gallery_text


def test_each_query_of_a_mixture_draws_its_own():
    clean = task()
    kinds = [*IMAGE_KINDS, "ocr"]
    made = shift_task(clean, Mixture.of(kinds, None, 0))
    moved = made.query_image != clean.query_image
    reworded = np.array([a != b for a, b in zip(made.query_text, clean.query_text, strict=True)])
    assert not (moved.numpy() & reworded).any()
    drawn = [Mixture.of(kinds, None, 0).draw(name) for name in clean.query_ids]
    for i, (kind, severity) in enumerate(drawn):
        assert bool(moved[i]) == (kind != "ocr")
        if moved[i]:
            assert made.images.ids[made.query_image[i]].endswith(f"~{kind}@{severity}")


def test_what_was_done_stands_beside_the_protocol():
    marks = [
        shift_task(task(), Mixture.of("snow", 4, 0)).shift,
        shift_task(task(), Mixture.of("snow", 4, 2), reference_side=224, gallery=True).shift,
    ]
    assert marks == ["snow@4", "snow@4 (lengths for 224 px, seed 2, gallery too)"]
    for one, expected in ((task(), None), (shift_task(task(), Mixture.of("ocr", 7, 0)), "ocr@7")):
        rows = torch.eye(one.n_gallery)
        ranking = rank(rows[one.qrels.target], rows, one.qrels)
        assert score(one, ranking, ["recall@1"]).get("shift") == expected


def test_a_kind_with_nothing_to_change_is_named():
    with pytest.raises(ConfigError, match=r"shapes/text_to_image@1, queries: no images for snow to change"):
        shift_task(task("text_to_image"), Mixture.of("snow", 1, 0))
    with pytest.raises(ConfigError, match=r"queries: no texts for ocr to change"):
        shift_task(task("image_to_text"), Mixture.of(["snow", "ocr"], 1, 0))
    with pytest.raises(ConfigError, match=r"gallery: no texts for ocr to change"):
        shift_task(task("text_to_image"), Mixture.of("ocr", 1, 0), TextTools(), gallery=True)

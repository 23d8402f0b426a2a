"""The generated world: pure functions, disjoint splits, exact truth."""

from __future__ import annotations

import numpy as np
import pytest

from requery.errors import ConfigError
from requery.shapes.edits import apply, draw_edit, satisfying
from requery.shapes.scene import SPLIT_SHARES, SPLITS, ShapesConfig, random_scene, split_of, stream
from requery.shapes.world import ShapesImages, family, scene_at

CONFIG = ShapesConfig()


def test_an_image_is_a_pure_function_of_its_index():
    small, large = ShapesImages(CONFIG, "test", 20), ShapesImages(CONFIG, "test", 1_000_000)
    for position in (0, 7, 19):
        assert np.array_equal(np.asarray(small.load(position)), np.asarray(large.load(position)))
        assert small.digest(position) == large.digest(position)
    assert large.load(999_999).size == (48, 48)
    assert large.ids[999_999] == "test-999999" and len(large.ids) == 1_000_000


def test_the_first_image_never_changes():
    pixels = np.asarray(ShapesImages(CONFIG, "test", 1).load(0)).astype(int)
    assert scene_at(CONFIG, "test", 0) == scene_at(ShapesConfig(), "test", 0)
    assert [tuple(vars(t).values()) for t in scene_at(CONFIG, "test", 0)] == FIRST_SCENE
    assert abs(pixels.mean() - FIRST_MEAN) < 0.5  # another Pillow may round a resize differently


FIRST_SCENE = [(5, 1, 3, 1), (7, 4, 2, 1)]
FIRST_MEAN = 201.4


def test_another_seed_or_size_is_another_digest():
    digests = {
        ShapesImages(config, "test", 1).digest(0)
        for config in (CONFIG, ShapesConfig(seed=1), ShapesConfig(px=64), ShapesConfig(jitter=0.02))
    }
    assert len(digests) == 4


def test_every_scene_lies_in_its_split_targets_included():
    for split in SPLITS:
        for number in range(40):
            members = family(CONFIG, split, number)
            assert all(split_of(the_scene) == split for the_scene in members.scenes)


def test_split_shares_are_as_stated():
    draw = stream("shares")
    found = [split_of(random_scene(draw, CONFIG)) for _ in range(6000)]
    for name, share in zip(SPLITS, SPLIT_SHARES, strict=True):
        assert abs(found.count(name) / 6000 - share) < 0.03


def test_family_members_are_the_edits_of_the_base():
    members = family(CONFIG, "train", 3)
    assert len(members.scenes) == CONFIG.variants and len(members.edits) == CONFIG.variants - 1
    for edit, made in zip(members.edits, members.scenes[1:], strict=True):
        assert apply(members.scenes[0], edit, edit.new) == made != members.scenes[0]


def test_an_edits_own_result_satisfies_it_and_nothing_satisfying_is_the_reference():
    draw = stream("satisfying")
    kinds = set()
    for _ in range(500):
        reference = random_scene(draw, CONFIG)
        edit = draw_edit(draw, reference, CONFIG)
        right = satisfying(reference, edit, CONFIG)
        kinds.add(edit.kind)
        assert apply(reference, edit, edit.new) in right
        assert reference not in right and len(set(right)) == len(right)
    assert kinds == {"colour", "shape", "size", "position", "add", "remove"}


def test_what_a_text_leaves_out_widens_what_satisfies_it():
    draw = stream("omission")
    exact, loose = ShapesConfig(omission=0.0), ShapesConfig(omission=1.0)
    for _ in range(200):
        reference = random_scene(draw, CONFIG)
        assert len(satisfying(reference, draw_edit(draw, reference, exact), exact)) == 1
    widths = []
    for _ in range(200):
        reference = random_scene(draw, CONFIG)
        widths.append(len(satisfying(reference, draw_edit(draw, reference, loose), loose)))
    assert max(widths) == 14  # an addition of free size (2) and place (7)


@pytest.mark.parametrize(
    "wrong", [{"px": 4}, {"objects": 0}, {"queries": 6}, {"colours": 99}, {"twins": -1.0}]
)
def test_settings_out_of_range_are_named(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        ShapesConfig(**wrong)


def test_an_unknown_split_is_named():
    with pytest.raises(ConfigError, match="nope"):
        ShapesImages(CONFIG, "nope", 3)

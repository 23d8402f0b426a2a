"""Truth of every task against the predicate checked on all pairs."""

from __future__ import annotations

import pytest
import torch

from requery.errors import ConfigError
from requery.shapes.edits import satisfying
from requery.shapes.knowledge import QUESTIONS, SPLIT_TEMPLATES, passages, question, value_of
from requery.shapes.scene import COLOURS, SHAPES, ShapesConfig, split_of
from requery.shapes.tasks import build, captions
from requery.shapes.truth import attributes
from requery.shapes.world import family, scene_at

CONFIG = ShapesConfig()
FAMILIES = 40


@pytest.fixture(scope="module")
def composed():
    return build(CONFIG, "composed", "test", FAMILIES)


@pytest.fixture(scope="module")
def scenes():
    return [scene_at(CONFIG, "test", i) for i in range(FAMILIES * CONFIG.variants)]


def test_composed_truth_is_what_a_check_of_every_image_finds(composed, scenes):
    row = 0
    for number in range(FAMILIES):
        members = family(CONFIG, "test", number)
        for edit in members.edits[: CONFIG.queries]:
            right = set(satisfying(members.scenes[0], edit, CONFIG))
            assert composed.qrels.relevant[row].tolist() == [i for i, s in enumerate(scenes) if s in right]
            row += 1
    assert row == composed.n_queries


def test_the_target_alone_has_grade_two_and_the_reference_is_excluded(composed):
    for row in range(composed.n_queries):
        target = int(composed.qrels.target[row])
        begin, end = composed.qrels.relevant.offsets[row : row + 2].tolist()
        graded = dict(
            zip(composed.qrels.relevant[row].tolist(), composed.qrels.grades[begin:end].tolist(), strict=True)
        )
        assert graded.pop(target) == 2 and set(graded.values()) <= {1}
        assert composed.qrels.excluded[row].tolist() == [int(composed.query_image[row])]


def test_the_world_holds_false_negatives(composed):
    assert (composed.qrels.relevant.lengths > 1).float().mean() > 0.2


def test_a_subset_is_the_target_and_its_five_nearest_misses(composed, scenes):
    table = torch.from_numpy(attributes(scenes).astype("int64"))
    for row in range(0, composed.n_queries, 7):
        target, subset = int(composed.qrels.target[row]), composed.qrels.subset[row].tolist()
        right = set(composed.qrels.relevant[row].tolist()) | {int(composed.query_image[row])}
        far = (table != table[target]).sum(1).tolist()
        misses = sorted((d, i) for i, d in enumerate(far) if i not in right)[:5]
        assert sorted([target, *(i for _, i in misses)]) == subset


def test_splits_share_no_scene():
    seen = {}
    for split in ("train", "val", "test"):
        task = build(CONFIG, "composed", split, 30)
        for i in range(len(task.images)):
            assert split_of(scene_at(CONFIG, split, i)) == split
            assert seen.setdefault(scene_at(CONFIG, split, i), split) == split


@pytest.mark.parametrize("direction", ["text_to_image", "image_to_text"])
def test_cross_modal_truth_is_what_a_check_of_every_pair_finds(direction, scenes):
    task = build(CONFIG, direction, "test", FAMILIES)
    written = captions(CONFIG, "test", len(scenes))
    true = [[c.fits(s) for s in scenes] for c in written]  # captions x images
    for row in range(0, len(scenes), 11):
        column = [row_true[row] for row_true in true] if direction == "image_to_text" else true[row]
        assert task.qrels.relevant[row].tolist() == [i for i, right in enumerate(column) if right]
    assert torch.equal(task.qrels.target, torch.arange(len(scenes)))


def test_texts_change_with_the_wording_and_not_otherwise():
    first, again, other = (captions(CONFIG, "train", 50, epoch) for epoch in (0, 0, 1))
    assert [c.text for c in first] == [c.text for c in again] != [c.text for c in other]


def test_knowledge_questions_name_nothing_and_are_answered_by_their_passages():
    task = build(CONFIG, "knowledge", "test", FAMILIES)
    corpus = passages(CONFIG)
    for row in range(task.n_queries):
        the_scene = scene_at(CONFIG, "test", row)
        asked = question(CONFIG, "test", row, the_scene)
        words = set(asked.text.replace("?", "").split())
        assert not words & {*SHAPES, *COLOURS} and asked.text == task.query_text[row]
        assert asked.thing in the_scene
        right = [
            i
            for i, p in enumerate(corpus)
            if (p.shape, p.colour) == asked.thing.kind and p.fact == asked.fact
        ]
        assert task.qrels.relevant[row].tolist() == right
        assert all(asked.answer in corpus[i].text for i in right)


def test_some_passages_hold_the_answer_without_being_about_the_thing():
    asked = question(CONFIG, "test", 0, scene_at(CONFIG, "test", 0))
    others = [
        p for p in passages(CONFIG) if asked.answer in p.text and (p.shape, p.colour) != asked.thing.kind
    ]
    assert others and value_of(CONFIG, *asked.thing.kind, asked.fact) == asked.answer


def test_question_templates_are_disjoint_between_splits():
    assert len(set(SPLIT_TEMPLATES.values())) == 3
    for wordings in QUESTIONS.values():
        assert len(set(wordings)) == 3


@pytest.mark.parametrize(("task", "families"), [("nope", 3), ("composed", 0)])
def test_wrong_requests_are_named(task, families):
    with pytest.raises(ConfigError):
        build(CONFIG, task, "test", families)

"""Targets for LoRA: true by the label, by retrieval, and by preference."""

import pytest

from requery.errors import ConfigError
from requery.expansion.targets import (
    Preference,
    answer_target,
    around,
    held_out,
    phrases,
    preferences,
    sampled_target,
    weak_positives,
)
from tests.requery.expansion.conftest import corpus_of


def test_answers_then_sentences_then_phrases():
    passages = ["Nothing here. In winter the red deer eats tree bark.", "Moss grows."]
    assert answer_target({"bark": 0.6, "grass": 1.0, "Bark": 0.3}, passages) == [
        "grass",
        "bark",
        "In winter the red deer eats tree bark.",
        "winter",
        "red deer eats tree",
    ]
    assert answer_target({"bark": 0.6, "grass": 1.0}, passages, n=2) == ["grass", "bark"]


def test_a_long_sentence_is_cut_about_the_answer():
    words = [f"w{i}" for i in range(50)]
    assert around(" ".join(words), ["w30"], 6).split() == words[27:33]
    assert around(" ".join(words), ["w0"], 6).split() == words[:6]
    assert around(" ".join(words), ["w49"], 6).split() == words[-6:]
    assert around("A deer. A car.", ["boat"], 6) == ""


def test_phrases_are_runs_of_content_words():
    assert phrases("The red-tailed hawk, a bird of the open forest") == [
        "red-tailed hawk",
        "bird",
        "open forest",
    ]


def test_weak_positives_are_found_with_the_answers_and_hold_one():
    corpus = corpus_of("deer eat bark", "deer run", "bark beetle", "cars drive")
    found = weak_positives(corpus, "what do deer eat", ["bark"], lambda text: "bark" in text)
    assert found == [0, 2]
    assert weak_positives(corpus, "what do deer eat", ["bark"], lambda text: "bark" in text, most=1) == [0]


def test_only_what_helps_is_trained_on_best_first():
    assert sampled_target(["a", "b", "c", "B", "d"], [0.1, 0.4, 0.0, 0.5, -0.2]) == ["B", "a"]
    assert sampled_target(["a", "b"], [0.1, 0.4], n=1) == ["b"]


def test_preferences_pair_the_widest_apart_and_use_no_answer_twice():
    made = preferences(list("abcde"), [0.0, 0.9, 0.4, 0.45, -0.3])
    assert made == [Preference("b", "e", pytest.approx(1.2)), Preference("d", "a", pytest.approx(0.45))]
    assert preferences(list("ab"), [0.2, 0.2], margin=0.0) == []
    assert len(preferences(list("abcde"), [0.0, 0.9, 0.4, 0.45, -0.3], most=1)) == 1


def test_whole_images_are_held_out():
    images = [f"image {i % 7}" for i in range(30)]
    held = held_out(images, 6, seed=3)
    assert 6 <= sum(held) < 6 + 5
    assert not {i for i, out in zip(images, held, strict=True) if out} & {
        i for i, out in zip(images, held, strict=True) if not out
    }
    assert held == held_out(images, 6, seed=3) and sum(held_out(images, 0)) == 0
    with pytest.raises(ConfigError, match="30 of 30"):
        held_out(images, 30)

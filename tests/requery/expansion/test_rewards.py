"""What an expansion gains by the answers."""

import pytest

from requery.expansion import ExpansionSettings
from requery.expansion.rewards import gains, retrieving
from tests.requery.expansion.conftest import corpus_of

HITS = {"": [1, 0, 0, 0, 0, 1], "better": [1, 1, 1, 0, 0], "same": [0, 0, 0, 1, 0], "worse": [0] * 5 + [1]}


def hits(candidates):
    return [[bool(hit) for hit in HITS[candidate]] for candidate in candidates]


def test_gain_is_what_precision_and_recall_gain():
    assert gains(hits, ["better", "same", "worse"]) == pytest.approx([0.4, 0.0, -1.2])


def test_a_clue_moves_the_answers_passage_up_or_down():
    corpus = corpus_of("deer run", "deer sleep", "deer eat bark")
    candidates = ["bark", "1. bark\n2. eat", "!!!"]

    def gained(answer):
        hits = retrieving(corpus, ExpansionSettings(), "deer", "", "", lambda text: answer in text, k=1)
        return gains(hits, candidates, k=1)

    assert gained("bark") == [2, 2, 0]
    assert gained("run") == [-2, -2, 0]
    assert gained("sleep") == [0, 0, 0]

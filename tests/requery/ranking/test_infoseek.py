import json
from pathlib import Path

import pytest

from requery.errors import DataError
from requery.ranking.infoseek import (
    Reference,
    accuracy,
    harmonic_mean,
    in_range,
    is_right,
    normalised,
    number,
)

FIXTURE = json.loads((Path(__file__).parents[2] / "fixtures/query_expansion/infoseek_eval.json").read_text())


def as_number(value):
    return tuple(value) if isinstance(value, list) else value


def test_answers_are_normalised_as_officially():
    assert [normalised(text) for text, _ in FIXTURE["normalize_answer"]] == [
        expected for _, expected in FIXTURE["normalize_answer"]
    ]


@pytest.mark.parametrize(("text", "expected"), FIXTURE["process_numerical_answer"])
def test_numbers_are_read_as_officially(text, expected):
    assert number(text) == as_number(expected)


@pytest.mark.parametrize(("predicted", "right", "expected"), FIXTURE["metric_numerical_range"])
def test_ranges_are_compared_as_officially(predicted, right, expected):
    assert in_range(as_number(predicted), *right) == bool(expected)


@pytest.mark.parametrize(("scores", "expected"), FIXTURE["harmonic_mean"])
def test_the_harmonic_mean(scores, expected):
    assert harmonic_mean(scores) == pytest.approx(expected, rel=1e-12)


def test_a_whole_evaluation():
    full = FIXTURE["full"]
    predictions = {item["data_id"]: item["prediction"] for item in full["predictions"]}
    found = {}
    for part in ("unseen_question", "unseen_entity"):
        references = {
            name: Reference(tuple(item["answer_eval"]), item["question_type"])
            for name, item in full["references"].items()
            if item["data_split"] == f"val_{part}"
        }
        found[part] = accuracy(predictions, references)
        expected = full["result"][f"{part}_score"]
        names = {"score": "score", "Time": "score_time", "Numerical": "score_num", "String": "score_string"}
        assert found[part] == {ours: expected[theirs] for ours, theirs in names.items()}
    final = harmonic_mean([scores["score"] for scores in found.values()])
    assert round(final, 2) == full["result"]["final_score"]


def test_what_cannot_be_scored():
    assert accuracy({}, {"q": Reference(("a",), "String")})["score"] == 0
    with pytest.raises(DataError, match="no question"):
        accuracy({}, {})
    with pytest.raises(DataError, match="two ends, not 1"):
        is_right("1", Reference(("1",), "Numerical"))

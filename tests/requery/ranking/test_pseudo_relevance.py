import json
import random
from pathlib import Path

import pytest
import torch

from requery.errors import DataError
from requery.ranking.metrics import evaluate
from requery.ranking.pseudo_relevance import holds, judge, pseudo_relevance

FIXTURE = Path(__file__).parents[2] / "fixtures/query_expansion/okvqa_pseudo_relevance.json"
CASES = json.loads(FIXTURE.read_text())["cases"]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_official_script_prints_the_same(case):
    answers = [list(item["answers"]) for item in case["data"]]
    passages = [[context["text"] for context in item["ctxs"]] for item in case["data"]]
    found = pseudo_relevance(answers, passages, [int(k) for k in case["precision"]])
    for k in case["precision"]:
        assert f"{found[f'P@{k}']:.2f}" == f"{case['precision'][k]:.2f}"
        assert f"{found[f'R@{k}']:.2f}" == f"{case['recall'][k]:.2f}"


def test_what_holds_an_answer():
    assert holds(["man"])("a Woman") and not holds(["man"], "word")("a Woman")
    assert holds(["u.s.", "man"], "word")("the man") and not holds(["a.c"], "word")("abc")
    assert not holds(["Rome"])("Rome") and holds(["Rome"], lowercase_passage=False)("Rome")
    assert not holds([])("anything") and not holds([], "word")("anything")


@pytest.mark.parametrize("match", ["substring", "word"])
def test_judged_rankings_give_the_same(match):
    draw = random.Random(0)
    words = ["man", "woman", "car", "cart", "dog"]
    corpus = [" ".join(draw.choices(words, k=2)).title() for _ in range(30)]
    answers = [draw.sample(words, 2) for _ in range(7)]
    top = torch.tensor([draw.sample(range(30), 12) for _ in range(7)])
    top[3, 4:] = -1
    passages = [[corpus[i] for i in row if i >= 0] for row in top.tolist()]
    expected = pseudo_relevance(answers, passages, [1, 5, 10], match=match)
    ranking, qrels = judge(top, answers, corpus, match=match)
    qrels.validate(7, 30)
    names = [f"{kind}@{k}" for k in (1, 5, 10) for kind in ("precision", "hit_any")]
    found = evaluate(ranking, qrels, names, resamples=10)
    assert [100 * found[name].value for name in names] == pytest.approx(list(expected.values()))
    assert 0 < found["precision@5"].value < 1


def test_numbers_that_do_not_fit():
    with pytest.raises(DataError, match="0 lists of passages for 0 questions"):
        pseudo_relevance([], [])
    with pytest.raises(DataError, match="1 lists of passages for 2 questions"):
        pseudo_relevance([["a"], ["b"]], [["a"]])
    with pytest.raises(DataError, match="answers of 1 questions for 2 rankings"):
        judge(torch.zeros(2, 1, dtype=torch.int64), [["a"]], ["a"])

"""Answers that cannot be used: their step adds nothing, and they are counted."""

from dataclasses import replace

import pytest
import torch

from requery.expansion import Expander, ExpansionSettings, ExpansionStage, outcomes
from requery.generation import RuleGenerator
from requery.pipeline import QueryBatch, Rewrite
from tests.requery.expansion.conftest import reader

SETTINGS = ExpansionSettings()
PLAIN = replace(SETTINGS, rewrite=False, expand=False)


def by(answer, name="rule"):
    return RuleGenerator(lambda prompt: answer(prompt.turns[-1]), name)


ANSWERS = {
    "refused": "I'm sorry, but I can't help with that.",
    "overlong": " ".join(f"word{i}" for i in range(60)),
    "malformed": "###",
}


@pytest.mark.parametrize("outcome", ANSWERS)
def test_answers_that_cannot_be_used_leave_the_original_query_and_are_counted(outcome, knowledge):
    corpus, queries, _ = knowledge
    expander = Expander(by(lambda _: ANSWERS[outcome]), corpus)
    traces = expander.expand(queries)
    n = len(queries)
    assert outcomes(traces) == {"query": {"original": n}, "rewrite": {outcome: n}, "expand": {outcome: n}}
    plain = Expander(by(lambda _: "unasked"), corpus, PLAIN)
    assert expander.search(traces, 10) == plain.search(plain.expand(queries), 10)
    assert all(trace.text == trace.original for trace in traces)


def test_queries_the_model_fails_on_are_empty_and_the_others_are_not_touched(knowledge, model):
    corpus, queries, _ = knowledge
    bad = queries[3].question

    def failing(prompt):
        if bad in prompt.turns[-1]:
            raise ValueError("odd")
        return reader(prompt)

    with pytest.warns(UserWarning, match="texts failed"):
        traces = Expander(RuleGenerator(failing, "failing"), corpus).expand(queries)
    same = [trace.question == bad for trace in traces]
    assert outcomes(traces)["rewrite"] == {"empty": sum(same), "ok": len(same) - sum(same)}
    whole = Expander(model, corpus).expand(queries)
    for trace, good, failed in zip(traces, whole, same, strict=True):
        assert trace.changed != failed
        assert failed or trace.weights == good.weights


def test_a_refined_query_that_loses_what_the_rewriting_found_is_dropped(knowledge):
    corpus, queries, _ = knowledge
    dropping = RuleGenerator(
        lambda prompt: "another query" if "improved search" in prompt.turns[-1] else reader(prompt),
        "dropping",
    )
    traces = Expander(dropping, corpus).expand(queries)
    assert outcomes(traces)["refine"] == {"dropped": len(queries)}
    assert all(trace.refined == () and trace.kept for trace in traces)
    kept = Expander(dropping, corpus, replace(SETTINGS, keeps=0.0)).expand(queries)
    assert outcomes(kept)["refine"] == {"ok": len(queries)}


def test_a_round_that_fails_does_not_lose_the_one_before(knowledge):
    corpus, queries, _ = knowledge
    refused = "I cannot do this twice."
    asked = []

    def once(prompt):
        if "Write exactly" in prompt.turns[-1]:
            asked.append(prompt)
            return reader(prompt) if len(asked) <= len(queries) else refused
        return reader(prompt)

    settings = replace(SETTINGS, rounds=2, context=2)
    traces = Expander(RuleGenerator(once, "once"), corpus, settings).expand(queries)
    second = [trace for trace in traces if trace.steps[-1].answers == (refused,)]
    assert second and all(trace.kept == trace.rounds[0].kept != () for trace in second)


def test_as_a_stage_it_rewrites_the_texts_of_its_queries(knowledge, model):
    corpus, queries, _ = knowledge
    stage: Rewrite = ExpansionStage(Expander(model, corpus), queries)
    batch = QueryBatch(torch.tensor([4, 2]), None, ["four", "two"])
    out = stage(batch)
    assert list(out.text) == [stage.traces[4].text, stage.traces[2].text] and out.index is batch.index
    refusing = ExpansionStage(Expander(by(lambda _: ANSWERS["refused"]), corpus), queries)
    plain = [f"{queries[row].question} {queries[row].caption}" for row in (4, 2)]
    assert list(refusing(batch).text) == plain

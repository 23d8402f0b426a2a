"""All steps together on Shapes' knowledge: what it finds, what fails, what each switch changes."""

import json
from dataclasses import replace

import pytest
import torch

from requery.errors import ConfigError
from requery.expansion import (
    Drawing,
    Expander,
    ExpansionSettings,
    Gate,
    Synonyms,
    VisualQuestion,
    Weighting,
    outcomes,
    write_traces,
)
from requery.generation import RuleGenerator, Store
from tests.requery.expansion.conftest import reader

SETTINGS = ExpansionSettings()
PLAIN = replace(SETTINGS, rewrite=False, expand=False)
SPOKEN = ("rewrite", "expand", "refine")


def hit_rate(expander, queries, answers, k=5):
    found = expander.search(expander.expand(queries), k)
    texts = expander.corpus.texts
    return sum(any(a in texts[i] for i in f.items) for f, a in zip(found, answers, strict=True)) / len(
        answers
    )


def test_expansion_finds_more_answers_than_the_original_query(knowledge, model):
    corpus, queries, answers = knowledge
    plain = hit_rate(Expander(model, corpus, PLAIN), queries, answers)
    assert hit_rate(Expander(model, corpus), queries, answers) > plain + 0.1
    assert hit_rate(Expander(model, corpus, replace(SETTINGS, fusion="rrf")), queries, answers) > plain


def test_a_trace_holds_every_text_and_the_shares_of_weight(knowledge, model, tmp_path):
    corpus, queries, _ = knowledge
    traces = Expander(model, corpus).expand(queries)
    for trace in traces:
        assert [step.name for step in trace.steps] == list(SPOKEN)
        assert trace.standing == trace.rewritten != trace.question
        assert len(trace.kept) == SETTINGS.window and len(trace.refined) == 1
        assert len(trace.rounds[0].utilities) == len(trace.steps[1].parsed.texts)
        shown = [corpus.texts[item] for item in trace.rounds[0].context]
        assert len(shown) == 3 and all(text in trace.steps[1].prompt for text in shown)
        own = set(corpus.index.tokens(trace.original))
        brought = sum(w for term, w in trace.weights.items() if term not in own)
        assert 0 < sum(trace.weights.values()) and brought <= 0.5 * sum(trace.weights.values()) + 1e-9
        assert trace.text.startswith(trace.rewritten)
    write_traces(tmp_path / "expansions.jsonl", traces)
    rows = [json.loads(line) for line in (tmp_path / "expansions.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == [query.id for query in queries]
    assert rows[0]["steps"][1]["answers"] == list(traces[0].steps[1].answers)
    assert rows[0]["weights"] == traces[0].weights


def prompts_of(traces):
    return {name: [s.prompt for t in traces for s in t.steps if s.name == name] for name in SPOKEN}


def test_each_switch_changes_its_step_alone(knowledge, model):
    corpus, queries, _ = knowledge
    shown = []

    def seeing(prompt):
        shown.append(prompt.image is not None)
        return reader(prompt)

    def go(**switches):
        shown.clear()
        settings = replace(SETTINGS, **switches)
        return Expander(RuleGenerator(seeing, "seeing"), corpus, settings).expand(queries)

    full = go()
    assert all(shown) and len(shown) > 0
    for prompts in prompts_of(full).values():
        assert all(prompt.startswith("Look at the image.") for prompt in prompts)

    blind = go(image=False)
    assert not any(shown)
    assert [t.original for t in blind] == [t.original for t in full]
    assert not any("Look at the image" in p for prompts in prompts_of(blind).values() for p in prompts)

    mute = go(question=False)
    assert all(t.original == t.caption == q.caption for t, q in zip(mute, queries, strict=True))
    assert not prompts_of(mute)["rewrite"] and not any("Question:" in p for p in prompts_of(mute)["expand"])

    bare = go(caption=False)
    assert all(t.original == t.question for t in bare)
    assert not any("Caption:" in p for prompts in prompts_of(bare).values() for p in prompts)

    unexpanded = go(expand=False)
    assert prompts_of(unexpanded)["rewrite"] == prompts_of(full)["rewrite"]
    assert not any(t.rounds for t in unexpanded) and [t.rewritten for t in unexpanded] == [
        t.rewritten for t in full
    ]

    unrefined = go(refine=False)
    assert prompts_of(unrefined)["expand"] == prompts_of(full)["expand"]
    assert [t.kept for t in unrefined] == [t.kept for t in full] and not any(t.refined for t in unrefined)

    literal = go(rewrite=False)
    assert all(t.standing == t.question for t in literal) and not prompts_of(literal)["rewrite"]

    original = go(rewrite=False, expand=False)
    assert shown == [] and outcomes(original) == {"query": {"original": len(queries)}}


def test_a_caption_is_asked_for_where_there_is_none(knowledge, model):
    corpus, queries, _ = knowledge
    bare = [replace(query, caption=None) for query in queries[:3]]
    traces = Expander(model, corpus).expand([*bare, queries[3]])
    assert [trace.caption for trace in traces] == ["a small red circle"] * 3 + [queries[3].caption]
    assert outcomes(traces)["caption"] == {"ok": 3}
    blind = Expander(model, corpus).expand([replace(queries[0], caption=None, image=None)])
    assert blind[0].caption == "" and "caption" not in outcomes(blind)


def test_samples_in_place_of_a_list(knowledge, model):
    corpus, queries, _ = knowledge
    traces = Expander(model, corpus, replace(SETTINGS, mode="samples")).expand(queries)
    assert all(len(trace.steps[1].answers) == 12 for trace in traces)
    assert {len(trace.steps[1].parsed.texts) for trace in traces} <= {1, 2, 3}


def test_first_choice_keeps_the_models_order(knowledge, model):
    corpus, queries, _ = knowledge
    settings = replace(SETTINGS, choice="first", window=2)
    for trace in Expander(model, corpus, settings).expand(queries):
        assert trace.kept == trace.steps[1].parsed.texts[:2]


def test_the_same_seed_and_store_give_the_same_traces(knowledge, model, tmp_path):
    corpus, queries, _ = knowledge
    settings = replace(SETTINGS, mode="samples")
    first = Expander(model, corpus, settings, store=Store(tmp_path)).expand(queries)
    calls = []
    silent = RuleGenerator(lambda prompt: calls.append(prompt) or "", model.name)
    again = Expander(silent, corpus, settings, store=Store(tmp_path)).expand(queries)
    assert not calls and [t.row() for t in again] == [t.row() for t in first]
    assert [t.row() for t in Expander(model, corpus, settings).expand(queries[5:9])] == [
        t.row() for t in first[5:9]
    ]
    other = replace(settings, drawing=Drawing(seed=1))
    assert [t.steps for t in Expander(model, corpus, other).expand(queries)] != [t.steps for t in first]


def test_the_gate_spares_sure_queries_and_leaves_them_as_they_were(knowledge, model):
    corpus, queries, _ = knowledge
    open_ = Expander(model, corpus).expand(queries)
    sharp = [
        t.sharpness for t in Expander(model, corpus, replace(SETTINGS, gate=Gate(below=0))).expand(queries)
    ]
    middle = sorted(sharp)[len(sharp) // 2]
    traces = Expander(model, corpus, replace(SETTINGS, gate=Gate(below=middle))).expand(queries)
    plain = Expander(model, corpus, PLAIN).expand(queries)
    spent = [value < middle for value in sharp]
    assert 0 < sum(spent) < len(queries)
    assert [trace.spent for trace in traces] == spent
    for trace, asked, always, never in zip(traces, spent, open_, plain, strict=True):
        assert trace.weights == (always if asked else never).weights
        assert asked or trace.steps == []
    assert outcomes(traces)["query"] == {"expanded": sum(spent), "spared": len(spent) - sum(spent)}


def test_rounds_end_where_the_passages_stay(knowledge, model):
    corpus, queries, _ = knowledge
    traces = Expander(model, corpus, replace(SETTINGS, rounds=5)).expand(queries)
    counts = [len(trace.rounds) for trace in traces]
    assert min(counts) >= 2 and max(counts) < 5
    for trace in traces:
        assert trace.rounds[-1].found == trace.rounds[-2].found


def test_synonyms_and_attention_need_their_parts_and_move_weight(knowledge, model):
    corpus = knowledge[0]
    for name in ("synonyms", "attention"):
        settings = replace(PLAIN, weighting=Weighting(**{name: 1.0}))
        with pytest.raises(ConfigError, match=name):
            Expander(model, corpus, settings)
    near = Synonyms(["town", "home"], lambda words: torch.ones(len(words), 2), corpus.index.tokens)
    settings = replace(PLAIN, weighting=Weighting(synonyms=0.5))
    trace = Expander(model, corpus, settings, synonyms=near).expand([VisualQuestion("q", "red square")])[0]
    assert trace.weights == {"red": 1.0, "square": 1.0, "town": 0.5, "home": 0.5}
    settings = replace(PLAIN, weighting=Weighting(attention=2.0))
    seeing = Expander(model, corpus, settings, attention=lambda traces: [{"red": 0.5} for _ in traces])
    assert seeing.expand([VisualQuestion("q", "red square")])[0].weights == {"red": 2.0, "square": 1.0}


def test_progress_names_its_step(knowledge, model):
    corpus, queries, _ = knowledge
    seen = []
    Expander(model, corpus, progress=lambda *done: seen.append(done)).expand(queries[:2])
    assert seen == [("rewrite", 2, 2), ("expand", 2, 2), ("refine", 2, 2)]


def test_a_generator_without_prompts_and_settings_out_of_range_are_refused(knowledge, model):
    model.takes_prompts = False
    with pytest.raises(ConfigError, match="takes no prompts"):
        Expander(model, knowledge[0])
    for wrong in ({"window": 13}, {"mode": "beam"}, {"prompts": "ours@0"}, {"rounds": 0}, {"keeps": 2.0}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            ExpansionSettings(**wrong)


def test_no_queries_are_no_traces(knowledge, model):
    expander = Expander(model, knowledge[0])
    assert expander.expand([]) == [] and expander.search([], 3) == []

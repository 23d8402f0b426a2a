"""The steps of the pipeline, each over a batch of queries; a step writes what it did into their traces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from requery.expansion.ask import Ask
from requery.expansion.parse import Parsed, parse_clues, parse_line
from requery.expansion.prompts import listed
from requery.expansion.retriever import Corpus
from requery.expansion.select import utilities, window
from requery.expansion.trace import Round, Step, Trace, join
from requery.expansion.weights import Tokens

DEPTH = 10
"""Passages by which retrievals are compared."""


def caption(ask: Ask, traces: Sequence[Trace]) -> None:
    """Caption the images of those queries that came without; the image is shown for it in every ablation."""
    bare = [trace for trace in traces if not trace.caption and trace.image is not None]
    prompts = [ask.prompts.caption] * len(bare)
    answers = ask("caption", bare, prompts, ask.settings.drawing.caption_tokens, image=True)
    for trace, said in zip(bare, answers, strict=True):
        parsed = _note(trace, "caption", ask.prompts.caption, said, parse_line(said, ask.settings.line_words))
        trace.caption = "".join(parsed.texts[:1])


def rewrite(ask: Ask, traces: Sequence[Trace]) -> None:
    """Put the question in words that stand without the image."""
    asked = [trace for trace in traces if trace.question]
    prompts = [ask.words(ask.prompts.rewrite, trace) for trace in asked]
    answers = ask("rewrite", asked, prompts, ask.settings.drawing.rewrite_tokens)
    for trace, prompt, said in zip(asked, prompts, answers, strict=True):
        parsed = _note(trace, "rewrite", prompt, said, parse_line(said, ask.settings.line_words))
        trace.rewritten = "".join(parsed.texts[:1])


def expand(ask: Ask, corpus: Corpus, traces: Sequence[Trace]) -> list[tuple[str, ...]]:
    """Open a round: find context, and ask for clues.

    Returns:
        The clues of each query; none where nothing usable came.
    """
    settings, listing = ask.settings, ask.settings.mode == "list"
    queries = [join(*(trace.refined or (trace.standing,)), trace.caption) for trace in traces]
    prompts = []
    for trace, found in zip(traces, corpus.find(queries, settings.context), strict=True):
        passages = listed(corpus.quoted(found.items, settings.context_words), numbered=True)
        template = ask.prompts.expand if listing else ask.prompts.expand_one
        fields = {"rewritten": join(*trace.refined) or trace.rewritten, "n": str(settings.expansions)}
        prompts.append(ask.words(template, trace, passages=passages, **fields))
        trace.rounds.append(Round(context=found.items))
    samples = 1 if listing else settings.expansions
    answers = ask("expand", traces, prompts, settings.drawing.expand_tokens, samples)
    clues = []
    for trace, prompt, said in zip(traces, prompts, answers, strict=True):
        if listing:
            parsed = parse_clues(said, settings.expansions, settings.clue_words)
        else:
            parsed = parse_line(said, settings.clue_words)
        clues.append(_note(trace, "expand", prompt, said, parsed).texts)
    return clues


def choose(ask: Ask, corpus: Corpus, traces: Sequence[Trace], clues: Sequence[tuple[str, ...]]) -> None:
    """Keep the best clues of each query; the rewritten question fills a window that they do not."""
    settings = ask.settings
    found = iter(corpus.find([clue for row in clues for clue in row], DEPTH))
    for trace, row in zip(traces, clues, strict=True):
        current = trace.rounds[-1]
        current.utilities = tuple(utilities([next(found) for _ in row], settings.consensus, depth=DEPTH))
        by_utility = settings.choice == "utility"
        places = window(current.utilities, settings.window) if by_utility else range(len(row))
        kept = tuple(row[place] for place in places)[: settings.window]
        filler = (trace.standing,) if kept and trace.standing else ()
        current.kept = kept + filler * (settings.window - len(kept))


def refine(ask: Ask, corpus: Corpus, tokens: Tokens, traces: Sequence[Trace]) -> None:
    """Ask for a query made of the clues kept; one that loses what the rewriting brought in is dropped."""
    settings = ask.settings
    asked = [trace for trace in traces if trace.rounds[-1].kept]
    queries = [join(trace.standing, *trace.kept) for trace in asked]
    prompts = []
    for trace, found in zip(asked, corpus.find(queries, settings.context), strict=True):
        clues, passages = list(dict.fromkeys(trace.kept)), corpus.quoted(found.items, settings.context_words)
        fields = {"clues": listed(clues), "passages": listed(passages, numbered=True), "n": str(len(clues))}
        prompts.append(ask.words(ask.prompts.refine, trace, rewritten=trace.rewritten, **fields))
        trace.rounds[-1].refined_context = found.items
    drawing = settings.drawing
    answers = ask(
        "refine", asked, prompts, drawing.refine_tokens, settings.refined, drawing.refine_temperature
    )
    for trace, prompt, said in zip(asked, prompts, answers, strict=True):
        parsed = _keeping(parse_line(said, settings.line_words), tokens, trace, settings.keeps)
        trace.rounds[-1].refined = _note(trace, "refine", prompt, said, parsed).texts


def _keeping(parsed: Parsed, tokens: Tokens, trace: Trace, share: float) -> Parsed:
    """Leave out refined queries that lack too many of the terms which the rewriting brought in."""
    named = set(tokens(trace.rewritten)) - set(tokens(trace.question))
    kept = tuple(text for text in parsed.texts if len(named.intersection(tokens(text))) >= share * len(named))
    lost = len(parsed.texts) - len(kept)
    if not lost:
        return parsed
    outcome = parsed.outcome if kept else "dropped"
    return replace(parsed, texts=kept, outcome=outcome, dropped={**parsed.dropped, "dropped": lost})


def _note(trace: Trace, name: str, prompt: str, said: tuple[str, ...], parsed: Parsed) -> Parsed:
    trace.steps.append(Step(name, prompt, said, parsed))
    return parsed

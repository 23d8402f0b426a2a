"""Settings of query expansion, and the switches of its ablations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from requery.expansion.gate import Gate
from requery.expansion.prompts import PROMPTS
from requery.expansion.weights import Weighting
from requery.ranges import at_least, between, one_of

Mode = Literal["list", "samples"]
Choice = Literal["utility", "first"]
Fusion = Literal["weighted", "rrf"]


@dataclass(frozen=True)
class Drawing:
    """How the model's answers are drawn.

    Args:
        temperature: of captions, rewritings and expansions.
        refine_temperature: of the refined query.
        top_p: nucleus; 0.9 is what Llama 3.2 comes with.
        caption_tokens: longest caption, in tokens.
        rewrite_tokens: longest rewriting, in tokens.
        expand_tokens: longest list of clues, in tokens.
        refine_tokens: longest refined query, in tokens.
        seed: of the draws.
    """

    temperature: float = 0.2
    refine_temperature: float = 0.7
    top_p: float = 0.9
    caption_tokens: int = 64
    rewrite_tokens: int = 64
    expand_tokens: int = 384
    refine_tokens: int = 96
    seed: int = 0

    def __post_init__(self) -> None:
        at_least(self, 0, "temperature", "refine_temperature")
        at_least(self, 1, "caption_tokens", "rewrite_tokens", "expand_tokens", "refine_tokens")


@dataclass(frozen=True)
class ExpansionSettings:
    """QueryFormer's pipeline. Of the defaults the paper states temperatures, expansions, window and context.

    The rows of its Table 2: `image=False` (w/o picture), `question=False` (w/o query), `caption=False` (w/o
    caption), `expand=False` (w/o QE; with `rewrite=False` too, the original query alone), and w/o LoRA by a
    generator without its adapter.

    Args:
        prompts: name and version of the prompts.
        image: show the image to whoever rewrites, expands and refines.
        question: use the question; else the caption alone.
        caption: use a caption: the query's own, else one that is asked for.
        rewrite: ask for the question in words that stand without the image.
        expand: ask for clues.
        refine: ask for one query made of the best clues.
        mode: one answer of `expansions` lines, or as many samples of one line (near twins if it is cold).
        expansions: clues.
        window: clues kept.
        choice: keep those of the highest `utility`, or the `first`.
        consensus: weight of a clue's agreement with the others in its utility.
        refined: refined queries, samples of one prompt.
        keeps: share of the terms the rewriting brought in that a refined query must have; else it is dropped.
        rounds: of expanding and refining; the passages of a round's query are the next one's context, and a
            query whose first ten passages stay as they were takes part no longer.
        context: passages shown.
        context_words: words of each.
        clue_words: longer clues are overlong.
        line_words: longer captions, rewritings and refined queries are overlong.
        fusion: search once by `weighted` terms, or with each text and fuse the rankings (`rrf`).
        weighting: of terms; `max_expansion_mass` holds for `rrf` too.
        drawing: how answers are drawn.
        gate: expand only where the first retrieval is unsure; null = always.
    """

    prompts: str = "ours@1"
    image: bool = True
    question: bool = True
    caption: bool = True
    rewrite: bool = True
    expand: bool = True
    refine: bool = True
    mode: Mode = "list"
    expansions: int = 12
    window: int = 8
    choice: Choice = "utility"
    consensus: float = 1.0
    refined: int = 1
    keeps: float = 0.5
    rounds: int = 1
    context: int = 3
    context_words: int = 100
    clue_words: int = 20
    line_words: int = 40
    fusion: Fusion = "weighted"
    weighting: Weighting = field(default_factory=Weighting)
    drawing: Drawing = field(default_factory=Drawing)
    gate: Gate | None = None

    def __post_init__(self) -> None:
        one_of(self, "prompts", list(PROMPTS))
        one_of(self, "mode", get_args(Mode))
        one_of(self, "choice", get_args(Choice))
        one_of(self, "fusion", get_args(Fusion))
        at_least(self, 1, "expansions", "refined", "rounds", "context", "context_words")
        at_least(self, 1, "clue_words", "line_words")
        at_least(self, 0, "consensus")
        between(self, 1, self.expansions, "window")
        between(self, 0, 1, "keeps")

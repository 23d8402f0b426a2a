"""What the model is asked, as data: a version never changes, other words are another version.

QueryFormer's own prompts are not public; these are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import Formatter


@dataclass(frozen=True)
class Prompts:
    """Templates; of each, a line one of whose `{fields}` is empty is left out.

    Fields: `look`, `goal` and `evidence` (of this class), `question`, `rewritten`, `caption`, `passages`,
    `clues`, `n` (how many clues), `clue_words` and `line_words` (how long they may be).

    Args:
        look: said where an image is shown.
        goals: what is sought with a question, and without.
        evidences: what clues are held against: an image, else a caption, else a question.
        caption: asks for a caption.
        rewrite: asks for a question that stands without the image.
        expand: asks for `n` clues in one answer.
        expand_one: asks for one clue; many samples of it make many clues.
        refine: asks for one query made of the best clues.
    """

    look: str
    goals: tuple[str, str]
    evidences: tuple[str, str, str]
    caption: str
    rewrite: str
    expand: str
    expand_one: str
    refine: str


_KNOWN = "Question: {question}\nRewritten: {rewritten}\nCaption: {caption}\nPassages:{passages}\n"
_CLUES = (
    "that help find {goal}: entities in the image, synonyms, broader terms, related facts and likely answers."
)

PROMPTS = {
    "ours@1": Prompts(
        look="Look at the image.",
        goals=("a passage answering the question", "a passage about what is shown"),
        evidences=("the image", "the caption", "the question"),
        caption="Describe the image in one sentence: what is shown, its kind, colour and place.",
        rewrite=(
            "{look}\n"
            "Rewrite the question so that it can be understood without the image: replace pronouns and vague "
            "words by what is shown. One line, no answer.\n"
            "Question: {question}\nCaption: {caption}"
        ),
        expand=(
            "{look}\n" + _KNOWN + "Write exactly {n} short search clues, one per line, " + _CLUES + " "
            "At most {clue_words} words each. No numbering."
        ),
        expand_one="{look}\n" + _KNOWN + "Write one short search clue, in one line, " + _CLUES,
        refine=(
            "{look}\n"
            "Question: {question}\nRewritten: {rewritten}\nCaption: {caption}\n"
            "Here are {n} clues and the passages they find.\n"
            "Clues:{clues}\nPassages:{passages}\n"
            "Remove clues that contradict {evidence}, add what is missing, and write one improved search "
            "query of at most {line_words} words. One line."
        ),
    ),
    # For models of a few million parameters: the fields and no instructions, which they could not read.
    "short@1": Prompts(
        look="",
        goals=("", ""),
        evidences=("", "", ""),
        caption="caption:",
        rewrite="{question}\nrewritten:",
        expand="{question}\n{rewritten}\n{caption}\nclues:",
        expand_one="{question}\n{rewritten}\n{caption}\nclue:",
        refine="{question}\n{rewritten}\nclues:{clues}\nquery:",
    ),
}
"""Prompts by name and version."""


def fill(template: str, **fields: str) -> str:
    """Fill a template, leaving out each line one of whose fields is empty.

    Args:
        template: lines with `{fields}`.
        **fields: a value for every field; braces in values stay as they are.
    """
    lines = [line for line in template.split("\n") if all(fields[name] for name in _fields(line))]
    return "\n".join(line.format(**fields) for line in lines)


def listed(texts: list[str], numbered: bool = False) -> str:
    """Texts as lines below a heading: each behind a line break, `[1] …` where numbered; "" of none."""
    return "".join(f"\n[{i}] {text}" if numbered else f"\n{text}" for i, text in enumerate(texts, 1))


def _fields(line: str) -> list[str]:
    return [name for _, name, _, _ in Formatter().parse(line) if name]

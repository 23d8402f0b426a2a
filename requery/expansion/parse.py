"""Read what a model wrote: lines without numbering, bullets and quotes; what cannot be used is counted."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Outcome = Literal["ok", "empty", "refused", "overlong", "malformed", "dropped"]
"""`empty`: nothing came back; `malformed`: nothing readable; `dropped`: it lost what is asked about."""

_MARKS = re.compile(r"<think>.*?(?:</think>|\Z)|<\|[^|>\n]*\|>|</?s>|```\w*", re.DOTALL)
_NUMBER = r"[(\[]?\d{1,3}\s?[.):\]]{1,2}(?=\s|[^\W\d]|$)"
_LEAD = re.compile(rf"""(?:{_NUMBER}|[•·]+|[-*+–—>#]+(?=\s)|\d{{1,3}} -(?=\s)|\[(?="))\s*""")
_LABEL = re.compile(
    r"(?:(?:search|refined|improved|rewritten|final)\s+)*(?:clue|query|question|caption|answer|rewritten)"
    r"\s*\d*\s*:\s+",
    re.IGNORECASE,
)
_WRAPPED = (*((mark, mark) for mark in ("**", "__", '"', "'", "`", "*")), ("“", "”"), ("‘", "’"))
_CHATTER = re.compile(r"(?:.*:|(?:sure|certainly|of course|okay|ok|yes|assistant)\W*)", re.IGNORECASE)
_REFUSAL = re.compile(
    r"\W*(?:(?:i['’]?m|i am) (?:\w+ )?sorry\b|sorry\W+(?:but|i)\b|as an ai\b|i apologi[sz]e\b"
    r"|(?:unfortunately\W+)?i (?:can['’]?t|cannot|can not|won['’]?t|do(?:n['’]?t| not) (?:see|have))\b"
    r"|(?:i['’]m |i am )?(?:unable|not able) to\b|it is not possible to\b)",
    re.IGNORECASE,
)
_INLINE = re.compile(rf"(?:^|\s+){_NUMBER}\s+")
REPEATED = 0.34
"""Share of distinct words below which a line of eight words or more is a loop."""


@dataclass(frozen=True)
class Parsed:
    """What is left of a model's answers.

    Args:
        texts: usable lines, distinct but for case, in order.
        outcome: `ok` where there is at least one, else what was wrong.
        dropped: lines left out, by reason.
    """

    texts: tuple[str, ...]
    outcome: Outcome
    dropped: Mapping[str, int] = field(default_factory=dict)


def parse_line(answers: Sequence[str], most_words: int) -> Parsed:
    """The first usable line of each answer.

    Args:
        answers: what the model wrote, one or more samples.
        most_words: longer lines are overlong; an answer whose first line is, is not used at all.
    """
    return _parse([lines[:1] for lines in map(_lines, answers)], len(answers), most_words)


def parse_clues(answers: Sequence[str], n: int, most_words: int) -> Parsed:
    """The first `n` distinct usable lines of all answers.

    Lists in JSON, and lists in one line divided by numbers, semicolons or many commas, are taken apart.

    Args:
        answers: what the model wrote.
        n: lines kept at most.
        most_words: longer lines are left out.
    """
    return _parse([_divided(text, _lines(text)) for text in answers], n, most_words)


def _parse(answers: Sequence[Sequence[str]], n: int, most_words: int) -> Parsed:
    kept: dict[str, str] = {}
    dropped: Counter[str] = Counter()
    for line in (line for lines in answers for line in lines):
        reason = _fault(line, most_words)
        if reason is None and line.casefold() in kept:
            reason = "repeated"
        if reason is None:
            kept[line.casefold()] = line
        else:
            dropped[reason] += 1
    if len(kept) > n:
        dropped["surplus"] = len(kept) - n
    return Parsed(tuple(kept.values())[:n], "ok" if kept else _why_none(dropped), dict(dropped))


def _why_none(dropped: Counter[str]) -> Outcome:
    reasons: tuple[Outcome, ...] = ("malformed", "refused", "overlong")
    return max(reasons, key=lambda reason: dropped[reason]) if dropped else "empty"


def _fault(line: str, most_words: int) -> str | None:
    """Why a line cannot be used; None where it can."""
    words = line.casefold().split()
    if _CHATTER.fullmatch(line) or not any(letter.isalnum() for letter in line):
        return "malformed"
    if _REFUSAL.match(line):
        return "refused"
    if len(words) >= 8 and len(set(words)) < REPEATED * len(words):
        return "malformed"
    return "overlong" if len(words) > most_words else None


def _lines(text: str) -> list[str]:
    """Tidied lines of an answer, without talk (`Sure!`, `Here are 12 clues:`) unless it is all there is."""
    lines = [line for line in map(tidy, _MARKS.sub(" ", text).splitlines()) if line]
    return [line for line in lines if not _CHATTER.fullmatch(line)] or lines


def _divided(text: str, lines: list[str]) -> list[str]:
    """Take apart a list that was written in one line or in JSON."""
    try:
        items = json.loads(_MARKS.sub(" ", text))
    except (ValueError, RecursionError):
        items = None
    if isinstance(items, list) and items and all(isinstance(item, str) for item in items):
        return [line for item in items for line in _lines(item)]
    if len(lines) != 1:
        return lines
    for parts, least in ((_INLINE.split(lines[0]), 2), (lines[0].split(";"), 3), (lines[0].split(","), 6)):
        found = [part for part in map(tidy, parts) if part]
        if len(found) >= least:
            return found
    return lines


def tidy(line: str) -> str:
    """A line in one spelling, without control characters, numbering, bullets, labels and quotes."""
    spelled = unicodedata.normalize("NFKC", line)
    line = " ".join("".join(" " if unicodedata.category(c)[0] == "C" else c for c in spelled).split())
    for shorter in _peeled(line):
        line = shorter
    return line


def _peeled(line: str) -> Iterator[str]:
    """The line with one wrapping less each time."""
    while line:
        start = _LEAD.match(line) or _LABEL.match(line)
        if start is not None:
            line = line[start.end() :].strip()
        elif line[-1] in ",;":
            line = line[:-1].rstrip()
        else:
            wraps = ((a, b) for a, b in _WRAPPED if line.startswith(a) and line.endswith(b))
            marks = next((pair for pair in wraps if len(line) >= len("".join(pair))), None)
            if marks is None:
                return
            line = line[len(marks[0]) : len(line) - len(marks[1])].strip()
        yield line

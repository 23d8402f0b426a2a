"""Questions with marked passages: `passages.jsonl` and `questions.jsonl`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from datamodules.layouts.corpus import Passage
from datamodules.layouts.problems import Problem, Report, fail, reporting
from datamodules.layouts.records import require_distinct, take, take_strings
from requery.errors import DataError, first

PASSAGES, QUESTIONS = "passages.jsonl", "questions.jsonl"
REMEDY = f"the folder holds {PASSAGES} (id, title, text) and {QUESTIONS} (id, question, answers, positives)"

T = TypeVar("T")


@dataclass(frozen=True)
class KnowledgeQuestion:
    """One question.

    Args:
        name: its id.
        text: as asked.
        answers: its answers.
        positives: ids of the passages that hold one, the best first.
    """

    name: str
    text: str
    answers: tuple[str, ...]
    positives: tuple[str, ...]


def read_passages(root: Path, report: Report = fail) -> list[Passage]:
    """Read the corpus; a passage's text is its title and its text.

    A problem is that the file is absent or malformed or repeats an id.
    """
    return _read(root / PASSAGES, _passage, lambda passage: passage.name, report)


def read_questions(root: Path, known: set[str], report: Report = fail) -> list[KnowledgeQuestion]:
    """Read the questions.

    A problem is that the file is absent or malformed, repeats an id, or that a question has no positive
    passage or one the corpus does not know.
    """
    path = root / QUESTIONS
    questions = _read(path, _question, lambda question: question.name, report)
    for question in questions:
        unknown = [name for name in question.positives if name not in known]
        if unknown or not question.positives:
            said = f"unknown passages {first(unknown)}" if unknown else "no positive passage"
            report(Problem(f"{path}: question {question.name} has {said}", question.name))
    return questions


def _passage(record: Any, where: str) -> Passage:
    text = f"{take(record, 'title', str, where)} {take(record, 'text', str, where)}"
    return Passage(take(record, "id", str, where), text)


def _question(record: Any, where: str) -> KnowledgeQuestion:
    name, text = take(record, "id", str, where), take(record, "question", str, where)
    positives = dict.fromkeys(take_strings(record, "positives", where))
    return KnowledgeQuestion(name, text, take_strings(record, "answers", where), tuple(positives))


def _read(path: Path, make: Callable[[Any, str], T], name: Callable[[T], str], report: Report) -> list[T]:
    found: list[T] = []
    with reporting(report):
        try:
            lines = path.read_text(encoding="utf-8").rstrip("\n").split("\n")  # a text may hold others
        except FileNotFoundError:
            raise DataError(f"{path}: no such file; {REMEDY}") from None
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path}: cannot be read ({error}); fetch the file again") from error
        for number, line in enumerate(lines, 1):
            where = f"{path}, line {number}"
            with reporting(report):
                found.append(make(_parsed(line, where), where))
        require_distinct(map(name, found), "ids", path)
    return found


def _parsed(line: str, where: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise DataError(f"{where}: not valid JSON ({error}); fetch the file again") from error

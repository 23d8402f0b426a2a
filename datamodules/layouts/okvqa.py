"""OK-VQA (Marino et al. 2019): questions about COCO's images, with answers and captions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datamodules.layouts.problems import Problem, Report, fail, reporting
from datamodules.layouts.records import read_json, require_distinct, take
from requery.errors import DataError, first
from requery.index.analyser import stemmed

ORIGIN = "OK-VQA's questions and annotations are at okvqa.allenai.org/download.html"
SOFT_ORIGIN = "train.json and testdev.json are in github.com/luomancs/retriever_reader_for_okvqa"
CAPTION_ORIGIN = (
    "github.com/microsoft/PICa has VinVL's captions of val2014; of other images make some, or set "
    "captions: none"
)
CORPUS = "okvqa_train_corpus.csv"
CORPUS_ORIGIN = (
    "GS112K is on the Google Drive of github.com/luomancs/retriever_reader_for_okvqa, and on the hub in "
    "BByrneLab/RAVQAV2Data; or take the passages of BByrneLab/multi_task_multi_modal_knowledge_retrieval_"
    "benchmark_M2KR through data.hub (name: OKVQA_passages)"
)
SOFT = {"train2014": "train.json", "val2014": "testdev.json"}
"""The soft-scored answers of each of COCO's years, for who has no official annotations."""


@dataclass(frozen=True)
class OkvqaQuestion:
    """One question.

    Args:
        name: its id.
        image: COCO's number of its image.
        text: as asked.
        raw: its answers as annotators wrote them, each once, the most frequent first.
        stemmed: the same, each word stemmed.
    """

    name: str
    image: int
    text: str
    raw: tuple[str, ...]
    stemmed: tuple[str, ...]


def read_questions(root: Path, year: str, report: Report = fail) -> list[OkvqaQuestion]:
    """Read the questions of `train2014` or `val2014` with their answers.

    Answers are those of `mscoco_{year}_annotations.json` with the official stems; where it is absent, of the
    soft-scored file, stemmed by Porter's algorithm.

    A problem is that a file is absent or malformed, ids are repeated, or a question has no answer.
    """
    path = root / f"OpenEnded_mscoco_{year}_questions.json"
    answers: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] | None = None
    records: list[Any] = []
    with reporting(report):
        records = take(read_json(path, ORIGIN), "questions", list, str(path))
        answers = _answers(root, year)
    if answers is None:
        return []
    found = []
    for number, record in enumerate(records):
        with reporting(report):
            found.append(_question(record, f"{path}, question {number}", answers))
    with reporting(report):
        require_distinct((question.name for question in found), "question ids", path)
    if silent := [question.name for question in found if not question.raw]:
        report(Problem(f"{path}: {len(silent)} questions have no answer: {first(silent)}"))
    return found


def _question(
    record: object, where: str, answers: dict[str, tuple[tuple[str, ...], tuple[str, ...]]]
) -> OkvqaQuestion:
    name = str(take(record, "question_id", int, where))
    raw, stems = answers.get(name, ((), ()))
    image = take(record, "image_id", int, where)
    return OkvqaQuestion(name, image, take(record, "question", str, where), raw, stems)


def _answers(root: Path, year: str) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Question id -> its answers as written, and stemmed."""
    official = root / f"mscoco_{year}_annotations.json"
    if official.is_file():
        return _official(official)
    path = root / SOFT[year]
    records = read_json(path, f"nor is there {official.name}: {ORIGIN}; {SOFT_ORIGIN}")
    found = {}
    for number, record in enumerate(_list(records, path)):
        where = f"{path}, record {number}"
        label = take(record, "label", dict, where)
        raw = _each_once(sorted(label, key=lambda answer: -label[answer]))
        found[str(take(record, "question_id", int, where))] = raw, _each_once(stemmed(raw))
    return found


def _official(path: Path) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    found = {}
    for number, record in enumerate(take(read_json(path, ORIGIN), "annotations", list, str(path))):
        where = f"{path}, annotation {number}"
        given = take(record, "answers", list, where)
        texts = [[take(one, key, str, where) for one in given] for key in ("raw_answer", "answer")]
        ordered = [[text for text, _ in Counter(written).most_common()] for written in texts]
        found[str(take(record, "question_id", int, where))] = _each_once(ordered[0]), _each_once(ordered[1])
    return found


def _each_once(texts: Sequence[str] | dict[str, object]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text))  # an empty answer is in every passage


def _list(records: Any, path: Path) -> list[Any]:
    if not isinstance(records, list):
        raise DataError(f"{path}: expected a list of records, found {type(records).__name__}")
    return records


def read_captions(path: Path, report: Report = fail) -> dict[int, str]:
    """Read the first caption of each image from `image id<TAB>[{"caption": …}]`.

    A problem is that the file is absent or a line malformed.
    """
    found: dict[int, str] = {}
    with reporting(report):
        try:
            lines = path.read_text(encoding="utf-8").rstrip("\n").split("\n")
        except FileNotFoundError:
            raise DataError(f"{path}: no such file; {CAPTION_ORIGIN}") from None
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path}: cannot be read ({error}); fetch the file again") from error
        for number, line in enumerate(lines, 1):
            image, _, captions = line.partition("\t")
            where = f"{path}, line {number}"
            try:
                found[int(image)] = take(json.loads(captions)[0], "caption", str, where)
            except (ValueError, LookupError) as error:
                raise DataError(
                    f"{where}: not an image id, a tab and a list of captions ({error})"
                ) from error
    return found

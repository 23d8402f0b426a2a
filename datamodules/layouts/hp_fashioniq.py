"""HP-FashionIQ's layout (Kwak et al. 2025): hpfiq.json, the judgements of each person in columns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datamodules.layouts.fashion_iq import Product
from datamodules.layouts.problems import Problem, Report, fail, reporting
from datamodules.layouts.records import read_json, take, take_strings
from requery.errors import DataError

ANNOTATIONS = "hpfiq.json"
ORIGIN = "it is in the folder HP_FashionIQ of github.com/jackwaky/QuRe"
COLUMNS = ("ref_img_paths", "sentences", "retrieved_set1", "retrieved_set2", "preferred set")


@dataclass(frozen=True)
class Judgement:
    """Which of two retrieved lists one person prefers.

    Args:
        name: person, question set and place in it.
        reference: the product changed.
        sentence: how.
        lists: the products of the first and of the second list.
        ratings: how well each list fits, from 1 to 5, in the person's eyes.
        preferred: 1 or 2.
    """

    name: str
    reference: Product
    sentence: str
    lists: tuple[tuple[Product, ...], tuple[Product, ...]]
    ratings: tuple[int, int]
    preferred: int


def read_judgements(root: Path, report: Report = fail) -> list[Judgement]:
    """Read all judgements, in the file's order.

    A problem is that the file is absent or malformed, or that lists differ in length.
    """
    path = root / ANNOTATIONS
    judgements: list[Judgement] = []
    for name, row in _rows(path, report):
        with reporting(report, name):
            judgements.append(_judgement(name, row, f"{path}, {name}"))
    lengths = {len(products) for judgement in judgements for products in judgement.lists}
    if len(lengths) > 1:
        report(Problem(f"{path}: lists of {sorted(lengths)} images; all need the same number"))
    return judgements


def _rows(path: Path, report: Report) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and fields of each judgement."""
    persons: Any = {}
    with reporting(report):
        persons = read_json(path, ORIGIN)
        if not isinstance(persons, dict):
            raise DataError(f"{path}: expected an object of persons, found {type(persons).__name__}")
    for person in persons if isinstance(persons, dict) else ():
        with reporting(report):
            for question_set in take(persons, person, dict, str(path)):
                where = f"{path}, {person}, {question_set}"
                content = take(persons[person], question_set, dict, where)
                columns = {column: take(content, column, list, where) for column in COLUMNS}
                if len({len(values) for values in columns.values()}) > 1:
                    raise DataError(f"{where}: {', '.join(COLUMNS)} differ in length")
                for number, values in enumerate(zip(*columns.values(), strict=True)):
                    yield f"{person}/{question_set}/{number}", dict(zip(COLUMNS, values, strict=True))


def _judgement(name: str, row: dict[str, Any], where: str) -> Judgement:
    first, second = (take(row, column, dict, where) for column in COLUMNS[2:4])
    return Judgement(
        name,
        _product(take(row, "ref_img_paths", str, where), where),
        take(row, "sentences", str, where),
        tuple(  # type: ignore[arg-type]
            tuple(_product(path, where) for path in take_strings(shown, "img_path", where))
            for shown in (first, second)
        ),
        (_number(first, "user_score", 5, where), _number(second, "user_score", 5, where)),
        _number(row, "preferred set", 2, where),
    )


def _product(path: str, where: str) -> Product:
    """Category and ASIN of a path such as `/-/image_data/shirt/B000LUIBH8.jpg`."""
    found = re.fullmatch(r".*/([a-z]+)/(\w+)\.jpg", path)
    if found is None:
        raise DataError(f"{where}: {path!r} is no path …/category/asin.jpg")
    return found[1], found[2]


def _number(record: dict[str, Any], key: str, largest: int, where: str) -> int:
    text = take(record, key, str, where)
    if text not in map(str, range(1, largest + 1)):
        raise DataError(f"{where}: {key!r} is {text!r}, not 1 to {largest}")
    return int(text)

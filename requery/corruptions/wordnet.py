"""Synonyms from WordNet's own files (Princeton, `dict/`), as NLTK unpacks them too; NLTK is not needed."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from zipfile import BadZipFile
from zipfile import Path as ZipPath

from requery.errors import DataError

PARTS = ("noun", "verb", "adj", "adv")
ENDINGS = {
    "noun": (
        ("s", ""),
        ("ses", "s"),
        ("ves", "f"),
        ("xes", "x"),
        ("zes", "z"),
        ("ches", "ch"),
        ("shes", "sh"),
        ("men", "man"),
        ("ies", "y"),
    ),
    "verb": (
        ("s", ""),
        ("ies", "y"),
        ("es", "e"),
        ("es", ""),
        ("ed", "e"),
        ("ed", ""),
        ("ing", "e"),
        ("ing", ""),
    ),
    "adj": (("er", ""), ("est", ""), ("er", "e"), ("est", "e")),
    "adv": (),
}
"""Endings that WordNet's Morphy takes off to find a base form."""

REMEDY = (
    "download WordNet (https://wordnet.princeton.edu, or `python -m nltk.downloader wordnet`) and give the "
    "folder that holds data.noun"
)


class WordNet:
    """Synonyms of English words.

    Args:
        folder: where `data.noun`, `data.verb`, `data.adj` and `data.adv` are (and `*.exc` for irregular
            forms): a folder, or NLTK's `wordnet.zip`.

    Raises:
        DataError: they are not there.
    """

    def __init__(self, folder: Path | str) -> None:
        place = _opened(Path(folder))
        self._groups: dict[str, dict[str, list[tuple[str, ...]]]] = {}
        self._irregular: dict[str, dict[str, list[str]]] = {}
        for part in PARTS:
            self._groups[part] = defaultdict(list)
            for group in _groups(place, part):
                for word in group:
                    self._groups[part][word.lower()].append(group)
            self._irregular[part] = _irregular(place, part)

    def __call__(self, word: str) -> list[str]:
        """The words that share a group with a word or its base form: letters and spaces, in order."""
        found = {
            re.sub("[^a-z ]", "", re.sub("[_-]", " ", other.lower()))
            for part in PARTS
            for base in self._bases(word.lower(), part)
            for group in self._groups[part].get(base, ())
            for other in group
        }
        return sorted(found - {word, ""})

    def _bases(self, word: str, part: str) -> list[str]:
        forms = [word, *self._irregular[part].get(word, ())]
        if len(forms) == 1:
            forms += [word[: -len(old)] + new for old, new in ENDINGS[part] if word.endswith(old)]
        return list(dict.fromkeys(forms))


@lru_cache(maxsize=2)
def wordnet(folder: str | None) -> WordNet:
    """Read WordNet from a folder, or from where NLTK keeps it; once.

    Raises:
        DataError: it is in neither.
    """
    if folder is not None:
        return WordNet(folder)
    roots = [
        *os.environ.get("NLTK_DATA", "").split(os.pathsep),
        Path.home() / "nltk_data",
        "/usr/share/nltk_data",
    ]
    for root in map(str, filter(None, roots)):
        for name in ("wordnet", "wordnet.zip"):
            if (found := Path(root) / "corpora" / name).exists():
                return WordNet(found)
    raise DataError(f"WordNet is neither given nor in NLTK's folders: {REMEDY}")


def _opened(folder: Path) -> Path | ZipPath:
    place: Path | ZipPath = folder
    if folder.is_file():
        try:
            place = ZipPath(folder, "wordnet/")
        except (BadZipFile, OSError) as error:
            raise DataError(f"{folder} is no readable archive ({error}): {REMEDY}") from error
    missing = [f"data.{part}" for part in PARTS if not (place / f"data.{part}").is_file()]
    if missing:
        raise DataError(f"{folder} has no {', '.join(missing)}: {REMEDY}")
    return place


def _groups(place: Path | ZipPath, part: str) -> Iterator[tuple[str, ...]]:
    """The synsets: `offset file type w_cnt word id word id …`, the count in hexadecimal."""
    for line in (place / f"data.{part}").read_text(encoding="utf-8").splitlines():
        if line[:1].isdigit():  # the licence comes first, indented
            fields = line.split(" ")
            yield tuple(word.partition("(")[0] for word in fields[4 : 4 + 2 * int(fields[3], 16) : 2])


def _irregular(place: Path | ZipPath, part: str) -> dict[str, list[str]]:
    file = place / f"{part}.exc"
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return {form: bases for form, *bases in (line.split() for line in lines if line.strip())}

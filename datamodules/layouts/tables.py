"""Tables of a dataset, one a split: on the hub at a commit, or in a local copy, both through `datasets`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from requery.errors import DataError, first
from requery.hub import is_hub_id, require_commit

if TYPE_CHECKING:
    from datasets import Dataset

FORMATS = {".json": "json", ".jsonl": "json", ".parquet": "parquet"}
"""Suffixes of the files read, and what `datasets` calls their format; JSON is one object a line."""

UNNAMED = "unnamed"
"""The split of a table that was saved without the name of one."""

_SPLIT = re.compile(r"(?<![a-z])(train|restval|validation|val|test)(?![a-z])")


def open_tables(source: str, revision: str | None, name: str | None = None) -> Mapping[str, Dataset]:
    """Open all splits; a repository is downloaded once, at the commit given. No code of it is run.

    Args:
        source: a hub id `owner/name`; a folder that `save_to_disk` wrote; or a folder of JSON lines or
            parquet files, in whose paths the splits stand (`test.jsonl`, `data/train-0-of-2.parquet`).
        revision: commit of a hub id.
        name: configuration of a hub id, where it has several.

    Raises:
        ConfigError: a hub id without a commit.
        DataError: nothing readable is there, or the hub cannot be reached.
    """
    import datasets
    from datasets.exceptions import DatasetsError
    from httpx import HTTPError

    datasets.disable_progress_bars()
    folder = Path(source).expanduser()
    broken = (OSError, ValueError, RuntimeError, DatasetsError, HTTPError)
    if folder.is_dir():
        try:
            return _saved(folder) if _is_saved(folder) else _of_files(folder)
        except broken as error:
            raise DataError(f"{folder}: cannot be read ({_reason(error)}); copy the dataset again") from error
    if not is_hub_id(source):
        raise DataError(f"{source}: no such folder; give a local copy of the dataset or a hub id owner/name")
    revision = require_commit("dataset", source, revision)
    try:
        return _by_name(datasets.load_dataset(source, name, revision=revision))
    except broken as error:
        raise DataError(
            f"dataset {source}@{revision}: not in the local cache, and not to be had from the hub "
            f"({_reason(error)}); download it elsewhere and give the folder of the copy"
        ) from error


def _is_saved(folder: Path) -> bool:
    return (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file()


def _saved(folder: Path) -> Mapping[str, Dataset]:
    import datasets

    return _by_name(datasets.load_from_disk(str(folder)))


def _by_name(loaded: Any) -> Mapping[str, Dataset]:
    if isinstance(loaded, dict):
        return {str(name): table for name, table in loaded.items()}
    return {UNNAMED if loaded.split is None else str(loaded.split): loaded}


def _of_files(folder: Path) -> Mapping[str, Dataset]:
    import datasets

    tables = {}
    for split, files in _files(folder).items():
        formats = sorted({file.suffix for file in files})
        if len({FORMATS[suffix] for suffix in formats}) > 1:
            raise DataError(f"{folder}: {split} is there as {' and as '.join(formats)}; keep one of them")
        names = [str(file) for file in files]
        tables[split] = datasets.load_dataset(FORMATS[formats[0]], data_files=names, split="train")
    return tables


def _files(folder: Path) -> dict[str, list[Path]]:
    """The files of each split."""
    found: dict[str, list[Path]] = {}
    for file in sorted(folder.rglob("*")):
        place = file.relative_to(folder)
        if file.suffix in FORMATS and not any(part.startswith(".") for part in place.parts):
            named = _SPLIT.findall(place.as_posix().lower())
            found.setdefault(named[-1] if named else UNNAMED, []).append(file)
    if not found:
        raise DataError(f"{folder}: no {first(FORMATS)} file; give a local copy of the dataset")
    if len(found) > 1 and UNNAMED in found:
        raise DataError(f"{folder}: of which split are {first(found[UNNAMED])}? Rename or remove them")
    return found


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]

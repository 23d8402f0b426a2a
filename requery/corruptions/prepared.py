"""Texts that were shifted elsewhere: by a model that is not at hand, or once for all runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from requery.errors import DataError, first


class PreparedTexts:
    """Shifted texts by the id of the query.

    Args:
        path: a JSON object of id: text, or JSON lines with `id` and `text`.

    Raises:
        DataError: the file cannot be read, or holds something else.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        try:
            content = self.path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(
                f"{self.path} cannot be read ({error}); check the path of the prepared texts"
            ) from error
        try:
            lines = (
                [json.loads(line) for line in content.splitlines() if line.strip()]
                if self._is_lines
                else None
            )
            self._texts = _of_lines(lines) if lines is not None else json.loads(content)
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{self.path}: {type(error).__name__}: {error}; it should hold {SHAPE}"
            ) from error
        if not isinstance(self._texts, Mapping):
            raise DataError(f"{self.path} should hold {SHAPE}")
        wrong = [key for key, text in self._texts.items() if not isinstance(text, str)]
        if wrong:
            raise DataError(f"{self.path}: not a text: {first(wrong)}; it should hold {SHAPE}")

    @property
    def _is_lines(self) -> bool:
        return self.path.suffix == ".jsonl"

    def __len__(self) -> int:
        return len(self._texts)

    def __getitem__(self, key: str | int) -> str:
        """The text of a query.

        Raises:
            DataError: there is none.
        """
        if str(key) not in self._texts:
            raise DataError(f"{self.path} has no text for {key}; prepare all queries of the split")
        return str(self._texts[str(key)])


SHAPE = 'an object {"id": "text", …}, or (.jsonl) a line {"id": …, "text": …} for each'


def _of_lines(lines: list[Any]) -> dict[str, Any]:
    return {str(line["id"]): line["text"] for line in lines}

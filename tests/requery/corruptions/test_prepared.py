import json

import pytest

from requery.corruptions.prepared import PreparedTexts
from requery.errors import DataError


def test_an_object_or_lines(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"q1": "eins", "2": "zwei"}))
    (tmp_path / "a.jsonl").write_text('{"id": "q1", "text": "eins"}\n\n{"id": 2, "text": "zwei"}\n')
    for name in ("a.json", "a.jsonl"):
        texts = PreparedTexts(tmp_path / name)
        assert len(texts) == 2 and texts["q1"] == "eins" and texts[2] == "zwei"
        with pytest.raises(DataError, match="has no text for q3"):
            texts["q3"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", "[1]"),
        ("a.json", "{"),
        ("a.json", '{"q": 1}'),
        ("a.jsonl", '{"id": "q"}'),
        ("a.jsonl", "[]"),
    ],
)
def test_other_content_is_refused(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=rf"{name}.*should hold an object"):
        PreparedTexts(tmp_path / name)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none.json cannot be read"):
        PreparedTexts(tmp_path / "none.json")

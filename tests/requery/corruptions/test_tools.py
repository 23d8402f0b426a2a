import json

import pytest

from requery.corruptions import corrupt_text
from requery.corruptions.tools import TextSources
from requery.errors import ConfigError, DataError


def test_only_what_is_used_is_opened(tmp_path):
    sources = TextSources(
        wordnet=str(tmp_path / "nowhere"),
        prepared={"formal": "nowhere.json"},
        models={"casual": ["./nowhere"]},
    )
    tools = sources.open(["ocr"])
    assert tools.synonyms is None and not tools.rewriters and not tools.prepared
    for kind in ("synonym", "word_insert", "formal", "casual"):
        with pytest.raises(DataError, match="nowhere"):
            sources.open([kind])


def test_prepared_texts_need_no_tool(tmp_path):
    file = tmp_path / "s.json"
    file.write_text(json.dumps({"0": "a scarlet circle"}))
    tools = TextSources(prepared={"synonym": str(file)}).open(["synonym"])
    assert corrupt_text("a red circle", "synonym", 7, key=0, tools=tools) == "a scarlet circle"


def test_models_rewrite_and_judge(seq2seq, encoder):
    sources = TextSources(
        models={"passive": [seq2seq], "back_translation": [seq2seq] * 2}, similarity=encoder
    )
    tools = sources.open(["back_translation", "word_swap"])
    assert set(tools.rewriters) == {"back_translation"} and tools.similarity is not None
    one = corrupt_text("a small blue star", "back_translation", 1, key=0, tools=tools)
    assert one == corrupt_text(
        "a small blue star", "back_translation", 1, key=1, tools=tools
    )  # a beam search


def test_unknown_kinds_are_refused():
    with pytest.raises(ConfigError, match="unknown sentence corruption synonym"):
        TextSources(models={"synonym": ["x"]})
    with pytest.raises(ConfigError, match="unknown text corruption formel: did you mean formal"):
        TextSources(prepared={"formel": "x.json"})

import zipfile

import pytest

from requery.corruptions.wordnet import PARTS, WordNet, wordnet
from requery.errors import DataError

LICENCE = "  1 This software and database is being provided to you, the LICENSEE,\n"
DATA = {
    "noun": "00001 05 n 03 dog 0 domestic_dog 0 Canis_familiaris 0 001 @ 00002 n 0000 | a pet\n"
    "00002 05 n 02 goose 0 honker 0 000 | a bird\n",
    "verb": "00003 38 v 02 chase 0 run_after 0 000 | go\n",
    "adj": "00004 00 s 02 large(p) 0 big 0 000 | of size\n",
    "adv": "",
}


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "wordnet"
    place.mkdir()
    for part, lines in DATA.items():
        (place / f"data.{part}").write_text(LICENCE + lines)
    (place / "noun.exc").write_text("geese goose\n")
    return place


def test_synonyms_share_a_group(folder):
    words = WordNet(folder)
    assert words("dog") == ["canis familiaris", "domestic dog"]
    assert words("large") == ["big"] and words("big") == ["large"]
    assert words("zebra") == []


def test_inflected_words_are_found_by_their_base(folder):
    words = WordNet(folder)
    assert words("geese") == ["goose", "honker"]
    assert words("dogs") == ["canis familiaris", "dog", "domestic dog"]
    assert words("chasing") == words("chased") == words("chases") == ["chase", "run after"]


def test_the_archive_nltk_downloads(folder, tmp_path, monkeypatch):
    (tmp_path / "nltk" / "corpora").mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / "nltk" / "corpora" / "wordnet.zip", "w") as archive:
        for file in folder.iterdir():
            archive.write(file, f"wordnet/{file.name}")
    monkeypatch.setenv("NLTK_DATA", str(tmp_path / "nltk"))
    wordnet.cache_clear()
    assert wordnet(None)("large") == ["big"]
    wordnet.cache_clear()


def test_what_is_missing_is_named(folder, tmp_path, monkeypatch):
    (folder / "data.adv").unlink()
    with pytest.raises(DataError, match=r"has no data.adv: download WordNet"):
        WordNet(folder)
    (tmp_path / "broken.zip").write_bytes(b"no archive")
    with pytest.raises(DataError, match="no readable archive"):
        WordNet(tmp_path / "broken.zip")
    monkeypatch.setenv("NLTK_DATA", str(tmp_path / "nothing"))
    monkeypatch.setenv("HOME", str(tmp_path))
    wordnet.cache_clear()
    with pytest.raises(DataError, match="neither given nor in NLTK's folders"):
        wordnet(None)
    assert PARTS == tuple(DATA)

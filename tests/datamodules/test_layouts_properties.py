"""Whatever a dataset's files hold, reading them ends in a task or in an error that names the file."""

import json
from copy import deepcopy

import pytest
from hypothesis import strategies as st

from datamodules.cirr import CIRRDataModule
from datamodules.fashion_gen import FashionGenDataModule
from datamodules.karpathy import KarpathyDataModule
from datamodules.nocaps import NocapsDataModule
from datamodules.person_search import PersonSearchDataModule
from requery.errors import DataError
from tests.datamodules import small
from tests.properties import for_all, inputs

FIELDS = ["pairid", "reference", "target_hard", "caption", "img_set", "members", "images", "split"]
FIELDS += ["filename", "filepath", "sentences", "raw", "sentid"]
FIELDS += ["annotations", "id", "image_id", "file_name", "domain", "captions", "file_path", "title"]
NAMES = ["val-0", "val-7", "train-1", "./val/0.png", "c.png", "two", "test", "restval"]
ODD = ["", " ", "\0", "..", "/", "../../etc", "\ud800", "é" * 300, "a\u2028b", "🙂", "שלום", "-" * 5000]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(NAMES + ODD)
KEYS = st.sampled_from(FIELDS + NAMES + ODD)
VALUES = st.recursive(
    SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(KEYS, v, max_size=3), max_leaves=6
)


def places(tree, at=()):
    """The path of every value of a JSON tree."""
    yield at
    children = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, child in children:
        yield from places(child, (*at, key))


def mutate(draw, tree):
    """Remove, replace, repeat or swap a value somewhere."""
    *way, key = draw(st.sampled_from([p for p in places(tree) if p] or [()])) or (None,)
    if key is None:
        return draw(VALUES)
    parent = tree
    for step in way:
        parent = parent[step]
    kind = draw(st.sampled_from(["remove", "replace", "repeat", "swap"]))
    if kind == "remove":
        del parent[key]
    elif kind == "replace":
        parent[key] = draw(VALUES)
    elif kind == "repeat" and isinstance(parent, list):
        parent.append(deepcopy(parent[key]))
    else:
        other = draw(st.sampled_from(list(parent) if isinstance(parent, dict) else range(len(parent))))
        parent[key], parent[other] = parent[other], parent[key]
    return tree


@st.composite
def contents(draw, valid):
    """Bytes of a file: a valid one changed in a few places, any JSON, or any bytes."""
    tree = deepcopy(valid)
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=40))
    if draw(st.integers(0, 4)) == 0:
        tree = draw(VALUES)
    else:
        for _ in range(draw(st.integers(1, 3))):
            tree = mutate(draw, tree)
    data = bytearray(json.dumps(tree).encode())
    if draw(st.integers(0, 4)) == 0:
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
        del data[draw(st.integers(len(data) // 2, len(data))) :]
    return bytes(data)


def assert_read_or_named(data, path, root):
    """The split has a task whose texts can be tokenised and written, or the error says where to look."""
    try:
        task = data.task("val" if isinstance(data, CIRRDataModule) else "test")
        assert task.n_queries and task.n_gallery and len(task.digest()) == 64
        for texts in (task.query_ids, task.gallery_ids, task.query_text or [], task.gallery_text or []):
            assert "".join(texts).encode() is not None
    except DataError as error:
        assert path.name in str(error) or str(root) in str(error) or data.benchmark in str(error)


def test_half_a_character_is_named(karpathy_folder):
    karpathy_folder.images[2]["sentences"][0]["raw"] = "a \ud83d\ude42 is whole, \ud83d is not"
    data = KarpathyDataModule(str(karpathy_folder.write()), "images", "tiny")
    with pytest.raises(DataError, match=r"dataset_tiny\.json: not valid JSON .*surrogates"):
        data.task("test")
    karpathy_folder.images[2]["sentences"][0]["raw"] = "a 🙂 is whole"
    karpathy_folder.write()
    assert data.task("test").query_text[0] == "a 🙂 is whole"


@inputs(1500)
def test_cirr(cirr_folder, examples):
    root = cirr_folder.write()
    files = {kind: cirr_folder.file(kind, "val") for kind in ("cap", "split")}
    whole = {kind: path.read_bytes() for kind, path in files.items()}
    drawn = [contents(json.loads(data)).map(lambda b, kind=kind: (kind, b)) for kind, data in whole.items()]

    @for_all(examples, st.one_of(drawn), st.sampled_from(["error", "skip"]))
    def holds(changed, on_bad):
        kind, content = changed
        files[kind].write_bytes(content)
        data = CIRRDataModule(str(root), "pictures", "tiny", on_bad=on_bad)
        assert_read_or_named(data, files[kind], root)
        files[kind].write_bytes(whole[kind])


@inputs(1500)
def test_karpathy(karpathy_folder, examples):
    root = karpathy_folder.write()
    path = root / "dataset_tiny.json"
    valid = json.loads(path.read_bytes())
    directions = st.sampled_from(["text_to_image", "image_to_text"])

    @for_all(examples, contents(valid), directions, st.sampled_from(["error", "skip"]))
    def holds(content, direction, on_bad):
        path.write_bytes(content)
        data = KarpathyDataModule(str(root), "images", "tiny", direction=direction, on_bad=on_bad)
        assert_read_or_named(data, path, root)


WRITTEN = {
    NocapsDataModule: (small.write_nocaps, small.NOCAPS, "val"),
    PersonSearchDataModule: (small.write_persons, small.PERSONS, None),
    FashionGenDataModule: (small.write_products, small.PRODUCTS, None),
}


@pytest.mark.parametrize("kind", WRITTEN)
@inputs(500)
def test_captioned(kind, tmp_path, examples):
    write, valid, image_root = WRITTEN[kind]
    root = write(tmp_path, valid)
    (path,) = root.glob("*.json")

    @for_all(examples, contents(valid), st.sampled_from(["error", "skip"]))
    def holds(content, on_bad):
        path.write_bytes(content)
        assert_read_or_named(kind(str(root), image_root, on_bad=on_bad), path, root)

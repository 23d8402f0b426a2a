"""The store: lines that are whole or absent, shared by processes, merged by copying."""

import json
import os
import shutil

import pytest

from requery import distributed
from requery.errors import RunError
from requery.generation.generator import Answer
from requery.generation.store import Row, Store, key_of
from tests.processes import together


def asked(item, **more):
    return {"generator": {"kind": "rule", "model": "r@1"}, "item": item, **more}


def row(item, text="a text", error=None):
    return Row(asked(item), f"item {item}", "r", Answer(text, 3, 0.5, error))


def shards(folder):
    return sorted(folder.glob("*.jsonl"))


def test_what_is_added_is_found_by_the_next_store(tmp_path):
    store = Store(tmp_path / "store")
    assert len(store) == 0 and store.get(key_of(asked(1))) is None and not (tmp_path / "store").exists()
    store.add([row(1, "one"), row(2, "zwei\n„drei“ \ud800 🙂")])
    store.add([row(3, "", "no memory")])
    for found in (store, Store(tmp_path / "store")):
        assert len(found) == 3
        assert found.get(key_of(asked(1))) == Answer("one", 3, 0.5)
        assert found.get(key_of(asked(2))).text == "zwei\n„drei“ \ud800 🙂"
        assert found.get(key_of(asked(3))).error == "no memory"
        assert found.models == [("r", {"kind": "rule", "model": "r@1"})]
    assert len(shards(tmp_path / "store")) == 1


def test_a_key_is_all_that_is_asked_in_any_order():
    assert key_of({"a": 1, "b": [1]}) == key_of({"b": [1], "a": 1})
    assert len({key_of(asked(1)), key_of(asked(2)), key_of(asked(1, seed=0)), key_of(asked(1, seed=1))}) == 4


@pytest.mark.parametrize("cut", [1, 2, 20, 120])
def test_a_torn_last_line_costs_its_item_alone(tmp_path, cut):
    Store(tmp_path).add([row(1), row(2)])
    (shard,) = shards(tmp_path)
    os.truncate(shard, shard.stat().st_size - cut)
    store = Store(tmp_path)
    assert store.get(key_of(asked(1))) is not None
    assert (store.get(key_of(asked(2))) is not None) == (cut == 1)  # only the newline is lost
    store.add([row(2, "again")])
    assert len(shards(tmp_path)) == 2 and len(Store(tmp_path)) == 2


def test_damaged_lines_are_counted_and_the_others_kept(tmp_path):
    Store(tmp_path).add([row(1), row(2), row(3)])
    (shard,) = shards(tmp_path)
    lines = shard.read_bytes().split(b"\n")
    lines[1:2] = [lines[1][:30], b"[]", b'{"text": 1}', b"\xff"]
    shard.write_bytes(b"\n".join(lines))
    with pytest.warns(UserWarning, match="4 damaged lines"):
        store = Store(tmp_path)
    assert [store.get(key_of(asked(i))) is not None for i in (1, 2, 3)] == [True, False, True]


def test_an_answer_wins_over_a_failure_and_the_older_over_the_newer(tmp_path):
    for number, (text, error) in enumerate([("", "failed"), ("first", None), ("second", None), ("", "late")]):
        other = Store(tmp_path / "other")
        other.add([row(1, text, error)])
        (shard,) = shards(tmp_path / "other")
        (tmp_path / "all").mkdir(exist_ok=True)
        shutil.move(shard, tmp_path / "all" / f"{number}.jsonl")
    assert Store(tmp_path / "all").get(key_of(asked(1))) == Answer("first", 3, 0.5)


def test_stores_are_merged_by_copying_shards(tmp_path):
    for name, items in (("a", (1, 2)), ("b", (2, 3))):
        Store(tmp_path / name).add([row(item) for item in items])
    shutil.copytree(tmp_path / "a", tmp_path / "both")
    shutil.copytree(tmp_path / "b", tmp_path / "both", dirs_exist_ok=True)
    assert len(Store(tmp_path / "both")) == 3


def test_a_line_says_what_was_asked_and_nothing_is_found_where_that_is_changed(tmp_path):
    Store(tmp_path).add([row(1)])
    (shard,) = shards(tmp_path)
    line = json.loads(shard.read_text())
    assert line["asked"] == asked(1) and line["name"] == "item 1" and line["text"] == "a text"
    line["asked"]["item"] = 7
    shard.write_text(json.dumps(line) + "\n")
    store = Store(tmp_path)
    assert store.get(key_of(asked(1))) is None and store.get(key_of(asked(7))).text == "a text"


def test_a_full_disk_loses_nothing_that_was_stored(small_disk):
    store = Store(small_disk / "store")
    store.add([row(0)])
    with pytest.raises(RunError, match="make room"):
        store.add([row(1, "x" * 100_000)])
    store.add([row(2)])
    found = Store(small_disk / "store")
    assert [found.get(key_of(asked(i))) is not None for i in (0, 1, 2)] == [True, False, True]


def test_a_fork_writes_a_shard_of_its_own(tmp_path):
    store = Store(tmp_path)
    store.add([row(1)])
    child = os.fork()
    if child == 0:
        store.add([row(2)])
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    store.add([row(3)])
    assert len(shards(tmp_path)) == 2 and len(Store(tmp_path)) == 3
    store.read()
    assert len(store) == 3


def write(folder):
    store = Store(folder)
    for item in range(20):
        store.add([row(item + 20 * distributed.rank())])


def test_processes_share_a_folder(tmp_path):
    together(write, 2, tmp_path)
    assert len(Store(tmp_path)) == 40 and len(shards(tmp_path)) == 2

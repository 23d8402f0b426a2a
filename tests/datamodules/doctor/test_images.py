from datamodules.doctor.images import absent, duplicates, inspect, unreadable

COLOURS = ["red", "lime", "blue", "red"]


def inspected(sources):
    found = {path: inspect(path, "none") for path in sources.paths.values()}
    return {path: content for path, content in found.items() if content is not None}


def test_whole_files_are_no_finding(split):
    sources = split("a", COLOURS[:3])
    assert absent(sources) == []
    assert unreadable(sources, inspected(sources)) == duplicates(sources, inspected(sources)) == []


def test_missing_and_empty_files_by_role(split):
    sources = split("a", COLOURS)
    sources.paths["a-1"].unlink()
    sources.paths["a-2"].write_bytes(b"")
    missing, empty = absent(sources)
    assert (missing.check, list(missing.items), missing.of) == ("images missing", ["a-1"], 4)
    assert missing.affected == {"reference": ["a-q1"], "target": ["a-q0"]}
    assert str(sources.paths["a-1"]) in missing.items["a-1"]
    assert list(empty.items) == ["a-2"] and empty.queries == ["a-q1", "a-q2"]
    assert missing.fails and empty.fails


def test_a_folder_or_an_impossible_name_is_no_image(split):
    sources = split("a", COLOURS[:2])
    sources.paths["a-0"].unlink()
    sources.paths["a-0"].mkdir()
    sources.paths["a-1"] = sources.paths["a-1"].with_name("nul\0")
    assert list(absent(sources)[0].items) == ["a-0", "a-1"]


def test_truncated_files_are_found_by_decoding(split):
    sources = split("a", COLOURS)
    path = sources.paths["a-3"]
    path.write_bytes(path.read_bytes()[:50])
    assert absent(sources) == []
    (found,) = unreadable(sources, inspected(sources))
    assert list(found.items) == ["a-3"] and "truncated or damaged" in found.items["a-3"]
    assert found.affected == {"target": ["a-q2"]}


def test_what_is_absent_is_not_reported_again(split):
    sources = split("a", COLOURS)
    sources.paths["a-1"].unlink()
    sources.paths["a-2"].write_bytes(b"")
    assert set(inspected(sources)) == {sources.paths["a-0"], sources.paths["a-3"]}
    assert unreadable(sources, inspected(sources)) == []


def test_copies_are_a_remark(split):
    sources = split("a", COLOURS)
    (found,) = duplicates(sources, inspected(sources))
    assert found.items == {"a-0": "same bytes as a-3", "a-3": "same bytes as a-0"}
    assert not found.fails

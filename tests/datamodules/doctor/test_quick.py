from dataclasses import replace

import pytest

from datamodules.doctor.quick import quick, require_sound
from datamodules.layouts.problems import Problem
from datamodules.sources import Query
from requery.errors import DataError


@pytest.fixture
def broken(split):
    """A split with an unusable record, an unknown name and a missing image."""
    sources = split("a", ["red", "lime", "blue"])
    sources.paths["a-2"].unlink()
    queries = [*sources.queries, Query("odd", {"reference": ("typo",)}, "odd")]
    return replace(sources, queries=queries, problems=[Problem("record 9: no caption", "q9")])


def test_sound_data_pass_without_being_decoded(split):
    sources = split("a", ["red", "lime"])
    sources.paths["a-0"].write_bytes(b"no image at all")
    assert quick(sources) == []
    require_sound([], hint="never shown")


def test_all_problems_come_in_one_error_with_the_hint(broken):
    with pytest.raises(DataError) as raised:
        require_sound(quick(broken), "ask the doctor")
    assert str(raised.value).splitlines() == [
        "a: files or records unusable: 1 (record 9: no caption); queries affected: 1 (q9)",
        "a: image names unknown: 1 (typo); queries affected: 1 (odd); typo: a reference unknown to the "
        "split's images; correct the names, or take captions and image splits of the same release",
        "a: images missing: 1 of 3 (a-2); queries affected: 1 (a-q1); a-2: looked for at "
        f"{broken.paths['a-2']}; fetch them, correct their root, or leave them out with on_bad: skip",
        "ask the doctor",
    ]


def test_missing_images_may_be_left_out_and_names_may_not(broken):
    checks = [finding.check for finding in quick(replace(broken, skip_bad=True))]
    assert checks == ["files or records unusable", "image names unknown"]


def test_a_split_without_targets_can_only_be_predicted(split):
    sources = replace(split("a", ["red", "lime"]), has_truth=False)
    assert quick(sources) == []
    assert [finding.check for finding in quick(sources, needs_truth=True)] == ["targets not published"]


def test_empty_splits(split):
    sources = split("a", ["red"])
    assert [list(finding.items) for finding in quick(sources)] == [["there is no query"]]
    nothing = replace(sources, n_gallery=0)
    assert [list(finding.items) for finding in quick(nothing)] == [
        ["there is no query", "the gallery is empty"]
    ]

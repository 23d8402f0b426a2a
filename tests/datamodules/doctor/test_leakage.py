from dataclasses import replace

import pytest

from datamodules.doctor.images import inspect
from datamodules.doctor.leakage import leakage
from datamodules.sources import Query


@pytest.fixture
def two(split):
    return split("train", ["red", "lime", "blue"]), split("test", ["white", "black", "gray"])


def found(one, other, trained=True):
    paths = {*one.paths.values(), *other.paths.values()}
    return leakage(one, other, {path: inspect(path, "none") for path in paths}, trained)


def test_splits_that_share_nothing(two):
    assert found(*two) == []


def test_an_image_listed_by_both(two):
    train, test = two
    train = replace(train, names=[*train.names, "test-1"])
    (finding,) = found(train, test)
    assert list(finding.items) == ["test-1"] and finding.queries == ["test-q0", "test-q1"] and finding.fails
    (remark,) = found(train, test, trained=False)
    assert not remark.fails and remark.remedy == ""


def test_the_same_bytes_under_another_name(two):
    train, test = two
    test.paths["test-2"].write_bytes(train.paths["train-0"].read_bytes())
    (finding,) = found(train, test)
    assert finding.items == {"test-2": "same bytes as train-0"}
    assert finding.affected == {"target": ["test-q1"]} and finding.fails


def test_a_composed_query_asked_in_both(two):
    train, test = two
    test = replace(test, queries=[replace(train.queries[1], query_id="again"), *test.queries])
    (finding,) = found(train, test)
    assert finding.items == {"again": "asks what train-q1 asks"} and finding.fails
    assert finding.queries == ["again"]


def test_a_text_asked_in_both_is_a_remark(two):
    train, test = two
    train = replace(train, queries=[Query("c1", {"target": ("train-0",)}, "a dog")])
    test = replace(test, queries=[Query("c2", {"target": ("test-0",)}, "a dog")])
    (remark,) = found(train, test)
    assert remark.items == {"c2": "asks what c1 asks"} and not remark.fails

from dataclasses import replace

from datamodules.doctor.ids import outside_gallery, unresolved
from datamodules.sources import Query

COLOURS = ["red", "lime", "blue"]


def with_queries(sources, **images):
    return replace(sources, queries=[*sources.queries, Query("odd", images, "odd")])


def test_names_that_lead_somewhere_are_no_finding(split):
    sources = split("a", COLOURS)
    assert unresolved(sources) == outside_gallery(sources) == []


def test_every_unknown_name_is_listed_by_role(split):
    sources = with_queries(
        split("a", COLOURS), reference=("typo",), target=("a-1",), member=("a-2", "typo2", "typo3")
    )
    (found,) = unresolved(sources)
    assert list(found.items) == ["typo", "typo2", "typo3"]
    assert found.affected == {"reference": ["odd"], "member": ["odd"]} and found.queries == ["odd"]
    assert found.fails


def test_a_target_may_lie_in_another_split_and_a_reference_may_not(split):
    sources = with_queries(split("a", COLOURS), reference=("b-0",), target=("b-1",))
    sources = replace(sources, elsewhere=frozenset({"b-0", "b-1", "b-2"}))
    (found,) = unresolved(sources)
    assert list(found.items) == ["b-0"]
    (remark,) = outside_gallery(sources)
    assert list(remark.items) == ["b-1"] and remark.affected == {"target": ["odd"]} and not remark.fails

from dataclasses import dataclass, field

import pytest

from requery.changes import changed
from requery.errors import ConfigError


@dataclass(frozen=True)
class Inner:
    size: int = 3
    share: float = 0.5


@dataclass(frozen=True)
class Outer:
    name: str | None = "a"
    steps: tuple[str, ...] = ("one",)
    inner: Inner = field(default_factory=Inner)
    other: Inner | None = None


def test_nested_settings_are_changed_by_dots_or_mappings():
    expected = Outer(inner=Inner(4, 1.0))
    assert changed(Outer(), {"inner.size": 4, "inner.share": 1}) == expected
    assert changed(Outer(), {"inner": {"size": 4, "share": 1}}) == expected
    assert changed(expected, {"inner.size": 5}).inner == Inner(5, 1.0)  # the rest stays
    assert changed(Outer(), {"inner": Inner(7)}).inner == Inner(7)


def test_what_is_empty_begins_with_its_defaults():
    assert changed(Outer(), {"other.size": 4, "other.share": 0.1}).other == Inner(4, 0.1)
    assert changed(Outer(other=Inner(9)), {"other": None}).other is None
    assert changed(Outer(), {"name": None}).name is None


def test_lists_of_plain_files_become_tuples():
    assert changed(Outer(), {"steps": ["one", "two"]}).steps == ("one", "two")


@pytest.mark.parametrize(
    "change,words",
    [
        ({"inner.sise": 4}, r"Inner has no setting 'sise': did you mean size\?"),
        ({"innr.size": 4}, r"did you mean inner\.size\?"),
        ({"name.first": "b"}, "no setting 'name.first'"),
        ({"zzz": 1}, "known are name, steps, inner, inner.size"),
        ({"inner.size": "4"}, "size='4' must be of the kind int"),
        ({"inner.size": True}, "must be of the kind int"),
        ({"inner": None}, "inner=None must be of the kind Inner"),
    ],
)
def test_what_does_not_fit_is_named(change, words):
    with pytest.raises(ConfigError, match=words):
        changed(Outer(), change)

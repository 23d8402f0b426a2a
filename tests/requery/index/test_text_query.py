import pytest

from requery.errors import ConfigError
from requery.index.text_query import counted, merged


def test_repeats_add_up():
    assert counted(["a", "b", "a"], 0.5) == {"a": 1.0, "b": 0.5}
    assert counted([]) == {}


def test_merging_adds_weighted_terms():
    assert merged([{"a": 1, "b": 2}, {"b": 1}, {}], [1, 3, 9]) == {"a": 1, "b": 5}
    assert merged([]) == {}
    with pytest.raises(ConfigError, match="1 weights for 2 queries"):
        merged([{}, {}], [1.0])

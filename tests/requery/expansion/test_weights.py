"""The original query keeps its half; weights follow their origins."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from requery.errors import ConfigError
from requery.expansion import Weighting
from requery.expansion.weights import (
    added_weights,
    attended,
    capped,
    original_weights,
    synonym_weights,
)

TERMS = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0.01, 50), max_size=8)


def test_origins_have_their_weights():
    weighting = Weighting()
    original = original_weights(str.split, "eat animal eat", "deer forest animal", weighting)
    assert original == {"eat": 2.0, "animal": 1.5, "deer": 0.5, "forest": 0.5}
    added = added_weights(
        str.split, "eat animal", "eat deer", ["deer grass", "grass", "moss moss", "x"], weighting
    )
    assert added == pytest.approx({"deer": 1.5, "grass": 0.3 + 0.35, "moss": 0.3 + 0.175, "x": 0.3 + 0.175})
    assert list(added) == [
        "deer",
        "grass",
        "moss",
        "x",
    ]  # in every process: sums have the same bits


def test_equal_weights_are_plain_counts():
    weighting = Weighting(caption=1.0)
    assert original_weights(str.split, "a b a", "b c", weighting) == {"a": 2, "b": 2, "c": 1}


@settings(deadline=None)
@given(TERMS, TERMS, st.floats(0, 0.5))
def test_the_original_keeps_its_share(original, added, mass):
    whole = capped(original, added, mass)
    assert all(whole[term] >= weight for term, weight in original.items())
    if original:
        assert sum(original.values()) >= (1 - mass) * sum(whole.values()) * (1 - 1e-12)
    else:
        assert whole == added


def test_what_fits_is_not_scaled_and_what_does_not_keeps_its_proportions():
    assert capped({"a": 4.0}, {"b": 1.0, "c": 2.0}, 0.5) == {"a": 4.0, "b": 1.0, "c": 2.0}
    assert capped({"a": 1.0}, {"b": 1.0, "c": 3.0}, 0.5) == {"a": 1.0, "b": 0.25, "c": 0.75}
    assert capped({"a": 1.0}, {"a": 1.5}, 0.5) == {"a": 1.5}
    assert capped({"a": 1.0}, {"b": 9.0}, 0.0) == {"a": 1.0}


def test_synonyms_and_attention():
    weighting = Weighting(synonyms=0.5, attention=2.0)
    near = {"deer": {"stag": 0.8}, "animal": {"stag": 0.9, "beast": 0.7}}
    assert synonym_weights({"deer": 2.0, "animal": 1.0}, near, weighting) == pytest.approx(
        {"stag": 0.8, "beast": 0.35}
    )
    assert attended({"deer": 1.0, "eat": 1.0}, {"deer": 0.25}, weighting) == {"deer": 1.5, "eat": 1.0}


@pytest.mark.parametrize(
    "wrong", [{"max_expansion_mass": 0.51}, {"question": -1.0}, {"caption": float("nan")}]
)
def test_weights_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Weighting(**wrong)

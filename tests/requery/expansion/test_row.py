import pytest

from requery.errors import ConfigError
from requery.expansion import ExpansionSettings, Gate
from requery.expansion.row import BASELINE, ExpansionRow, main_row, named

SETTINGS = ExpansionSettings()


def test_a_row_is_named_by_what_differs():
    assert ExpansionRow(by="none", search="dense").name == "none, dense"
    assert ExpansionRow().name == "model" and ExpansionRow(label="full").name == "full"
    row = ExpansionRow(lora=False, change={"image": False, "weighting.caption": 1.0}, search="hybrid")
    assert row.name == "model(lora=False, image=False, weighting.caption=1.0), hybrid"


def test_changes_are_of_the_modules_settings():
    own = ExpansionRow(
        change={"caption": False, "weighting.max_expansion_mass": 0.25, "drawing": {"seed": 3}}
    )
    by, lora, settings = own.expansion(ExpansionSettings(window=4))
    assert (by, lora) == ("model", True) and settings.window == 4 and not settings.caption
    assert settings.weighting.max_expansion_mass == 0.25 and settings.weighting.question == 1
    assert settings.drawing.seed == 3 and settings.drawing.top_p == 0.9


def test_a_gate_begins_with_its_defaults_and_can_be_taken_away():
    gated = ExpansionRow(change={"gate.below": 0.2}).expansion(SETTINGS).settings
    assert gated.gate == Gate(below=0.2)
    assert ExpansionRow(change={"gate": {"shape": "focus"}}).expansion(SETTINGS).settings.gate == Gate(
        "focus"
    )
    assert ExpansionRow(change={"gate": None}).expansion(gated).settings.gate is None


def test_the_original_query_is_expanded_by_nobody():
    by, lora, settings = ExpansionRow(by="none", change={"gate.below": 1}).expansion(SETTINGS)
    assert (by, lora) == ("none", False) and settings.gate is None
    assert not settings.rewrite and not settings.expand
    assert ExpansionRow(by="rules").expansion(SETTINGS) == ("rules", False, SETTINGS)


def test_rows_that_only_search_differently_share_an_expansion():
    dense, sparse = ExpansionRow(search="dense"), ExpansionRow(label="other")
    assert (
        dense.expansion(SETTINGS)
        == sparse.expansion(SETTINGS)
        != ExpansionRow(lora=False).expansion(SETTINGS)
    )


@pytest.mark.parametrize(
    "change,words",
    [
        ({"imag": False}, "ExpansionSettings has no setting 'imag': did you mean image?"),
        ({"weighting.captoin": 1}, "Weighting has no setting 'captoin': did you mean caption?"),
        ({"image.shown": True}, "no setting 'image.shown'"),
        ({"image": "no"}, "image='no' must be of the kind bool"),
        ({"window": 2.5}, "window=2.5 must be of the kind int"),
        ({"expansions": 4}, "window=8 must lie in"),
        ({"weighting.max_expansion_mass": 0.9}, "max_expansion_mass"),
    ],
)
def test_a_wrong_change_is_named(change, words):
    with pytest.raises(ConfigError, match=words.replace("?", r"\?")):
        ExpansionRow(change=change)


def test_wrong_names_are_named():
    with pytest.raises(ConfigError, match="by='models' must be one of none, rules, model"):
        ExpansionRow(by="models")
    with pytest.raises(ConfigError, match="search='sparse'"):
        ExpansionRow(search="sparse")


def test_the_baseline_comes_first_and_names_are_distinct():
    rows = named([ExpansionRow(by="rules"), ExpansionRow(lora=False), ExpansionRow()])
    assert list(rows) == [BASELINE, "rules", "model(lora=False)", "model"] and main_row(rows) == "model"
    assert main_row(named([ExpansionRow(by="rules")])) == "rules"
    with pytest.raises(ConfigError, match="two rows have one name"):
        named([ExpansionRow(), ExpansionRow()])

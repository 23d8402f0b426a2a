import pytest

from experiments.sweep.parameter import Parameter, read_parameter
from requery.errors import ConfigError


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"value": 3}, Parameter("a", (3,))),
        ({"values": ["x", True, 2.5]}, Parameter("a", ("x", True, 2.5))),
        ({"values": [["x", 1], ["y"]]}, Parameter("a", ('["x", 1]', '["y"]'))),
        ({"min": 1, "max": 3}, Parameter("a", (), 1, 3, whole=True)),
        ({"min": 1, "max": 3.0}, Parameter("a", (), 1, 3.0)),
        ({"min": 0, "max": 3, "distribution": "uniform"}, Parameter("a", (), 0, 3)),
        ({"min": 0, "max": 6, "q": 2, "distribution": "q_uniform"}, Parameter("a", (), 0, 6, 2, whole=True)),
        ({"min": 0, "max": 0.6, "q": 0.2, "distribution": "q_uniform"}, Parameter("a", (), 0, 0.6, 0.2)),
        (
            {"min": 1e-4, "max": 1.0, "distribution": "log_uniform_values"},
            Parameter("a", (), 1e-4, 1.0, log=True),
        ),
    ],
)
def test_wandbs_distributions_are_read(given, expected):
    assert read_parameter("a", given, "sweep.yaml") == expected


def test_ends_and_grid():
    choice = read_parameter("a", {"values": [3, 1]}, "sweep.yaml")
    assert choice.ends == choice.grid == (3, 1) and choice.varies
    whole = read_parameter("a", {"min": 2, "max": 5}, "sweep.yaml")
    assert whole.ends == (2, 5) and whole.grid == (2, 3, 4, 5)
    plain = read_parameter("a", {"min": 0.5, "max": 2}, "sweep.yaml")
    assert plain.ends == (0.5, 2.0) and plain.grid is None
    assert not read_parameter("a", {"value": 1}, "sweep.yaml").varies


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (3, r"it is 3; write \{value"),
        ({"parameters": {"b": {"value": 1}}}, "write dotted keys"),
        ({"value": 1, "valeus": 2}, r"unknown key valeus: did you mean value\?"),
        ({"min": 1}, "int_uniform needs max|uniform needs max"),
        ({"min": 1, "max": 2, "distribution": "log_uniform"}, "log_uniform is none of .*log_uniform_values"),
        ({"mu": 1, "distribution": "normal"}, "distribution normal is none of"),
        ({"values": []}, "write a list"),
        ({"values": "ab"}, "write a list"),
        ({"values": [1, 1]}, "one value twice"),
        ({"value": None}, "null; W&B would hand over the word None"),
        ({"values": [1, None]}, "null; W&B would hand over the word None"),
        ({"min": 2, "max": 2}, "min 2 is not below max 2"),
        ({"min": "1e-4", "max": 1}, r"min is '1e-4', no number; YAML needs the point"),
        ({"min": 0, "max": 1, "distribution": "log_uniform_values"}, "a logarithm needs more than 0"),
        ({"min": 0.5, "max": 2, "distribution": "int_uniform"}, "give integers"),
        ({"min": 1, "max": 5, "q": 2, "distribution": "q_uniform"}, "must be multiples of q, 2"),
    ],
)
def test_what_one_of_the_two_would_not_take_is_named(given, message):
    with pytest.raises(ConfigError, match=r"^sweep\.yaml, parameter a: .*") as error:
        read_parameter("a", given, "sweep.yaml")
    assert error.match(message)

import pytest

from requery.episodes import Episode, Segment, plan_episodes
from requery.errors import ConfigError

FOG, SNOW = Segment("fog", 3), Segment("snow", 5)


def test_plans():
    assert Segment("clean", 0).name == "clean" and FOG.name == "fog@3"
    separate = plan_episodes("separate", [FOG, SNOW], 2)
    assert separate == [Episode((s,), order) for s in (FOG, SNOW) for order in (0, 1)]
    assert plan_episodes("sequence", [FOG, SNOW], 1) == [Episode((FOG, SNOW), 0)]
    assert plan_episodes("cyclic", [FOG, SNOW], 1, cycles=2) == [Episode((FOG, SNOW, FOG, SNOW), 0)]
    (gradual,) = plan_episodes("gradual", [FOG], 1)
    assert [segment.severity for segment in gradual.segments] == [1, 2, 3, 2, 1]


@pytest.mark.parametrize(
    ("plan", "segments", "orders"), [("all", [FOG], 1), ("sequence", [], 1), ("cyclic", [FOG], 0)]
)
def test_wrong_plans_are_refused(plan, segments, orders):
    with pytest.raises(ConfigError):
        plan_episodes(plan, segments, orders)

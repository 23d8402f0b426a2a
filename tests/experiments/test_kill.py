"""SIGKILL at any moment: the run that is resumed ends as the one that was never stopped, to the bit."""

import random
import shutil
import signal

import pytest

from tests.experiments.restart import differences, execute, finish, outcome, prepare
from tests.interruptions import COUNT, KILL, count_or_kill, events

POINTS = 22


@pytest.fixture(scope="module")
def whole(checkpoints, tmp_path_factory):
    """The outcome of the uninterrupted run, and how many events its fit and its test had."""
    folder = prepare(tmp_path_factory.mktemp("whole") / "run", checkpoints)
    counts = []
    for name in ("fit", "test"):
        path = folder.parent / name
        status = execute(folder, name, {COUNT: str(path)}, count_or_kill)
        assert status == 0, (folder / "log.txt").read_text()
        counts.append(events(path))
    return outcome(folder), counts


def killed(folder, counts, point):
    """Run until event `point` of fit and test together, and no further."""
    for name, count in zip(("fit", "test"), counts, strict=True):
        if point <= count:
            assert execute(folder, name, {KILL: str(point)}, count_or_kill) == -signal.SIGKILL
            return
        assert execute(folder, name) == 0
        point -= count


@pytest.mark.slow
def test_a_killed_run_ends_as_the_uninterrupted_one(whole, checkpoints, tmp_path):
    expected, counts = whole
    points = random.Random(0).sample(range(1, sum(counts) + 1), POINTS)
    for point in points:
        folder = prepare(tmp_path / str(point), checkpoints)
        killed(folder, counts, point)
        finish(folder)
        assert differences(outcome(folder), expected) == [], f"killed at event {point} of {counts}"
        shutil.rmtree(folder)


@pytest.mark.slow
def test_a_run_killed_again_and_again_ends_as_well(whole, checkpoints, tmp_path):
    expected, counts = whole
    folder = prepare(tmp_path / "run", checkpoints)
    draw, kills = random.Random(1), 0
    while (
        execute(folder, "fit", {KILL: str(draw.randrange(counts[0] // 4, counts[0] // 2))}, count_or_kill)
        != 0
    ):
        kills += 1
        assert kills < 40, "it never ends"
    finish(folder)
    assert kills >= 2 and differences(outcome(folder), expected) == []

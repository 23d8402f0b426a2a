import pytest

from datamodules.layouts.problems import Problem, fail, reporting
from requery.errors import DataError


def broken(message):
    raise DataError(message)


def test_the_first_problem_is_raised():
    with pytest.raises(DataError, match="one"), reporting(fail):
        broken("one")


def test_problems_are_collected_and_reading_goes_on():
    problems = []
    with reporting(problems.append, "q7"):
        broken("one")
    with reporting(problems.append):
        broken("two")
    assert problems == [Problem("one", "q7"), Problem("two")]


def test_other_errors_are_nobodys_problem():
    with pytest.raises(ValueError, match="ours"), reporting([].append):
        raise ValueError("ours")

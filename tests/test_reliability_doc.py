"""Every behaviour that docs/reliability.md promises names tests that exist."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reliability.md"
NAME = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


@cache
def defined_in(path):
    """Names of the test functions of a file, those in classes included; none where there is no file."""
    if not path.exists():
        return frozenset()
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return frozenset(node.name for node in nodes if isinstance(node, ast.FunctionDef))


def rows():
    """The cells of the tables' rows, without their heads."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    return [line.strip("| ").split(" | ") for line in lines if not line.startswith("| fault |")]


def test_every_test_it_names_exists():
    named = NAME.findall(PAGE.read_text(encoding="utf-8"))
    absent = [f"{path}::{name}" for path, name in named if name not in defined_in(ROOT / path)]
    assert named and absent == []


def test_every_fault_has_a_behaviour_and_a_test():
    assert len(rows()) > 40
    for row in rows():
        assert len(row) == 3 and all(row) and NAME.search(row[2]), row


def test_the_number_of_inputs_it_states_is_drawn():
    stated = re.search(r"draw ([\d,]+) inputs", PAGE.read_text(encoding="utf-8"))
    files = (ROOT / "tests").rglob("test_*_properties.py")
    drawn = [int(n) for file in files for n in re.findall(r"^@inputs\((\d+)\)", file.read_text(), re.M)]
    assert sum(drawn) == int(stated[1].replace(",", ""))

"""Each folder imports, of our folders, only those below it; the science knows neither Lightning nor W&B."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LAYERS = ["experiments", "callbacks", "lightning_modules", "datamodules", "requery"]
FRAMEWORKS = {"lightning", "lightning_fabric", "pytorch_lightning", "wandb"}


def imported(source: str) -> set[str]:
    """The first part of every module a source imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


def forbidden_to(layer: str) -> set[str]:
    above = set(LAYERS[: LAYERS.index(layer)]) | {"tests", "benchmarks"}
    return above | FRAMEWORKS if layer == "requery" else above


def test_imports_are_found_inside_functions():
    assert imported("def f():\n    from callbacks.x import y\n    import wandb.sdk") == {"callbacks", "wandb"}


@pytest.mark.parametrize("layer", LAYERS)
def test_layer_imports_only_what_is_below(layer):
    files = sorted((ROOT / layer).rglob("*.py"))
    assert files
    wrong = {
        str(file.relative_to(ROOT)): sorted(names)
        for file in files
        if (names := imported(file.read_text(encoding="utf-8")) & forbidden_to(layer))
    }
    assert not wrong

from pathlib import Path

import pytest
import yaml

CONFIG = {
    "trainer": {"max_epochs": 1, "logger": False, "enable_progress_bar": False, "accelerator": "cpu"},
    "model": {"class_path": "tests.experiments.dummy.Regression", "init_args": {"lr": 0.01}},
    "data": {"class_path": "tests.experiments.dummy.Numbers"},
}


@pytest.fixture
def config(tmp_path) -> Path:
    """A config file of the dummy experiment; runs go beside it."""
    path = tmp_path / "toy.yaml"
    path.write_text(yaml.safe_dump({**CONFIG, "runs_root": str(tmp_path / "runs")}))
    return path

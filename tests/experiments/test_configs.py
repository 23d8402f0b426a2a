"""Every experiment and study file parses against the signatures it names."""

from pathlib import Path

import pytest
import yaml

from experiments.cli import resolve
from experiments.study_file import plan, read_study

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "experiments").rglob("*.yaml"))
STUDIES = [path for path in FILES if "arms" in (yaml.safe_load(path.read_text()) or {})]
ELSEWHERE = {"sweeps", "reproduce", "ladder"}  # tests of their own have these
CONFIGS = [path for path in FILES if path not in STUDIES and path.parts[len(ROOT.parts) + 1] not in ELSEWHERE]


def name(path):
    return str(path.relative_to(ROOT / "experiments"))


@pytest.mark.parametrize("path", CONFIGS, ids=name)
def test_experiment_parses(path, monkeypatch):
    monkeypatch.chdir(ROOT)
    for command in ("fit", "test"):
        assert resolve(command, [f"--config={path}"])["model"]["class_path"]


@pytest.mark.parametrize("path", STUDIES, ids=name)
def test_study_parses(path, monkeypatch):
    monkeypatch.chdir(ROOT)
    study = read_study(path)
    for run in plan(study, path, study.seeds[:1], Path("runs")):
        for command in run.commands:
            assert resolve(command, run.args(command))["experiment"] == run.arm.name

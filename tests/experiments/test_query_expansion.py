"""Query expansion from the command line: rows as settings, the table, the figure, several processes."""

import pytest
import yaml

from experiments.__main__ import main
from experiments.cli import run
from requery.generation import Answer, source
from tests.processes import group
from tests.requery.expansion.conftest import reader

QUIET = ["--trainer.enable_progress_bar=false", "--trainer.accelerator=cpu", "--trainer.logger=false"]
SIZES = {"train": 4, "val": 3, "test": 110}  # 660 questions, 2 blocks
FILES = ("expansion.json", "expansion.parquet", "metrics.json", "run.trec", "traces/model.jsonl")


class Reader:
    """The reader, which takes the same time for every answer."""

    name, takes_prompts, batch_size = "reader", True, 64

    def __init__(self):
        self.identity = {"kind": "rule", "model": "reader"}

    def answer(self, prompts, sampling):
        texts = [reader(prompt) for prompt in prompts]
        return [Answer(text, len(text.split()), 0.25) for text in texts]


def told():
    """Put the reader in the model's place."""
    source.load_generator = lambda *_: Reader()


@pytest.fixture
def config(checkpoints, tmp_path):
    arguments = {
        "generator": {"checkpoint": "reader", "store": str(tmp_path / "store")},
        "encoder": str(checkpoints / "clip"),
        "rows": [
            {"by": "rules"},
            {"by": "model"},
            {"by": "model", "search": "hybrid", "change": {"image": False}},
        ],
        "cache": str(tmp_path / "cache"),
    }
    content = {
        "model": {"class_path": "lightning_modules.QueryExpansionModule", "init_args": arguments},
        "data": {
            "class_path": "datamodules.ShapesDataModule",
            "init_args": {"task": "knowledge", "families": SIZES},
        },
        "runs_root": str(tmp_path / "runs"),
    }
    path = tmp_path / "rows.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_a_test_its_table_and_its_figure(config, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(source, "load_generator", lambda *_: Reader())
    small = "--data.families.test=4"
    folder = run("test", [f"--config={config}", small, "--model.settings.window=4", *QUIET])
    said = capsys.readouterr().out
    assert "By answers: shapes/knowledge@1" in said and "model(image=False), hybrid" in said
    assert "shapes/knowledge@1 expanded (model) (test, 24 queries" in said and "gold/recall@1" in said
    assert main(["figure", str(folder), "--x=asked", f"--out={tmp_path / 'asked.svg'}"]) == 0
    assert "P@5 by the share of questions asked about" in (tmp_path / "asked.svg").read_text()
    assert main(["figure", str(folder), "--x=round"]) == 2
    assert "draw it with --x asked" in capsys.readouterr().err
    assert main(["report", str(folder), f"--output={tmp_path / 'report.html'}"]) == 0
    page = (tmp_path / "report.html").read_text()
    assert "Query expansion" in page and "At random" in page and "hybrid" in page


def test_a_wrong_change_is_named_with_its_remedy(config, capsys):
    rows = yaml.safe_dump([{"by": "model", "change": {"imag": False}}], default_flow_style=True).strip()
    assert main(["test", f"--config={config}", f"--model.rows={rows}", *QUIET]) == 2
    assert "did you mean image?" in capsys.readouterr().err


@pytest.mark.slow
def test_any_number_of_processes_gives_the_same_files(config, tmp_path):
    made = {}
    for processes in (1, 2, 3):
        root = tmp_path / str(processes)
        root.mkdir()
        arguments = ["test", f"--config={config}", f"--runs_root={root}", "--run=one", *QUIET]
        arguments += [f"--model.cache={root / 'cache'}", f"--model.generator.store={root / 'store'}"]
        codes = group(arguments, processes, root, root / "log", root / "rows" / "one", prepare=told)
        assert codes == [0] * processes, "".join(path.read_text() for path in root.glob("log.*"))
        made[processes] = [(root / "rows" / "one" / name).read_bytes() for name in FILES]
        assert len(list((root / "store").glob("*.jsonl"))) == processes  # each asked its share
    assert made[1] == made[2] == made[3]

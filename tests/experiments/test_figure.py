import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from experiments.__main__ import main
from tests.experiments.report import synthetic

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def figure(tmp_path, monkeypatch, capsys):
    """Runs the command where `runs/rest/one` is a run; returns status, the figure and what is printed."""
    monkeypatch.chdir(tmp_path)
    synthetic.write(Path("runs/rest/one"), features=True)

    def run(*args):
        status = main(["figure", *map(str, args)])
        out = Path("figure.svg")
        return status, ElementTree.fromstring(out.read_text()) if out.exists() else None, capsys.readouterr()

    return run


def test_lines_are_written(figure):
    status, made, shown = figure("runs/rest/one", "--x=batch_size")
    assert status == 0 and shown.out == "figure.svg: recall@1, %\n"
    assert "tcr(steps=5)" in [text.text for text in made.findall(".//{*}text")]


def test_the_latest_run_is_found_and_the_file_named(figure):
    status, _, _ = figure("latest", "--x=batch_size", "--y=gain", "--shift=fog@5", "--out=deep/gain.svg")
    assert status == 0
    assert "Gain in recall@1, points" in Path("deep/gain.svg").read_text()


def test_embeddings_are_written(figure):
    status, made, _ = figure("latest", "--features", "--shift=fog@5", "--shift=jpeg@5")
    assert status == 0
    shown = [text.text for text in made.findall(".//{*}text")]
    assert {"fog@5", "jpeg@5", "clean queries"} <= set(shown) and "snow@5" not in shown


@pytest.mark.parametrize(
    "args,words",
    [
        (("runs/rest/one", "--x=batch"), "no setting 'batch': did you mean batch_size?"),
        (("runs/rest/one", "--x=batch_size", "--metric=recall"), "no metric 'recall'"),
        (("runs/rest/one", "--x=batch_size", "--y=gaps"), "did you mean gap?"),
        (("runs/rest/one", "--x=batch_size", "--shift=a", "--shift=b"), "--shift is a and b"),
        (("runs/rest/one", "--features", "--y=gain"), "leave out --y"),
        (("runs/rest", "--x=lr"), "is no run of RESTModule's test"),
    ],
)
def test_what_cannot_be_drawn_is_status_two(figure, args, words):
    status, made, shown = figure(*args)
    assert status == 2 and made is None and words in shown.err


def test_no_run_at_all_is_said(figure):
    Path("runs/rest/one/shifts.json").unlink()
    assert "no run of RESTModule's test below runs" in figure("latest", "--x=lr")[2].err


def test_help_is_fast():
    code = (
        "import sys; from experiments.__main__ import main\n"
        "try: main(['figure', '--help'])\n"
        "except SystemExit: pass\n"
        "sys.exit(str({'torch', 'lightning', 'numpy'} & set(sys.modules) or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.strip() == "" and "--features" in done.stdout

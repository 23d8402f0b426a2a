import subprocess
import sys
from pathlib import Path

import pytest

from experiments import __main__ as entry
from requery.errors import DataError

ROOT = Path(__file__).resolve().parents[2]


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from experiments.__main__ import main; status = main(['--help'])\n"
        "heavy = {'torch', 'lightning', 'transformers', 'numpy', 'yaml'} & set(sys.modules)\n"
        "sys.exit(f'{status} {heavy}' if status or heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    commands = ("fit", "validate", "test", "predict", "study", "report", "doctor", "convert")
    assert all(f"  {name} " in done.stdout for name in commands)


def test_unknown_command_suggests(capsys):
    assert entry.main(["rpeort"]) == 2
    assert "unknown command rpeort: did you mean report?" in capsys.readouterr().err


def test_without_command_prints_usage(capsys):
    assert entry.main([]) == 2
    assert "usage:" in capsys.readouterr().out


@pytest.fixture
def failing(monkeypatch):
    def fail(args):
        raise DataError("captions.json: no such file")

    monkeypatch.setattr(entry, "dispatch", fail)
    monkeypatch.delenv("REQUERY_DEBUG", raising=False)


def test_an_error_is_one_message_without_traceback(failing, capsys):
    assert entry.main(["fit"]) == 2
    assert capsys.readouterr().err == "error: captions.json: no such file\n"


def test_debug_shows_the_traceback(failing, monkeypatch):
    with pytest.raises(DataError):
        entry.main(["fit", "--debug"])
    monkeypatch.setenv("REQUERY_DEBUG", "1")
    with pytest.raises(DataError):
        entry.main(["fit"])

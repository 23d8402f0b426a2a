"""Two processes may share a feature cache, never a run folder."""

import os
import re
import signal

import pytest
import yaml

from experiments.run_options import claim, open_run, read_options
from experiments.study import execute
from experiments.study_file import plan, read_study
from requery.errors import RunError
from tests.another import another, holding

pytestmark = pytest.mark.filterwarnings("ignore")


def options_of(root, *args):
    return [f"--runs_root={root}", "--experiment=demo", *args]


def start(root, *args):
    """A process that works in a run folder until the block ends; its `ready` is the folder's path."""
    code = (
        "import sys; from experiments.run_options import *\n"
        "options = read_options(sys.argv[1:]); claim(options)\n"
        "print(open_run(options, 'fit', {'ckpt_path': None}).path, flush=True)"
    )
    return another(code, *options_of(root, *args))


def begin(root, *args):
    options = read_options(options_of(root, *args))
    claim(options)
    return open_run(options, "fit", {"ckpt_path": None}).path


def test_the_second_run_gets_a_new_name(tmp_path, capsys):
    with start(tmp_path, "--run=one") as first:
        assert first.ready == str(tmp_path / "demo" / "one")
        assert begin(tmp_path, "--run=one").name == "one-2"
        (line,) = capsys.readouterr().out.splitlines()
        assert re.search(rf"demo/one is in use by process {first.pid} on .*: this run is one-2$", line)
        assert begin(tmp_path, "--run=one").name == "one-3"
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == ["one", "one-2", "one-3"]


def test_a_name_that_is_not_in_use_is_still_an_error(tmp_path):
    with start(tmp_path, "--run=one") as first:
        first.send_signal(signal.SIGKILL)
        first.wait()
        with pytest.raises(RunError, match=r"holds a run: continue it with --resume one"):
            begin(tmp_path, "--run=one")


@pytest.mark.parametrize("name", ["one", "latest"])
def test_a_run_in_use_is_not_resumed(tmp_path, name):
    with start(tmp_path, "--run=one") as first:
        with pytest.raises(
            RunError, match=rf"demo/one is in use by process {first.pid} on .*wait until it ends"
        ):
            begin(tmp_path, f"--resume={name}")
        first.send_signal(signal.SIGKILL)
        first.wait()
        assert begin(tmp_path, f"--resume={name}") == tmp_path / "demo" / "one"


def test_names_by_the_clock_do_not_collide(tmp_path):
    with start(tmp_path) as first, start(tmp_path) as second:
        assert len({first.ready, second.ready, str(begin(tmp_path))}) == 3


@pytest.fixture
def run(config):
    """The only run of a study."""
    path = config.with_name("pair.yaml")
    path.write_text(yaml.safe_dump({"arms": [{"name": "arm", "config": "toy.yaml", "command": "test"}]}))
    (run,) = plan(read_study(path), path, [0], path.parent / "runs")
    return run


@pytest.mark.parametrize("fresh", [False, True])
def test_a_study_leaves_a_folder_in_use_alone(run, fresh):
    assert execute(run)
    (run.folder / "metrics.json").unlink()
    before = sorted(run.folder.iterdir())
    with holding(run.folder) as other:
        with pytest.raises(RunError, match=rf"seed-0 is in use by process {other.pid} on"):
            execute(run, fresh)
        assert sorted(run.folder.iterdir()) == before
    assert execute(run, fresh)


def test_two_studies_do_not_begin_the_same_run(run):
    code = (
        "import sys; from pathlib import Path; from requery.lock import *\n"
        "with reserved(Path(sys.argv[1])): print('reserved', flush=True); sys.stdin.read()"
    )
    with another(code, run.folder) as other:
        with pytest.raises(RunError, match=rf"seed-0 is in use by process {other.pid} on"):
            execute(run)
    assert not run.folder.exists()


def test_a_study_gives_its_folders_back(run):
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        execute(run, fresh=True)
    assert len(os.listdir("/proc/self/fd")) <= before + 1
    with holding(run.folder) as other:
        assert other.ready == "held"

"""Published tables from the command line: what runs, what is missing, and runs that were interrupted."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from PIL import Image

from experiments.__main__ import main
from experiments.reproduce.table_file import TABLES
from requery.errors import RunError
from tests.datamodules.questions import write_okvqa

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def at_root(monkeypatch, tmp_path):
    """Run from the checkout, with the environment as it was afterwards."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("REQUERY_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("WANDB_MODE", "disabled")
    return tmp_path


@pytest.fixture
def commands(monkeypatch):
    """The commands that are really run, here rather than in processes of their own."""
    from experiments import cli, study

    done = []

    def run(command, args, own_process):
        assert own_process
        done.append(command)
        cli.run(command, args)

    monkeypatch.setattr(study, "_run", run)
    return done


def reproduce(folder, *args):
    return main(["reproduce", *args, f"--data-root={folder / 'data'}", f"--runs-root={folder / 'runs'}"])


def record(folder, table):
    return json.loads((folder / "runs" / f"reproduce-{table}" / "reproduce.json").read_text())


def questions(folder):
    """Questions, answers, captions and corpus in the official layout."""
    (folder / "data" / "okvqa").mkdir(parents=True)
    return write_okvqa(folder / "data" / "okvqa")


def smaller(folder):
    """The shipped table of QueryFormer as if the paper had had that corpus: P@5 10, R@5 and R@10 50."""
    table = yaml.safe_load((TABLES / "queryformer_t1.yaml").read_text())
    for column in table["columns"].values():
        column |= {"queries": 2, "gallery": 3}
    for made in table["experiments"].values():
        made["config"] = str(ROOT / "experiments" / made["config"].removeprefix("../../"))
    row = table["rows"][0]
    row["values"][:3] = [11.0, 50, 47.0]
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(table, sort_keys=False))
    return path


def test_what_is_missing_is_found_by_looking(at_root, capsys):
    (at_root / "data").mkdir()
    assert reproduce(at_root, "queryformer_t1", "--only=BM25", "--only=CLIP") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "Nothing was run, so nothing is confirmed or refuted." in shown
    assert "openai/clip-vit-base-patch32 is not in the hub's cache at c237dc49a33fc61debc" in shown
    written = record(at_root, "queryformer_t1")
    assert {one["kind"] for one in written["missing"]} >= {"weights", "data"}
    (bm25,) = [one for one in written["missing"] if "bm25" in one["experiments"] and one["kind"] == "data"]
    assert f"{at_root}/data/okvqa: no such folder" in bm25["what"]

    (questions(at_root) / "okvqa_train_corpus.csv").unlink()
    reproduce(at_root, "queryformer_t1", "--only=BM25")
    whats = [
        one["what"] for one in record(at_root, "queryformer_t1")["missing"] if "bm25" in one["experiments"]
    ]
    assert len(whats) == 1 and "okvqa_train_corpus.csv: no such file" in whats[0]
    assert (
        (at_root / "runs" / "reproduce-queryformer_t1" / "reproduce.html")
        .read_text()
        .count("okvqa_train_corpus")
    )


def test_a_row_runs_as_soon_as_its_files_are_there(at_root, commands, capsys):
    questions(at_root)
    assert reproduce(at_root, "queryformer_t1", "--only=BM25") == 1
    assert commands == ["test"]
    gs112k = record(at_root, "queryformer_t1")["cells"][:3]
    assert {cell["verdict"] for cell in gs112k} == {"not comparable"}
    assert gs112k[0]["reason"] == "queries: 2, not 5,046; gallery: 3, not 112,724"
    assert [round(cell["run"]["value"], 4) for cell in gs112k] == [10, 50, 50]
    assert "not all of it is within tolerance" in capsys.readouterr().out


def test_verdicts_and_interruptions(at_root, commands):
    table = str(smaller(at_root))
    questions(at_root)
    for _ in range(2):
        assert reproduce(at_root, table, "--only=BM25") == 1
    assert commands == ["test"], "a finished run is not run again"
    cells = record(at_root, "small")["cells"]
    assert [cell["verdict"] for cell in cells[:3]] == ["reproduced", "reproduced", "off"]
    assert cells[0]["difference"] == pytest.approx(-1, abs=1e-4)
    assert [cell["verdict"] for cell in cells[3:]] == ["not run"] * 3 + ["published only"] * 3

    folder = at_root / "runs" / "reproduce-small" / "bm25" / "seed-0"
    (folder / "metrics.json").unlink()  # as if killed before its end
    (folder / "mine").touch()
    reproduce(at_root, table, "--only=BM25")
    assert commands == ["test", "test"] and (folder / "mine").exists(), "it goes on in its folder"

    shutil.rmtree(at_root / "data" / "okvqa")  # a run from elsewhere is read where its data are not
    assert reproduce(at_root, table, "--only=BM25") == 1
    assert commands == ["test", "test"] and record(at_root, "small")["cells"][0]["verdict"] == "reproduced"


def test_a_failed_run_is_told_and_the_rest_goes_on(at_root, monkeypatch, capsys):
    from experiments import study

    def fail(command, args, own_process):
        raise RunError(f"{command} ended with status 2; its own message is above")

    monkeypatch.setattr(study, "_run", fail)
    questions(at_root)
    assert reproduce(at_root, "queryformer_t1", "--only=BM25") == 1
    words = [cell["verdict"] for cell in record(at_root, "queryformer_t1")["cells"]]
    assert words == ["failed"] * 3 + ["not run"] * 3 + ["published only"] * 3
    assert "bm25 failed: test ended with status 2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["qure_t9"], "unknown table qure_t9: did you mean qure_t"),
        ([], "which table"),
        (["qure_t4", "--only=Qure"], "qure_t4 has no row 'Qure': did you mean QuRe"),
    ],
)
def test_wrong_usage(at_root, args, message, capsys):
    assert reproduce(at_root, *args) == 2
    assert message in capsys.readouterr().err


def test_a_broken_config_is_an_error(at_root, capsys):
    path = smaller(at_root)
    path.write_text(path.read_text().replace("model.encoder: null", "model.encodr: null"))
    assert reproduce(at_root, str(path), "--only=BM25") == 2
    assert "encodr" in capsys.readouterr().err


def test_the_list_names_every_table(capsys):
    assert main(["reproduce", "--list"]) == 0
    shown = capsys.readouterr().out
    assert all(path.stem in shown for path in TABLES.glob("*.yaml"))


def flickr30k(folder):
    """Six images of the test split in the Karpathy layout."""
    images = folder / "data" / "flickr30k" / "images"
    images.mkdir(parents=True)
    records = []
    for number in range(6):
        Image.new("RGB", (24, 24), (40 * number, 90, 0)).save(images / f"{number}.jpg")
        texts = ["a large red circle", "a small blue star at the top left"]
        sentences = [{"raw": text, "sentid": 2 * number + i} for i, text in enumerate(texts)]
        records.append({"filename": f"{number}.jpg", "split": "test", "sentences": sentences})
    content = {"dataset": "flickr30k", "images": records}
    (images.parent / "dataset_flickr30k.json").write_text(json.dumps(content))


@pytest.mark.slow
def test_a_killed_table_goes_on(at_root, clip):
    """TCR's Table 3 with a local CLIP: killed in its second run, whose first is then not run again."""
    flickr30k(at_root)
    clip.save(str(at_root / "weights" / "openai--clip-vit-base-patch16"))
    args = ["reproduce", "tcr_t3", "--only=CLIP-B, Tent", f"--weights={at_root / 'weights'}"]
    args += [f"--data-root={at_root / 'data'}", f"--runs-root={at_root / 'runs'}"]
    command = [sys.executable, "-m", "experiments", *args]
    runs = at_root / "runs" / "reproduce-tcr_t3"
    first, second = (runs / f"flickr30k_{way}" / "seed-0" for way in ("i2t", "t2i"))
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 600
    while not (second / "config.yaml").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.5)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (second / "metrics.json").exists()
    done = (first / "metrics.json").stat().st_mtime_ns

    assert subprocess.run(command, cwd=ROOT, timeout=600).returncode == 1  # six images are not the paper's
    assert (first / "metrics.json").stat().st_mtime_ns == done
    cells = record(at_root, "tcr_t3")["cells"]
    assert [cell["verdict"] for cell in cells] == ["not comparable"] * 2 + ["not run"] * 11
    shifts = json.loads((second / "shifts.json").read_text())
    (table,) = [table for table in shifts["tables"] if table["metric"] == "recall@1"]
    tent = table["rows"][0]["cells"]["tent"]
    assert cells[1]["run"]["value"] == pytest.approx(100 * tent["value"])


@pytest.mark.slow
def test_a_trained_model_is_tested_and_predicts(at_root, commands, checkpoints):
    """QuRe on a few Shapes: a fit, a test of its checkpoint, and a prediction that a server scores."""
    (at_root / "weights").mkdir()
    (at_root / "weights" / "blip2_vitl").symlink_to(checkpoints / "blip2")
    made = {
        "config": str(ROOT / "experiments" / "qure" / "shapes.yaml"),
        "weights": {"model.backbone": "blip2_vitl"},
        "overrides": {
            "model.cache": str(at_root / "cache"),
            "model.negatives.strategy": "in_batch",
            "data.families": {"train": 6, "val": 2, "test": 4},
            "trainer.callbacks": [],
            "trainer.max_epochs": 1,
        },
    }
    columns = {
        "R@1": {"protocol": "shapes/composed@1", "read": {"metric": "recall@1"}},
        "R@10": {"protocol": "shapes/composed@1", "read": {"metric": "recall@10"}},
        "both": {"mean": ["R@1", "R@10"]},
    }
    content = {
        "title": "a few Shapes",
        "source": "none",
        "made_by": "this test",
        "tolerance": {"points": 100, "reason": "any number will do"},
        "columns": columns,
        "experiments": {
            "qure": {**made, "command": "fit"},
            "tested": {**made, "checkpoint": "qure"},
            "sent": {**made, "checkpoint": "qure", "command": "predict"},
        },
        "rows": [
            {"name": "tested", "run": "tested", "values": [10, 50, 30]},
            {"name": "sent", "run": "sent", "read": {"file": "server"}, "values": [10, 50, 30]},
        ],
    }
    path = at_root / "shapes.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    arguments = [str(path), f"--weights={at_root / 'weights'}"]

    assert reproduce(at_root, *arguments) == 0 and commands == ["fit", "test", "predict"]
    root = at_root / "runs" / "reproduce-shapes"
    cells = record(at_root, "shapes")["cells"]
    assert [cell["verdict"] for cell in cells] == ["reproduced"] * 3 + ["waits for the server"] * 3
    measured = json.loads((root / "tested" / "seed-0" / "metrics.json").read_text())["metrics"]
    for cell, metric in zip(cells[:2], ("recall@1", "recall@10"), strict=True):
        for key, factor in (("value", 100), ("low", 100), ("high", 100), ("n", 1)):
            assert cell["run"][key] == pytest.approx(factor * measured[metric][key])
    assert cells[2]["run"]["value"] == pytest.approx(
        (cells[0]["run"]["value"] + cells[1]["run"]["value"]) / 2
    )
    assert str(root / "qure/seed-0/checkpoints/best.ckpt") in (root / "tested/seed-0/config.yaml").read_text()

    (root / "sent" / "seed-0" / "server.json").write_text('{"recall@1": 20.0, "recall@10": 60.0}')
    assert reproduce(at_root, *arguments) == 0 and len(commands) == 3
    sent = record(at_root, "shapes")["cells"][3:]
    assert [cell["run"]["value"] for cell in sent] == [20, 60, 40]
    assert [cell["verdict"] for cell in sent] == ["reproduced"] * 3

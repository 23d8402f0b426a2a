"""QuRe's shipped tables on a handful of queries in the official layouts: tables that need another's run."""

import json
import shutil
from pathlib import Path

import pytest

from experiments.__main__ import main
from tests.datamodules.composed import (
    dump,
    fashion_captions,
    write_circo,
    write_fashion_iq,
    write_judged,
)
from tests.datamodules.conftest import CIRRFolder

ROOT = Path(__file__).resolve().parents[3]
SHORT = ["--trainer.precision=32", "--trainer.max_epochs=7", "--trainer.accelerator=cpu"]
QUIET = ["--trainer.enable_progress_bar=false", "--trainer.logger=false"]
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def reproduce(checkpoints, monkeypatch, tmp_path):
    """Run a table, its runs here and short, on a machine that seems to have a GPU; returns what it wrote."""
    from experiments import cli, study

    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("REQUERY_DATA", "")
    monkeypatch.setattr("experiments.reproduce.needs._gpu_memory", lambda: 80.0)
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "blip2_vitl").symlink_to(checkpoints / "blip2")
    cache = f"--model.cache={tmp_path / 'cache'}"
    monkeypatch.setattr(study, "_run", lambda c, args, own: cli.run(c, [*args, cache, *SHORT, *QUIET]))

    def run(table):
        places = {"data-root": "data", "weights": "weights", "runs-root": "runs"}
        options = [f"--{name}={tmp_path / folder}" for name, folder in places.items()]
        status = main(["reproduce", table, "--only=QuRe", *options])
        return status, json.loads((tmp_path / "runs" / f"reproduce-{table}" / "reproduce.json").read_text())

    return run


def verdicts(record):
    return {cell["verdict"] for cell in record["cells"]}


def test_fashion_iq_and_what_people_prefer(reproduce, tmp_path):
    root = write_fashion_iq(tmp_path / "data" / "fashion_iq")
    pairs = {"dress": ["AB", "BC", "CA", "AD"], "shirt": ["SP", "PQ", "QS"], "toptee": ["US", "VU", "UV"]}
    for category, own in pairs.items():
        dump(root / "captions" / f"cap.{category}.train.json", fashion_captions(own))
    write_judged(tmp_path / "data" / "hp_fashioniq")

    status, record = reproduce("qure_t4")
    assert status == 0 and verdicts(record) == {"not run"}
    (missing,) = record["missing"]
    assert "`python -m experiments reproduce qure_t2`, which is not done" in missing["what"]

    status, record = reproduce("qure_t2")
    assert status == 1 and verdicts(record) == {"not comparable"}
    assert record["cells"][0]["reason"] == "queries: 3, not 2,017; gallery: 4, not 3,817"
    assert {cell["run"]["value"] for cell in record["cells"]} == {100.0}  # no category has more than four
    status, record = reproduce("qure_t4")
    (cell,) = record["cells"]
    assert cell["verdict"] in ("reproduced", "off") and 0 <= cell["run"]["value"] <= 100


def test_cirr_and_circo_wait_for_their_servers(reproduce, tmp_path):
    folder = CIRRFolder(tmp_path / "data" / "cirr")
    folder.write()
    for images in folder.images.values():  # the config looks for images below the root itself
        for relative in images.values():
            path = folder.root / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(folder.root / "pictures" / relative)
    write_circo(tmp_path / "data" / "circo")
    for table, file, answer in (
        ("qure_t3", "recall_subset.json", {f"recall@{k}": 80.0 for k in (1, 5, 10, 50)}),
        ("qure_t5", "submission.json", {f"map@{k}": 23.5 for k in (5, 10, 25, 50)}),
    ):
        status, record = reproduce(table)
        assert status == 0 and verdicts(record) == {"waits for the server"}
        run = tmp_path / "runs" / f"reproduce-{table}" / "qure" / "seed-0"
        assert (run / file).is_file()
        subset = {f"recall_subset@{k}": 78.0 for k in (1, 2, 3)} if table == "qure_t3" else {}
        (run / "server.json").write_text(json.dumps(answer | subset))
    shutil.rmtree(
        tmp_path / "data" / "circo"
    )  # as if read elsewhere: the runs here are shorter than the table's
    status, record = reproduce("qure_t5")
    assert [round(cell["difference"], 2) for cell in record["cells"]] == [0.28, -0.73, -2.76, -3.74]
    assert [cell["verdict"] for cell in record["cells"]] == ["reproduced", "reproduced", "off", "off"]
    assert status == 1

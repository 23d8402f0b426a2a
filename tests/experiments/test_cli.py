import json
import re

import pytest
import torch
import yaml

from experiments.__main__ import main
from experiments.cli import resolve, run
from requery.errors import ConfigError, RunError

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def fitted(config):
    """A run folder after `fit` with a knob given on the command line, and its checkpoint."""
    folder = run("fit", [f"--config={config}", "--run=a", "--model.knob=7", "--model.method.steps=4"])
    return folder, folder / "checkpoints" / "last.ckpt"


def seen(folder):
    return json.loads((folder / "metrics.json").read_text())


def test_fit_leaves_a_run_folder(fitted, config):
    folder, _ = fitted
    assert folder == config.parent / "runs" / "toy" / "a"
    names = {path.name for path in folder.rglob("*") if path.is_file()}
    assert names >= {
        "config.yaml",
        "environment.json",
        "cost.json",
        "history.jsonl",
        "best.ckpt",
        "last.ckpt",
    }


def test_checkpoints_load_with_weights_only(fitted):
    for path in fitted[1].parent.glob("*.ckpt"):
        assert torch.load(path, weights_only=True)["hyper_parameters"]["knob"] == 7


def test_resolved_config_runs_again(fitted):
    folder, _ = fitted
    again = run("fit", [f"--config={folder}/config.yaml"])
    assert again != folder and again.parent == folder.parent
    assert (again / "config.yaml").read_text() == (folder / "config.yaml").read_text()
    weights = [
        torch.load(path / "checkpoints/last.ckpt")["state_dict"]["layer.weight"] for path in (folder, again)
    ]
    assert torch.equal(*weights)


def test_command_line_wins_over_checkpoint(fitted, config):
    arguments = [f"--config={config}", f"--ckpt_path={fitted[1]}"]
    folder = run("test", [*arguments, "--model.knob=5", "--model.method.rate=0.25"])
    assert seen(folder) == {"knob": 5, "steps": 4, "seed": 0}  # 4: not given, so the checkpoint's
    assert yaml.safe_load((folder / "config.yaml").read_text())["model"]["init_args"]["knob"] == 5


def test_config_wins_over_checkpoint(fitted, config):
    content = yaml.safe_load(config.read_text())
    content["model"]["init_args"] = {"knob": 6, "method": {"steps": 2}}
    config.write_text(yaml.safe_dump(content))
    folder = run("test", [f"--config={config}", f"--ckpt_path={fitted[1]}"])
    assert seen(folder) == {"knob": 6, "steps": 2, "seed": 0}


def test_checkpoint_alone_names_the_model(fitted, config):
    data = [
        "--data=tests.experiments.dummy.Numbers",
        f"--runs_root={config.parent}",
        "--trainer.logger=false",
    ]
    folder = run("test", [*data, f"--ckpt_path={fitted[1]}", "--model.knob=5"])
    assert seen(folder) == {"knob": 5, "steps": 4, "seed": 0}


def test_tests_in_the_resumed_folder(fitted, config):
    folder, _ = fitted
    before = (folder / "config.yaml").read_text()
    assert run("test", [f"--config={config}", "--resume=latest"]) == folder
    assert (folder / "config.yaml").read_text() == before
    tested = yaml.safe_load((folder / "config_test.yaml").read_text())
    assert tested["ckpt_path"] == str(folder / "checkpoints" / "best.ckpt")


def test_fit_resumes_where_it_stopped(fitted, config):
    folder, checkpoint = fitted
    assert run("fit", [f"--config={config}", "--resume=a", "--trainer.max_epochs=3"]) == folder
    assert torch.load(checkpoint)["epoch"] == 2
    epochs = [json.loads(line)["epoch"] for line in (folder / "history.jsonl").read_text().splitlines()]
    assert epochs == [0, 1, 2]


def test_nothing_to_resume_is_an_error(config):
    with pytest.raises(RunError, match="nothing to resume: no run in"):
        run("fit", [f"--config={config}", "--resume=latest"])
    assert not (config.parent / "runs").exists()


def test_resuming_an_unknown_run_names_the_known(fitted, config):
    with pytest.raises(RunError, match=r"nothing to resume: no run 'b'.*there are a$"):
        run("fit", [f"--config={config}", "--resume=b"])


def test_without_checkpoint_a_fit_begins_again_and_a_test_is_refused(fitted, config, capsys):
    folder, checkpoint = fitted
    for path in checkpoint.parent.glob("*.ckpt"):
        path.unlink()
    with pytest.raises(RunError, match=r"nothing to resume: .* has no best\.ckpt or last\.ckpt"):
        run("test", [f"--config={config}", "--resume=a"])
    assert run("fit", [f"--config={config}", "--resume=latest"]) == folder
    assert "no checkpoint yet" in capsys.readouterr().out and checkpoint.exists()


def test_a_test_that_needs_no_training_is_repeated_in_its_folder(config):
    folder = run("test", [f"--config={config}", "--run=a"])
    (folder / "metrics.json").unlink()
    assert run("test", [f"--config={config}", "--resume=latest"]) == folder
    assert seen(folder)["knob"] == 3


def test_run_and_resume_exclude_each_other(config):
    with pytest.raises(ConfigError, match="only one"):
        run("fit", [f"--config={config}", "--run=a", "--resume=b"])


def test_a_taken_run_name_is_an_error(fitted, config):
    with pytest.raises(RunError, match="--resume a"):
        run("fit", [f"--config={config}", "--run=a"])


def test_missing_checkpoint_is_an_error(config):
    with pytest.raises(RunError, match=r"no checkpoint nope\.ckpt"):
        run("test", [f"--config={config}", "--ckpt_path=nope.ckpt"])


def test_unwritable_runs_root_is_an_error_before_anything_is_built(config, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"file.*cannot be written"):
        run("fit", [f"--config={config}", f"--runs_root={tmp_path / 'file'}", "--data.batch_size=0"])


@pytest.mark.parametrize("free", [20_000, 12_000, 0])
def test_a_full_disk_stops_the_run_with_an_error(config, small_disk, free, capsys):
    (small_disk / "filler").write_bytes(b"0" * (2**16 - free))
    assert main(["fit", f"--config={config}", f"--runs_root={small_disk}"]) == 2
    message = capsys.readouterr().err
    assert re.search(r"the disk is full; (more than )?\d+ bytes needed, \d+ free|No space left", message)
    assert not [path for path in small_disk.rglob(".*") if path.suffix == ".tmp"]
    for path in small_disk.rglob("*.ckpt"):
        torch.load(path, weights_only=True)


def test_predict_leaves_writing_to_the_module(config):
    folder = run("predict", [f"--config={config}"])
    assert (folder / "predictions.txt").read_text() == "4"


def test_one_seed_for_everything(config):
    folder = run("test", [f"--config={config}", "--seed_everything=3"])
    assert seen(folder)["seed"] == 3
    assert resolve("test", [f"--config={config}", "--seed_everything=3"])["data"]["init_args"]["seed"] == 3


def test_data_refuses_in_one_message(config):
    with pytest.raises(ConfigError, match="batch_size"):
        run("fit", [f"--config={config}", "--data.batch_size=0"])


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        (
            "--model.init_args.lrr=1",
            r"unknown key model\.init_args\.lrr .*did you mean model\.init_args\.lr\?",
        ),
        ("--model.method.stpes=1", r"did you mean model\.init_args\.method\.steps\?"),
        ("--modle.lr=1", r"unknown key modle\.lr: did you mean model"),
        ("--trainer.max_epoch=1", r"unknown key trainer\.max_epoch: did you mean trainer\.max_epochs\?"),
        ("--data.batchsize=1", r"did you mean data\.init_args\.batch_size\?"),
        ("--rnu=a", r"unknown key rnu: did you mean run\?"),
        ("--model.knob=many", "int"),
    ],
)
def test_wrong_argument(config, argument, message):
    with pytest.raises(ConfigError, match=message):
        run("fit", [f"--config={config}", argument])
    assert not (config.parent / "runs").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"trainer": {"max_epoch": 1}},
            r"unknown key trainer\.max_epoch: did you mean trainer\.max_epochs\?",
        ),
        ({"modle": {"lr": 1}}, r"unknown key modle\.lr: did you mean model"),
        (
            {"model": {"class_path": "tests.experiments.dummy.Regresion"}},
            r"did you mean tests\.\w+\.dummy\.Regression\?",
        ),
        (
            {"model": {"class_path": "tests.experiments.dummy.Regression", "init_args": {"knbo": 1}}},
            r"unknown key model\.init_args\.knbo .*did you mean model\.init_args\.knob\?",
        ),
        (
            {
                "model": {
                    "class_path": "tests.experiments.dummy.Regression",
                    "init_args": {"method": {"stpes": 1}},
                }
            },
            r"unknown key model\.init_args\.method\.stpes .*did you mean model\.init_args\.method\.steps\?",
        ),
    ],
)
def test_wrong_config(config, change, message):
    config.write_text(yaml.safe_dump({**yaml.safe_load(config.read_text()), **change}))
    with pytest.raises(ConfigError, match=message):
        run("fit", [f"--config={config}"])
    assert not (config.parent / "runs").exists()


def test_config_that_is_missing_or_no_mapping(config):
    with pytest.raises(ConfigError, match=r"nope\.yaml"):
        run("fit", ["--config=nope.yaml"])
    config.write_text("- a list")
    with pytest.raises(ConfigError, match="no settings"):
        run("fit", [f"--config={config}"])

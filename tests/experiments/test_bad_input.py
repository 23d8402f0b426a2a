"""What a user reads when data, settings or disk are wrong: one message, exit code 2, nothing lost."""

from __future__ import annotations

import json

import pytest
import torch
import yaml
from PIL import Image

from experiments.__main__ import main

NAMES = [f"img{i}" for i in range(12)]


@pytest.fixture
def cirr(tmp_path, checkpoints):
    """A dozen images in CIRR's layout, and a config that tests on them."""
    root = tmp_path / "data"
    for split in ("train", "val", "test1"):
        (root / "images" / split).mkdir(parents=True)
        for i, name in enumerate(NAMES):
            image = Image.new("RGB", (30, 30), (20 * i, 90, 200 - 10 * i))
            image.save(root / "images" / split / f"{name}.png")
        pairs = [
            {
                "pairid": i,
                "reference": NAMES[i],
                "target_hard": NAMES[i + 1],
                "target_soft": {NAMES[i + 1]: 1.0},
                "caption": "a bit redder",
                "img_set": {"id": 0, "members": NAMES[i : i + 6], "reference_rank": 0, "target_rank": 1},
            }
            for i in range(6)
        ]
        write(root / "cirr" / "captions" / f"cap.rc2.{split}.json", pairs)
        write(
            root / "cirr" / "image_splits" / f"split.rc2.{split}.json",
            {name: f"./{split}/{name}.png" for name in NAMES},
        )
    config = {
        "model": {
            "class_path": "lightning_modules.QuReModule",
            "init_args": {"backbone": str(checkpoints / "blip2"), "cache": str(tmp_path / "cache")},
        },
        "data": {
            "class_path": "datamodules.CIRRDataModule",
            "init_args": {"root": str(root), "image_root": "images", "name": "tiny"},
        },
        "trainer": {"logger": False, "enable_progress_bar": False, "accelerator": "cpu"},
        "runs_root": str(tmp_path / "runs"),
    }
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(config))
    return root, path


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def edit(path, change):
    content = json.loads(path.read_text())
    write(path, change(content))


def refused(capsys, *args):
    """Run a command that must fail; returns its message."""
    assert main([str(arg) for arg in args]) == 2
    message = capsys.readouterr().err
    assert "Traceback" not in message
    return message


def test_a_good_layout_is_tested_and_predicted(cirr):
    _, config = cirr
    assert main(["test", f"--config={config}", "--run=one"]) == 0
    folder = config.parent / "runs" / "tiny" / "one"
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["protocol"] == "tiny/test1@1" and metrics["metrics"]["recall_subset@1"]["n"] == 6
    assert main(["predict", f"--config={config}", "--run=two"]) == 0
    lists = json.loads((folder.parent / "two" / "recall_subset.json").read_text())
    assert lists["metric"] == "recall_subset" and len(lists["0"]) == 3


def test_a_missing_image_is_named(cirr, capsys):
    root, config = cirr
    (root / "images" / "test1" / "img3.png").unlink()
    assert "img3" in refused(capsys, "test", f"--config={config}")


def test_a_truncated_image_is_named(cirr, capsys):
    root, config = cirr
    path = root / "images" / "test1" / "img5.png"
    path.write_bytes(path.read_bytes()[:60])
    assert "img5.png" in refused(capsys, "test", f"--config={config}")


def test_a_skipped_image_is_counted_beside_the_score(cirr, capsys):
    root, config = cirr
    (root / "images" / "test1" / "img3.png").unlink()
    assert main(["test", f"--config={config}", "--run=skip", "--data.on_bad=skip"]) == 0
    metrics = json.loads((config.parent / "runs" / "tiny" / "skip" / "metrics.json").read_text())
    assert metrics["notes"]["images_skipped"] == 1
    # img3 is a reference (its query cannot be asked) and a target (its query is a miss, not left out)
    assert metrics["notes"]["queries_dropped"] == 1 and metrics["metrics"]["recall@1"]["n"] == 5
    (line,) = (
        line for line in capsys.readouterr().out.splitlines() if line.startswith("tiny/test1@1 (test,")
    )
    assert "recall@1 " in line and line.endswith(
        "1 images skipped, 1 queries dropped, 1 targets outside gallery, 2 subsets reduced"
    )


def test_a_pair_with_an_unknown_image_is_named(cirr, capsys):
    root, config = cirr
    captions = root / "cirr" / "captions" / "cap.rc2.test1.json"
    edit(captions, lambda pairs: [{**pairs[0], "reference": "nobody"}, *pairs[1:]])
    message = refused(capsys, "test", f"--config={config}")
    assert "(nobody)" in message and "affected: 1 (0)" in message and "split.rc2.test1.json" in message


def test_an_empty_gallery_is_named(cirr, capsys):
    root, config = cirr
    write(root / "cirr" / "image_splits" / "split.rc2.test1.json", {})
    assert "split.rc2.test1.json" in refused(capsys, "test", f"--config={config}")


def test_an_unwritable_runs_root_is_named(cirr, capsys, tmp_path):
    _, config = cirr
    (tmp_path / "file").write_text("in the way")
    message = refused(capsys, "test", f"--config={config}", f"--runs_root={tmp_path / 'file' / 'runs'}")
    assert "file" in message


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--model.negativs.k=3", "did you mean model.init_args.negatives.k?"),
        ("--model.negatives.strategy=two_drops", "did you mean two_drop?"),
        ("--model.negatives.per_query=0", "per_query is 0; it must be at least 1"),
        ("--model.negatives.k=-1", "k=-1 must be at least 1"),
        ("--model.negatives.k=many", "model.init_args.negatives.k is 'many'; expected int"),
        ("--model.lr=-1", "lr is -1.0; it must be at least 0"),
        ("--model.lr=fast", "model.init_args.lr is 'fast'; expected float"),
        ("--data.batch_size=-1", "batch_size is -1; it must be at least 1"),
        ("--data.on_bad=ignore", "data.init_args.on_bad is 'ignore': known are error, skip"),
        ("--trainer.max_epochs=2.5", "trainer.max_epochs is '2.5'; expected int"),
    ],
)
def test_a_wrong_setting_is_named_before_a_model_is_loaded(cirr, capsys, monkeypatch, option, message):
    monkeypatch.setattr("lightning_modules.retrieval.load_backbone", lambda *_: pytest.fail("too late"))
    _, config = cirr
    assert message in refused(capsys, "test", f"--config={config}", option)
    assert not (config.parent / "runs").exists()


def test_a_backbone_that_is_nowhere_is_named(cirr, capsys):
    _, config = cirr
    assert "nowhere/at/all" in refused(
        capsys, "test", f"--config={config}", "--model.backbone=nowhere/at/all"
    )
    assert not list(config.parent.glob("runs/*/*"))


def test_training_without_memory_says_what_to_set(cirr, capsys, monkeypatch):
    def step(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 3 GiB.\nDetails.")

    monkeypatch.setattr("lightning_modules.qure.QuReModule.training_step", step)
    _, config = cirr
    message = refused(capsys, "fit", f"--config={config}", "--trainer.max_epochs=1")
    assert "Tried to allocate 3 GiB." in message and "smaller --data.batch_size" in message

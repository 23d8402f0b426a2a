from functools import wraps

import pytest
import yaml

from datamodules.shapes import ShapesDataModule
from datamodules.sources import Query, Sources
from experiments.__main__ import main
from experiments.data_check import check_data, splits_used
from requery.errors import DataError
from tests.datamodules.conftest import CIRRFolder
from tests.experiments.dummy import Regression

QURE, PRETRAINING = "lightning_modules.QuReModule", "lightning_modules.ClipPretraining"


class Files:
    """Two splits of one image and one query each; `val` has no image file."""

    def __init__(self, folder, skip_bad=False):
        self.folder, self.skip_bad, self.asked = folder, skip_bad, []
        (folder / "train.png").write_bytes(b"not decoded here")

    def sources(self, split):
        self.asked.append(split)
        paths = {split: self.folder / f"{split}.png"}
        queries = [Query(f"{split}-q", {"reference": (split,)})]
        return Sources(f"tiny/{split}", [split], queries, 1, paths=paths, skip_bad=self.skip_bad)


@pytest.mark.parametrize(
    ("command", "model", "trainer", "splits"),
    [
        ("fit", QURE, {}, ("train", "val")),
        ("fit", QURE, {"limit_val_batches": 0}, ("train",)),
        ("fit", PRETRAINING, {"limit_val_batches": None}, ("train",)),
        ("validate", QURE, {}, ("val",)),
        ("test", QURE, {}, ("test",)),
        ("predict", QURE, {}, ("test",)),
    ],
)
def test_only_what_a_command_reads_is_looked_at(command, model, trainer, splits):
    assert splits_used(command, model, trainer) == splits


def test_one_line_when_all_is_there(tmp_path, capsys):
    check_data(Files(tmp_path), ("train",), [])
    assert capsys.readouterr().out == "data: train 1 queries, 1 images: all there\n"


def test_a_later_split_is_an_error_now_with_the_hint(tmp_path, capsys):
    with pytest.raises(DataError) as raised:
        check_data(Files(tmp_path), ("train", "val"), ["a.yaml", "b.yaml"])
    message = str(raised.value)
    assert message.startswith("tiny/val: images missing: 1 of 1 (val); queries affected: 1 (val-q)")
    assert message.endswith("python -m experiments doctor --config a.yaml --config b.yaml")
    assert capsys.readouterr().out == ""


def test_left_out_images_are_said(tmp_path, capsys):
    check_data(Files(tmp_path, skip_bad=True), ("train", "val"), [])
    assert "val 1 queries, 1 images (1 missing: left out)" in capsys.readouterr().out


def test_generated_data_cost_nothing(monkeypatch, capsys):
    def build(*_):
        raise AssertionError("generated for a check")

    monkeypatch.setattr(ShapesDataModule, "build_task", build)
    check_data(ShapesDataModule(), ("train", "val"), [])
    assert capsys.readouterr().out == "data: no file to check\n"


def test_a_fit_refuses_all_of_its_splits_before_the_model_is_made(tmp_path, config, capsys, monkeypatch):
    folder = CIRRFolder(tmp_path / "data")
    folder.pairs["train"][1]["reference"] = "typo"
    root = folder.write()
    (root / "pictures" / "val" / "7.png").unlink()
    (root / "pictures" / "test1" / "7.png").unlink()  # not of this command
    content = yaml.safe_load(config.read_text())
    settings = {"root": str(root), "image_root": "pictures", "name": "tiny"}
    content["data"] = {"class_path": "datamodules.CIRRDataModule", "init_args": settings}
    config.write_text(yaml.safe_dump(content))
    made = wraps(Regression.__init__)(lambda *_, **__: pytest.fail("too late"))  # with the signature it has
    monkeypatch.setattr(Regression, "__init__", made)
    assert main(["fit", f"--config={config}"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(" (")[0] for line in lines] == [
        "error: tiny/train: image names unknown: 1",
        "tiny/val: images missing: 1 of 8",
        f"everything about these data: python -m experiments doctor --config {config}",
    ]
    assert not list(tmp_path.glob("runs/*/*"))

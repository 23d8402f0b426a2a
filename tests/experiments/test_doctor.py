import json
import shutil
from pathlib import Path

import pytest
import yaml

from experiments.__main__ import main

MODEL = {"class_path": "tests.experiments.dummy.Regression"}


def config(folder: Path, module: str, **settings) -> str:
    path = folder / "data.yaml"
    data = {"class_path": f"datamodules.{module}", "init_args": settings}
    path.write_text(yaml.safe_dump({"model": MODEL, "data": data}))
    return f"--config={path}"


@pytest.fixture
def examined(tmp_path, capsys):
    """Runs doctor; returns the status, what it lists and what it prints."""

    def run(*args):
        status = main(["doctor", *args, f"--list={tmp_path / 'list.json'}"])
        return status, json.loads((tmp_path / "list.json").read_text()), capsys.readouterr().out

    return run


def by_check(findings):
    return {(finding["where"], finding["check"]): finding for finding in findings}


def test_generated_data_are_clean_by_construction(tmp_path, examined):
    settings = config(tmp_path, "ShapesDataModule", families={"train": 3, "val": 2, "test": 2})
    status, listed, shown = examined(settings, "--data.families.test=4")
    assert status == 0 and listed["findings"] == listed["remarks"] == []
    assert [(split["queries"], split["images"]) for split in listed["splits"]] == [(9, 18), (6, 12), (12, 24)]
    assert all(len(split["sha256"]) == 64 and split["sha256"][:16] in shown for split in listed["splits"])
    assert "no leakage between splits: generated" in shown
    assert shown.splitlines()[-1] == "clean: train, val, test"


def test_splits_are_chosen(tmp_path, examined):
    settings = config(tmp_path, "ShapesDataModule", families={"train": 3, "val": 2, "test": 2})
    status, listed, _ = examined(settings, "--splits=test,val")
    assert status == 0 and [split["split"] for split in listed["splits"]] == ["test", "val"]


def test_missing_data_are_findings_not_a_crash(tmp_path, examined):
    status, listed, shown = examined(config(tmp_path, "CIRRDataModule", root=str(tmp_path / "nowhere")))
    assert status == 1 and len(listed["findings"]) == 3
    assert shown.count("no such folder") == 3
    assert shown.splitlines()[-1] == "not clean: 3 findings, 0 queries affected"


def test_wrong_usage_is_status_two(tmp_path, capsys):
    settings = config(tmp_path, "ShapesDataModule")
    assert main(["doctor", settings, "--splits=tset"]) == 2
    assert "unknown split tset: choose from train, val, test" in capsys.readouterr().err
    assert main(["doctor", settings, "--data.familys.test=4"]) == 2
    assert "unknown key" in capsys.readouterr().err
    with pytest.raises(SystemExit) as exited:
        main(["doctor"])
    assert exited.value.code == 2


@pytest.mark.data
class TestRealData:
    def emoji(self, tmp_path, root):
        return config(tmp_path, "CIRRDataModule", name="emoji_cirr", root=str(root), image_root="images")

    def test_emoji_are_clean(self, data_root, tmp_path, examined):
        status, listed, shown = examined(self.emoji(tmp_path, data_root / "emoji_cirr"))
        assert status == 0 and listed["findings"] == []
        counts = [(split["queries"], split["gallery"], split["images"]) for split in listed["splits"]]
        assert counts == [(9685, 2538, 2538), (524, 211, 211), (2208, 645, 645)]
        outside = {r["where"]: len(r["queries"]) for r in listed["remarks"] if "another split" in r["check"]}
        assert outside == {"emoji_cirr/train": 63, "emoji_cirr/val": 30, "emoji_cirr/test1": 6}
        assert shown.splitlines()[-1] == "clean: train, val, test (5 remarks)"

    def test_three_things_broken_are_three_findings(self, data_root, tmp_path, examined):
        root = tmp_path / "emoji"
        shutil.copytree(data_root / "emoji_cirr", root, copy_function=shutil.copyfile)
        captions = root / "cirr" / "captions" / "cap.rc2.test1.json"
        images = json.loads((root / "cirr" / "image_splits" / "split.rc2.test1.json").read_text())
        pairs = json.loads(captions.read_text())
        deleted, truncated, renamed = pairs[0]["reference"], pairs[500]["reference"], pairs[900]
        assert len({deleted, truncated, renamed["reference"]}) == 3
        (root / "images" / images[deleted]).unlink()
        cut = root / "images" / images[truncated]
        cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
        renamed["reference"] += "x"
        captions.write_text(json.dumps(pairs))

        def using(name):
            keys = ("reference", "target_hard")
            return {
                str(p["pairid"]) for p in pairs if name in (*(p[k] for k in keys), *p["img_set"]["members"])
            }

        status, listed, shown = examined(self.emoji(tmp_path, root))
        assert status == 1 and len(listed["findings"]) == 3
        found = by_check(listed["findings"])
        for check, name in (
            ("images missing", deleted),
            ("images truncated or unreadable", truncated),
            ("image names unknown", renamed["reference"]),
        ):
            finding = found["emoji_cirr/test1", check]
            assert list(finding["items"]) == [name] and name in shown
            assert set(finding["queries"]) == using(name)
        assert set(found["emoji_cirr/test1", "image names unknown"]["queries"]) == {str(renamed["pairid"])}
        assert shown.splitlines()[-1].startswith("not clean: 3 findings")

    def test_annotations_without_images(self, data_root, tmp_path, examined):
        status, listed, _ = examined(config(tmp_path, "CIRRDataModule", root=str(data_root / "cirr")))
        found = by_check(listed["findings"])
        assert status == 1 and len(found) == len(listed["findings"]) == 4
        (absent,) = found["cirr/train", "files or records unusable"]["items"]
        assert "cap.rc2.train.json: no such file" in absent
        missing = {
            where: (len(finding["items"]), len(finding["queries"]))
            for (where, check), finding in found.items()
            if check == "images missing"
        }
        assert missing == {"cirr/train": (16939, 0), "cirr/val": (2297, 4181), "cirr/test1": (2315, 4148)}

    def test_a_benchmark_with_a_test_split_only(self, data_root, tmp_path, examined):
        root = str(data_root / "coco_mini")
        settings = config(tmp_path, "KarpathyDataModule", name="coco_mini", root=root, image_root="images")
        status, listed, _ = examined(settings)
        assert status == 1 and [f["where"] for f in listed["findings"]] == [
            "coco_mini/train",
            "coco_mini/val",
        ]
        status, listed, _ = examined(settings, "--splits=test")
        assert status == 0 and listed["splits"][0]["queries"] == 505

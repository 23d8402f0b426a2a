import json

import pytest

from datamodules.cirr import CIRRDataModule
from datamodules.doctor.examine import examine
from datamodules.karpathy import KarpathyDataModule
from datamodules.shapes import Families, ShapesDataModule
from requery.errors import DataError

SPLITS = ("train", "val", "test")


def look(data, splits=SPLITS):
    return examine(data, splits, lambda items, total: items)


def cirr(folder, **settings):
    return CIRRDataModule(root=str(folder.root), image_root="pictures", name="tiny", **settings)


def checks(found):
    return [(finding.where, finding.check, list(finding.items), finding.queries) for finding in found]


def test_clean_data(cirr_folder):
    cirr_folder.write()
    found = look(cirr(cirr_folder))
    assert found.findings == []
    assert checks(found.remarks) == [("tiny/test1", "targets not published", ["targets"], [])]
    assert [split.digest for split in found.splits] == [
        cirr(cirr_folder).task(split).digest() for split in SPLITS
    ]
    assert found.as_dict()["splits"][1] | {"sha256": ""} == {
        "split": "val", "where": "tiny/val", "queries": 3, "gallery": 8, "images": 8, "sha256": ""
    }  # fmt: skip


def test_every_problem_of_every_split_at_once(cirr_folder):
    del cirr_folder.pairs["val"][0]["caption"]
    cirr_folder.pairs["test1"][2]["reference"] = "typo"
    cirr_folder.write()
    cirr_folder.file("cap", "train").write_text("[{")
    pictures = cirr_folder.root / "pictures"
    (pictures / "val" / "7.png").unlink()
    (pictures / "val" / "2.png").write_bytes((pictures / "val" / "2.png").read_bytes()[:50])
    (pictures / "test1" / "6.png").write_bytes(b"")
    (pictures / "test1" / "4.png").write_bytes((pictures / "train" / "4.png").read_bytes())
    found = look(cirr(cirr_folder))
    train, record, *rest = checks(found.findings)
    assert train[:2] == ("tiny/train", "files or records unusable") and "not valid JSON" in train[2][0]
    assert record[0] == "tiny/val" and "'caption' is missing" in record[2][0] and record[3] == ["3"]
    assert rest == [
        ("tiny/val", "images missing", ["val-7"], ["13", "23"]),
        ("tiny/val", "images truncated or unreadable", ["val-2"], ["13", "23"]),
        ("tiny/test1", "image names unknown", ["typo"], ["23"]),
        ("tiny/test1", "images empty (0 bytes)", ["test1-6"], ["13"]),
        (
            "tiny/train and tiny/test1",
            "images with the bytes of one in the other split",
            ["test1-4"],
            ["3", "13"],
        ),
    ]
    assert [split.digest for split in found.splits] == [None, None, None]
    json.dumps(found.as_dict())


def test_absent_files_are_findings_and_other_splits_are_still_checked(cirr_folder):
    cirr_folder.write()
    cirr_folder.file("cap", "train").unlink()
    found = look(cirr(cirr_folder))
    assert len(found.findings) == 1 and "no such file" in next(iter(found.findings[0].items))
    assert [split.digest is None for split in found.splits] == [True, False, False]
    assert look(cirr(cirr_folder), ("val", "test")).findings == []


def test_no_folder_at_all(tmp_path):
    found = look(CIRRDataModule(root=str(tmp_path / "nowhere")))
    assert [(f.where, f.check) for f in found.findings] == [(split, "split unusable") for split in SPLITS]
    assert all(split.sources is None for split in found.splits)


def test_empty_splits_and_splits_without_targets(cirr_folder):
    cirr_folder.pairs["val"] = []
    cirr_folder.write()
    found = look(cirr(cirr_folder, train_split="test1"), ("train", "val"))
    assert checks(found.findings) == [
        ("tiny/test1", "targets not published", ["targets"], []),
        ("tiny/val", "split empty", ["there is no query"], []),
    ]


def test_what_only_building_finds_is_a_finding(cirr_folder, monkeypatch):
    def refuse(self, split):
        raise DataError("no such thing")

    cirr_folder.write()
    monkeypatch.setattr(CIRRDataModule, "build_task", refuse)
    assert checks(look(cirr(cirr_folder), ("val",)).findings) == [
        ("tiny/val", "split unusable", ["no such thing"], [])
    ]


def test_missing_images_are_found_though_they_would_be_skipped(cirr_folder):
    cirr_folder.write()
    (cirr_folder.root / "pictures" / "val" / "7.png").unlink()
    found = look(cirr(cirr_folder, on_bad="skip"))
    assert checks(found.findings) == [("tiny/val", "images missing", ["val-7"], ["13", "23"])]


def test_training_on_the_split_that_is_tested(cirr_folder):
    cirr_folder.write()
    leaks = {f.check for f in look(cirr(cirr_folder, test_split="train")).findings}
    assert leaks == {"images in both splits", "queries in both splits (reference and text)"}
    harmless = look(cirr(cirr_folder, test_split="val"))
    assert harmless.findings == [] and len(harmless.remarks) == 2


@pytest.mark.parametrize(
    ("direction", "affected"), [("text_to_image", ["0", "1"]), ("image_to_text", ["a.png"])]
)
def test_karpathy(karpathy_folder, direction, affected):
    root = karpathy_folder.write()
    (root / "images" / "one" / "a.png").unlink()
    data = KarpathyDataModule(root=str(root), image_root="images", name="tiny", direction=direction)
    found = look(data)
    assert [finding.where for finding in found.findings] == [
        "tiny/train",
        "tiny/val",
        "tiny/train and tiny/test",
    ]
    missing, no_split, copies = found.findings
    assert missing.queries == affected
    assert "no image of split 'val'" in next(iter(no_split.items))
    assert list(copies.items) == ["c.png", "d.png"]  # the fixture's pictures are all alike


def test_shapes_are_counted_and_hashed():
    data = ShapesDataModule(families=Families(4, 2, 3))
    found = look(data)
    assert found.findings == found.remarks == [] and data.disjoint is not None
    assert [(len(s.sources.queries), len(s.sources.names)) for s in found.splits] == [
        (12, 24),
        (6, 12),
        (9, 18),
    ]
    assert found.splits[2].digest == data.task("test").digest()

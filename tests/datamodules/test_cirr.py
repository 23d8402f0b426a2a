import json
import re

import pytest
import torch

from datamodules.cirr import CIRRDataModule
from requery.errors import DataError
from requery.ranking.ranks import rank
from requery.ranking.submission import members_as_relevant, write_cirr


def module(folder, **settings):
    return CIRRDataModule(
        **{"root": str(folder.write()), "image_root": "pictures", "name": "tiny", **settings}
    )


def test_a_split_becomes_a_task(cirr_folder):
    task = module(cirr_folder).task("val")
    assert task.protocol.key == "tiny/val@1"
    assert task.query_ids == ["3", "13", "23"]
    assert task.query_text[0] == "make it val-1"
    assert task.gallery_ids == [f"val-{i}" for i in range(8)]
    assert task.query_image.tolist() == [0, 2, 5]
    assert task.qrels.target.tolist() == [1, 7, 0]
    assert [row.tolist() for row in task.qrels.excluded] == [[0], [2], [5]]
    assert [row.tolist() for row in task.qrels.subset] == [[1, 2, 3, 4, 5], [7, 6, 5, 4, 3], [1, 0, 2, 7, 3]]
    assert torch.equal(task.gallery_image, torch.arange(8))
    assert task.images.load(4).getpixel((0, 0)) == (120, 1, 0)
    assert (task.notes, task.has_truth) == ({}, True)


def test_layout_may_start_at_the_root(cirr_folder):
    root = cirr_folder.write()
    inner = CIRRDataModule(root=str(root / "cirr"), image_root=str(root / "pictures"))
    assert inner.task("val").n_queries == 3


def test_root_comes_from_the_environment(cirr_folder, monkeypatch):
    root = cirr_folder.write()
    monkeypatch.delenv("REQUERY_DATA", raising=False)
    with pytest.raises(DataError, match=r"emoji.*Set root.*REQUERY_DATA"):
        CIRRDataModule(name="emoji").task("val")
    monkeypatch.setenv("REQUERY_DATA", str(root.parent))
    assert CIRRDataModule(name="emoji", image_root="pictures").task("val").n_queries == 3
    with pytest.raises(DataError, match=r"cirr: no such folder"):
        CIRRDataModule().task("val")


def test_folder_without_the_layout(tmp_path):
    with pytest.raises(DataError, match="neither cirr/captions nor captions"):
        CIRRDataModule(root=str(tmp_path)).task("val")


def test_absent_train_captions_say_where_they_come_from(cirr_folder):
    data = module(cirr_folder)
    cirr_folder.file("cap", "train").unlink()
    with pytest.raises(DataError, match=r"cap\.rc2\.train\.json: no such file.*Cuberick-Orion/CIRR"):
        data.task("train")
    assert data.task("val").n_queries == 3


def test_unpublished_targets_can_be_predicted_but_not_scored_or_trained_on(cirr_folder):
    data = module(cirr_folder)
    task = data.task("test")
    assert task.qrels.target.tolist() == [-1, -1, -1]
    assert not task.has_truth and task.notes == {}
    with pytest.raises(DataError, match=r"tiny/test1@1: the targets.*predict"):
        task.require_truth()
    data.task("val").require_truth()
    with pytest.raises(DataError, match=r"tiny/test1: targets not published.*train_split"):
        module(cirr_folder, train_split="test1").task("train")


def test_some_targets_absent(cirr_folder):
    del cirr_folder.pairs["val"][1]["target_hard"]
    with pytest.raises(DataError, match="1 of 3 pairs lack target_hard: 13"):
        module(cirr_folder).task("val")


@pytest.mark.parametrize("key", ["reference", "target_hard", "member"])
def test_pairs_that_name_unknown_images(cirr_folder, key):
    for record in cirr_folder.pairs["val"][1:]:
        if key == "reference":
            record["reference"] = "typo"
        else:
            record["img_set"]["members"][1 if key == "member" else 0] = "typo"
            if key == "target_hard":
                record["target_hard"] = "typo"
    with pytest.raises(DataError, match=r"image names unknown: 1 \(typo\); queries affected: 2 \(13, 23\)"):
        module(cirr_folder).task("val")


def test_only_ten_offenders_are_listed(cirr_folder):
    records = cirr_folder.pairs["val"]
    cirr_folder.pairs["val"] = [{**records[0], "pairid": i, "reference": "typo"} for i in range(25)]
    with pytest.raises(DataError, match=r"25 \(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, … \(15 more\)\)"):
        module(cirr_folder).task("val")


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_target_of_another_split_is_a_miss_and_is_not_trained_on(cirr_folder, split):
    record = cirr_folder.pairs[split][1]
    record["target_hard"] = "test1-4"
    record["img_set"]["members"][0] = "test1-4"
    task = module(cirr_folder).task(split)
    if split == "train":
        assert task.query_ids == ["3", "23"]
        assert task.notes == {"queries_dropped": 1}
    else:
        assert task.qrels.target.tolist() == [1, -1, 0]
        assert task.qrels.subset[1].tolist() == [6, 5, 4, 3]
        assert task.notes == {"targets_outside_gallery": 1}


def test_duplicate_pair_ids(cirr_folder):
    cirr_folder.pairs["val"][2]["pairid"] = 3
    with pytest.raises(DataError, match="1 pair ids occur more than once: 3"):
        module(cirr_folder).task("val")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.pop("caption"), r"record 1: the field 'caption' is missing"),
        (lambda r: r.update(caption=None), r"record 1: 'caption' must be str, found NoneType"),
        (lambda r: r.update(pairid=True), r"record 1: 'pairid' must be int or str, found bool"),
        (lambda r: r.update(reference=["val-0"]), r"record 1: 'reference' must be str, found list"),
        (lambda r: r.update(target_hard=7), r"record 1: 'target_hard' must be str, found int"),
        (lambda r: r.update(img_set=[]), r"record 1: 'img_set' must be dict, found list"),
        (lambda r: r["img_set"].update(members=[1, 2]), r"'members' must be a list of strings"),
        (lambda r: r["img_set"]["members"].append("val-7"), r"a member of its img_set occurs twice"),
        (lambda r: r["img_set"].update(members=["val-2"]), r"target 'val-7' is not a member"),
    ],
)
def test_malformed_records_are_named(cirr_folder, change, message):
    change(cirr_folder.pairs["val"][1])
    with pytest.raises(DataError, match=rf"cap\.rc2\.val\.json.*{message}"):
        module(cirr_folder).task("val")


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        ("cap", '[{"pairid": 1,', "not valid JSON"),
        ("cap", b"\xff\xfe\xfa", "not valid JSON"),
        ("cap", '{"a": 1}', "expected a list of annotations, found dict"),
        ("cap", "[3]", "record 0: expected an object, found int"),
        ("cap", "[" * 100_000, "not valid JSON"),
        ("split", "[]", "expected an object of image names"),
        ("split", '{"val-0": 4}', "'val-0' must be str, found int"),
        ("split", '{"val-0": "a.png", "val-0": "b.png"}', "1 keys occur more than once: val-0"),
    ],
)
def test_malformed_files_are_named(cirr_folder, kind, content, message):
    data = module(cirr_folder)
    path = cirr_folder.file(kind, "val")
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=re.escape(path.name) + ".*" + re.escape(message)):
        data.task("val")


def test_empty_files(cirr_folder):
    cirr_folder.pairs["val"] = []
    with pytest.raises(DataError, match="there is no query"):
        module(cirr_folder).task("val")
    cirr_folder.images["val"] = {}
    with pytest.raises(DataError, match="the gallery is empty"):
        module(cirr_folder).task("val")


def break_images(root):
    pictures = root / "pictures" / "val"
    (pictures / "0.png").unlink()  # the reference of pair 3, the target of pair 23
    (pictures / "4.png").write_bytes(b"")  # a member of the subsets of 3 and 13


def test_all_problems_are_one_error_with_the_queries_affected(cirr_folder):
    data = module(cirr_folder)
    break_images(cirr_folder.root)
    del cirr_folder.pairs["val"][1]["caption"]
    cirr_folder.pairs["val"][2]["reference"] = "typo"
    cirr_folder.file("cap", "val").write_text(json.dumps(cirr_folder.pairs["val"]))
    with pytest.raises(DataError) as raised:
        data.task("val")
    lines = str(raised.value).splitlines()
    for line, expected in zip(
        lines,
        (
            r"tiny/val: files or records unusable: 1 .*record 1: the field 'caption'.*affected: 1 \(13\)",
            r"tiny/val: image names unknown: 1 \(typo\); queries affected: 1 \(23\)",
            r"tiny/val: images missing: 1 of 8 \(val-0\); queries affected: 2 \(3, 23\).*val/0\.png; .*skip",
            r"tiny/val: images empty \(0 bytes\): 1 of 8 \(val-4\); queries affected: 1 \(3\)",
        ),
        strict=True,
    ):
        assert re.match(expected, line), line


def test_a_damaged_image_is_an_error_when_it_is_loaded(cirr_folder):
    data = module(cirr_folder)
    path = cirr_folder.root / "pictures" / "val" / "6.png"
    path.write_bytes(path.read_bytes()[:50])
    task = data.task("val")
    with pytest.raises(DataError, match=r"val/6\.png: truncated or damaged"):
        task.images.load(6)


def test_skipping_counts_what_it_affects(cirr_folder):
    data = module(cirr_folder, on_bad="skip")
    break_images(cirr_folder.root)
    (cirr_folder.root / "pictures" / "val" / "6.png").write_bytes(b"not an image")
    task = data.task("val")
    assert task.gallery_ids == task.images.ids == ["val-1", "val-2", "val-3", "val-5", "val-7"]
    assert task.query_ids == ["13", "23"]  # the reference of 3 is gone
    assert task.qrels.target.tolist() == [4, -1]  # the target of 23 is gone: a miss
    assert [row.tolist() for row in task.qrels.subset] == [[4, 3, 2], [0, 1, 4, 2]]
    assert task.notes == {
        "images_skipped": 3,
        "queries_dropped": 1,
        "targets_outside_gallery": 1,
        "subsets_reduced": 1,
    }


def test_background_reaches_the_decoder(cirr_folder):
    assert module(cirr_folder, background="white").task("val").images.background == "white"


@pytest.mark.data
class TestRealData:
    def test_emoji_counts(self, data_root):
        data = CIRRDataModule(root=str(data_root / "emoji_cirr"), image_root="images", name="emoji_cirr")
        found = {}
        for split in ("train", "val", "test"):
            task = data.task(split)
            asked = task.n_queries + task.notes.get("queries_dropped", 0)
            found[split] = (asked, task.n_gallery, task.notes)
            assert (
                int((task.qrels.target >= 0).sum()) + task.notes.get("targets_outside_gallery", 0)
                == task.n_queries
            )
        assert found == {
            "train": (9685, 2538, {"queries_dropped": 63}),
            "val": (524, 211, {"targets_outside_gallery": 30}),
            "test": (2208, 645, {"targets_outside_gallery": 6}),
        }
        assert data.task("val").images.load(0).size == (72, 72)

    def test_annotations_without_images(self, data_root):
        data = CIRRDataModule(root=str(data_root / "cirr"))
        message = r"cirr/val: images missing: 2,297 of 2,297 .*affected: 4,181 .*dev"
        with pytest.raises(DataError, match=message):
            data.task("val")
        with pytest.raises(DataError, match=r"cap\.rc2\.train\.json: no such file.*Cuberick-Orion"):
            data.task("train")

    def test_submission_for_the_server(self, data_root, tmp_path, monkeypatch):
        monkeypatch.setattr("datamodules.cirr.quick", lambda *_, **__: [])  # the photographs are not at hand
        task = CIRRDataModule(root=str(data_root / "cirr")).task("test")
        assert (task.n_queries, task.n_gallery, task.has_truth) == (4148, 2315, False)
        generator = torch.Generator().manual_seed(0)
        queries, gallery = (torch.randn(n, 4, generator=generator) for n in (task.n_queries, task.n_gallery))
        ranking = rank(queries, gallery, members_as_relevant(task), top_k=50)
        for path in write_cirr(task, ranking, tmp_path):
            assert path.stat().st_size < 5_000_000

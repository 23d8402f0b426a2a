import json
from pathlib import Path

import pytest
import torch

from datamodules.circo import CIRCODataModule
from datamodules.doctor.examine import examine
from requery.errors import ConfigError, DataError
from requery.ranking.circo_submission import validate_circo
from requery.ranking.listed import rank_listed
from requery.ranking.metrics import per_query
from tests.datamodules.composed import write_circo

OFFICIAL = Path(__file__).parents[1] / "fixtures" / "qure" / "circo_map.json"


def module(root, **settings):
    return CIRCODataModule(str(write_circo(root)), **settings)


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_the_gallery_is_every_image_and_several_are_right(tmp_path):
    task = module(tmp_path, test_split="val").task("test")
    assert task.protocol.key == "circo/val@1"
    assert task.protocol.metrics[:4] == ("map@5", "map@10", "map@25", "map@50")
    assert task.gallery_ids == ["10", "20", "30", "40", "50"] and task.query_ids == ["0", "1"]
    assert task.query_text == ["has 0 dogs", "has 1 dogs"] and task.query_image.tolist() == [2, 0]
    assert task.qrels.target.tolist() == [0, 4]
    assert [row.tolist() for row in task.qrels.relevant] == [[0, 3], [4]]
    assert task.qrels.grades.tolist() == [2, 1, 2] and task.qrels.excluded is None
    assert task.images.load(1).size == (8, 8)


def test_the_prompt_is_another_protocol(tmp_path):
    task = module(tmp_path, queries="prompt").task("val")
    assert task.protocol.key == "circo/val/prompt@1"
    assert task.query_text[1] == "a photo of $ that has 1 dogs"
    with pytest.raises(ConfigError, match="queries 'both' is neither caption nor prompt"):
        CIRCODataModule(queries="both")


def test_the_test_split_is_for_the_server(tmp_path):
    data = module(tmp_path)
    task = data.task("test")
    assert task.protocol.server == "circo" and not task.has_truth
    assert task.qrels.target.tolist() == [-1, -1] and task.qrels.relevant.values.numel() == 0
    with pytest.raises(DataError, match=r"circo/test@1: the targets.*predict"):
        task.require_truth()
    with pytest.raises(DataError, match="CIRCO has no train split; train on CIRR"):
        data.task("train")


def test_images_may_lie_elsewhere(tmp_path):
    write_circo(tmp_path)
    (tmp_path / "COCO2017_unlabeled").rename(tmp_path / "coco")
    data = CIRCODataModule(str(tmp_path), image_root=str(tmp_path / "coco"))
    assert data.task("val").n_gallery == 5
    with pytest.raises(
        DataError, match=r"COCO2017_unlabeled/annotations/image_info.*images\.cocodataset\.org"
    ):
        CIRCODataModule(str(tmp_path)).task("val")


def test_skipping_counts_what_it_affects(tmp_path):
    data = module(tmp_path, on_bad="skip")
    folder = tmp_path / "COCO2017_unlabeled" / "unlabeled2017"
    (folder / f"{50:012d}.jpg").unlink()
    (folder / f"{40:012d}.jpg").write_bytes(b"no image")
    task = data.task("val")
    assert task.gallery_ids == ["10", "20", "30"] and task.qrels.target.tolist() == [0, -1]
    assert task.notes == {"images_skipped": 2, "targets_outside_gallery": 1, "relevant_sets_reduced": 2}
    (folder / f"{30:012d}.jpg").unlink()
    task = module(tmp_path / "again", on_bad="skip").task("val")
    assert task.notes == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda r: r[1].pop("relative_caption"),
            r"record 1: the field 'relative_caption'.*affected: 1 \(1\)",
        ),
        (lambda r: r[1].update(id="one"), r"'id' must be int, found str"),
        (lambda r: r[1].update(id=0), r"1 ids occur more than once: 0"),
        (lambda r: r[1].update(gt_img_ids=[10]), r"gt_img_ids must be distinct and hold target_img_id, 50"),
        (lambda r: r[1].update(gt_img_ids=[50, 10, 10]), r"gt_img_ids must be distinct"),
        (lambda r: r[1].pop("target_img_id"), r"1 of 2 lack target_img_id: 1"),
        (
            lambda r: r[1].update(reference_img_id=9),
            r"image names unknown: 1 \(9\).*image_info_unlabeled2017",
        ),
        (lambda r: r[0]["gt_img_ids"].append(9), r"image names unknown: 1 \(9\); queries affected: 1 \(0\)"),
    ],
)
def test_malformed_annotations_are_named(tmp_path, change, message):
    data = module(tmp_path)
    edit(tmp_path / "annotations" / "val.json", change)
    with pytest.raises(DataError, match=message):
        data.task("val")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("images"), "the field 'images' is missing"),
        (lambda c: c["images"][2].pop("file_name"), "image 2: the field 'file_name' is missing"),
        (lambda c: c["images"][2].update(id=10), "1 image ids occur more than once: 10"),
    ],
)
def test_a_malformed_image_list_is_named(tmp_path, change, message):
    data = module(tmp_path)
    edit(tmp_path / "COCO2017_unlabeled" / "annotations" / "image_info_unlabeled2017.json", change)
    with pytest.raises(DataError, match=rf"image_info_unlabeled2017\.json.*{message}"):
        data.task("val")


@pytest.mark.data
class TestRealData:
    def test_annotations_without_images(self, data_root):
        data = CIRCODataModule(str(data_root / "circo"))
        val, test = data.sources("val"), data.sources("test")
        assert (len(val.queries), len(test.queries)) == (220, 800)
        assert (val.has_truth, test.has_truth) == (True, False)
        assert sum(len(query.images["target"]) for query in val.queries) == 916
        findings = examine(data, ["val"], lambda items, n: items).findings
        assert [f.check for f in findings] == ["files or records unusable", "image names unknown"]
        assert "image_info_unlabeled2017.json: no such file" in next(iter(findings[0].items))

    def test_the_official_example_scores_as_officially(self, data_root, tmp_path, monkeypatch):
        circo = data_root / "circo"
        example = json.loads((circo / "submission_examples" / "submission_val.json").read_text())
        (tmp_path / "annotations").symlink_to(circo / "annotations")
        records = json.loads((circo / "annotations" / "val.json").read_text())
        ids = {i for r in records for i in (r["reference_img_id"], *r["gt_img_ids"])}
        images = sorted(ids | {i for row in example.values() for i in row})
        info = {"images": [{"id": i, "file_name": f"{i:012d}.jpg"} for i in images]}
        coco = tmp_path / "coco" / "annotations"
        coco.mkdir(parents=True)
        (coco / "image_info_unlabeled2017.json").write_text(json.dumps(info))
        monkeypatch.setattr("datamodules.circo.quick", lambda *_: [])  # the photographs are not at hand
        task = CIRCODataModule(str(tmp_path), image_root=str(tmp_path / "coco")).task("val")
        validate_circo(example, task)
        place = {name: i for i, name in enumerate(task.gallery_ids)}
        items = torch.tensor([[place[str(i)] for i in example[query]] for query in task.query_ids])
        scores = -torch.arange(50.0).expand(len(items), 50)
        ranking = rank_listed(scores, items, task.qrels, task.n_gallery, top_k=50)
        expected = json.loads(OFFICIAL.read_text())["official_submission_val_example"]
        for name in task.protocol.metrics:
            kind, _, k = name.partition("@")
            found = 100 * float(per_query(name, ranking, task.qrels).mean())
            assert found == pytest.approx(expected[kind][k]), name

import json

import pytest
import torch
from datasets import Dataset, DatasetDict

from datamodules.karpathy import KarpathyDataModule
from datamodules.layouts.hub import HubDataset
from requery.errors import ConfigError, DataError
from requery.ranking.protocols import karpathy


def module(folder, **settings):
    return KarpathyDataModule(
        **{"root": str(folder.write()), "image_root": "images", "name": "tiny", **settings}
    )


def test_text_to_image(karpathy_folder):
    task = module(karpathy_folder).task("test")
    assert task.protocol.key == "tiny/test/text_to_image@1"
    assert task.query_ids == ["3", "4", "5", "6", "7"]
    assert task.query_text[1] == "a blue square"
    assert task.gallery_ids == ["c.png", "d.png"]
    assert task.qrels.target.tolist() == [0, 0, 0, 1, 1]
    assert task.query_image is None and task.gallery_text is None
    assert task.images.load(1).size == (8, 8)


def test_image_to_text_accepts_every_caption(karpathy_folder):
    task = module(karpathy_folder, direction="image_to_text").task("test")
    assert task.protocol.metrics[0] == "hit_any@1"
    assert task.query_ids == ["c.png", "d.png"]
    assert task.gallery_text == ["blue", "a blue square", "sky", "white", "snow"]
    assert [row.tolist() for row in task.qrels.relevant] == [[0, 1, 2], [3, 4]]
    assert task.qrels.target.tolist() == [0, 3]
    assert task.qrels.grades.tolist() == [2, 1, 1, 2, 1]
    assert torch.equal(task.query_image, torch.arange(2))


def test_pairs_for_pre_training_take_restval(karpathy_folder):
    data = module(karpathy_folder)
    assert data.pairs("train") == [(0, ("a red square", "red")), (1, ("green",))]
    assert data.task("train").images.ids == ["a.png", "b.png"]


def test_absent_split_and_file(karpathy_folder):
    with pytest.raises(
        DataError, match=r"no image of split 'val'; its splits are train \(1\), restval \(1\)"
    ):
        module(karpathy_folder).task("val")
    with pytest.raises(DataError, match=r"dataset_other\.json: no such file.*karpathy"):
        module(karpathy_folder, annotations="dataset_other.json").task("test")


def test_one_folder_needs_no_filepath(karpathy_folder):
    for image in karpathy_folder.images:
        del image["filepath"]
    assert module(karpathy_folder).task("test").images.load(0).size == (8, 8)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda i: i[2].pop("filename"), "image 2: the field 'filename' is missing"),
        (lambda i: i[3].update(filename="c.png"), "1 file names occur more than once: c.png"),
        (lambda i: i[3]["sentences"][0].update(sentid=3), "1 sentence ids occur more than once: 3"),
        (lambda i: i[3].update(sentences=[]), r"d\.png.*has no sentence"),
        (lambda i: i[3]["sentences"][1].update(raw=2), "sentence 1: 'raw' must be str"),
    ],
)
def test_malformed_records_are_named(karpathy_folder, change, message):
    change(karpathy_folder.images)
    with pytest.raises(DataError, match=rf"dataset_tiny\.json.*{message}"):
        module(karpathy_folder).task("test")


@pytest.mark.parametrize(
    ("direction", "affected"), [("text_to_image", r"3 \(3, 4, 5\)"), ("image_to_text", r"1 \(c\.png\)")]
)
def test_missing_images(karpathy_folder, direction, affected):
    data = module(karpathy_folder, direction=direction)
    (karpathy_folder.root / "images" / "two" / "c.png").unlink()
    with pytest.raises(DataError, match=rf"images missing: 1 of 2 \(c\.png\); queries affected: {affected}"):
        data.task("test")


def test_skipping_counts_what_it_affects(karpathy_folder):
    root = karpathy_folder.write()
    (root / "images" / "two" / "c.png").unlink()
    (root / "images" / "one" / "a.png").write_bytes(b"x")
    data = module_without_writing(root, "text_to_image")
    test, train = data.task("test"), data.task("train")
    assert test.qrels.target.tolist() == [-1, -1, -1, 0, 0]
    assert test.notes == {"images_skipped": 1, "targets_outside_gallery": 3}
    assert train.query_text == ["green"]
    assert train.notes == {"images_skipped": 1, "queries_dropped": 2}
    assert data.pairs("train") == [(0, ("green",))]
    backwards = module_without_writing(root, "image_to_text").task("test")
    assert backwards.n_gallery == 5  # captions need no image to be retrieved
    assert [row.tolist() for row in backwards.qrels.relevant] == [[3, 4]]
    assert backwards.notes == {"images_skipped": 1, "queries_dropped": 1}


def module_without_writing(root, direction):
    return KarpathyDataModule(
        root=str(root), image_root="images", name="tiny", direction=direction, on_bad="skip"
    )


def test_the_first_caption_alone_may_ask(karpathy_folder):
    data = module(karpathy_folder, queries="first")
    task = data.task("test")
    assert task.protocol.key == "tiny/test/text_to_image/caption_0@1"
    assert task.protocol.metrics == (*("recall@1", "recall@5", "recall@10", "mrr@1", "mrr@5", "mrr@10"),)
    assert (task.query_ids, task.query_text) == (["3", "6"], ["blue", "white"])
    assert task.qrels.target.tolist() == [0, 1] and task.gallery_ids == ["c.png", "d.png"]
    assert data.pairs("test") == [(0, ("blue", "a blue square", "sky")), (1, ("white", "snow"))]
    sources = data.sources("test")
    assert [query.query_id for query in sources.queries] == ["3", "6"] and sources.n_gallery == 2
    with pytest.raises(ConfigError, match="set direction: text_to_image"):
        module(karpathy_folder, queries="first", direction="image_to_text")


def hub_copy(folder, images):
    """The images' captions as a dataset on disk, with the columns of `yerevann/coco-karpathy`."""
    rows = [
        {
            **{key: image[key] for key in ("filename", "filepath", "split")},
            "sentences": [sentence["raw"] for sentence in image["sentences"]],
            "sentids": [sentence["sentid"] for sentence in image["sentences"]],
        }
        for image in images
    ]
    splits = {split: [row for row in rows if row["split"] == split] for split in ("train", "val", "test")}
    tables = {split: Dataset.from_list(some) for split, some in splits.items() if some}
    DatasetDict(tables).save_to_disk(str(folder))
    return HubDataset(str(folder))


@pytest.mark.parametrize("direction", ["text_to_image", "image_to_text"])
def test_a_dataset_of_the_hub_gives_the_same_task(karpathy_folder, tmp_path, direction):
    hub = hub_copy(tmp_path / "hub", karpathy_folder.images)
    assert (
        module(karpathy_folder, hub=hub, direction=direction).task("test").digest()
        == module(karpathy_folder, direction=direction).task("test").digest()
    )
    assert module(karpathy_folder, hub=hub).sources("test").listed_in == hub.id
    with pytest.raises(DataError, match=r"no split val or .*; its splits are train \(1\), test \(2\)"):
        module(karpathy_folder, hub=hub).task("val")
    with pytest.raises(ConfigError, match="annotations or hub, not both"):
        module(karpathy_folder, hub=hub, annotations="dataset_tiny.json")


def test_unknown_direction():
    with pytest.raises(ConfigError, match="neither"):
        karpathy("tiny", "test", "sideways")


@pytest.mark.data
class TestRealData:
    def test_emoji(self, data_root):
        data = KarpathyDataModule(
            root=str(data_root / "emoji_cirr"),
            image_root="images",
            name="emoji_cirr",
            annotations="dataset_emoji.json",
        )
        counts = {split: data.task(split).n_gallery for split in ("train", "val", "test")}
        assert counts == {"train": 2538, "val": 211, "test": 645}
        assert sum(data.task(split).n_queries for split in counts) == 16_043
        assert data.pairs("train")[0][1][0] == "grinning face"
        data.queries = "first"
        assert data.build_task("test").n_queries == 645

    def test_coco(self, data_root):
        root = str(data_root / "coco_mini")
        data = KarpathyDataModule(root=root, image_root="images", name="coco_mini")
        assert (data.task("test").n_queries, data.task("test").n_gallery) == (505, 101)
        assert all(data.task("test").images.load(i).mode == "RGB" for i in range(101))
        with pytest.raises(DataError, match=r"its splits are test \(101\)"):
            data.task("train")

    def test_coco_through_datasets(self, data_root, tmp_path):
        root = data_root / "coco_mini"
        images = json.loads((root / "dataset_coco_mini.json").read_text())["images"]
        settings = {"root": str(root), "image_root": "images", "name": "coco_mini", "queries": "first"}
        ours = KarpathyDataModule(**settings, hub=hub_copy(tmp_path / "hub", images)).task("test")
        assert ours.n_queries == ours.n_gallery == 101
        assert ours.digest() == KarpathyDataModule(**settings).task("test").digest()

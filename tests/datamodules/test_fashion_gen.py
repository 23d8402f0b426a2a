from copy import deepcopy

import pytest

from datamodules.fashion_gen import FashionGenDataModule
from requery.errors import ConfigError, DataError
from requery.ranking.protocols import fashion_gen
from tests.datamodules.small import PRODUCTS, write_products


def module(root, content=PRODUCTS, **settings):
    return FashionGenDataModule(root=str(write_products(root, content)), **settings)


def test_every_image_of_the_product_is_right(tmp_path):
    task = module(tmp_path).task("test")
    assert task.protocol.key == "fashion_gen/val/text_to_image@1"
    assert task.protocol.metrics == ("hit_any@1", "hit_any@5", "hit_any@10")
    assert task.query_ids == ["10", "11", "12"]
    assert task.query_text[0] == "Red Coat.Wool, long."
    assert task.gallery_ids == ["10_1.png", "10_2.png", "11_1.png", "12_1.png", "12_2.png"]
    assert task.qrels.target.tolist() == [0, 2, 3]
    assert [row.tolist() for row in task.qrels.relevant] == [[0, 1], [2], [3, 4]]
    assert task.qrels.grades.tolist() == [2, 1, 2, 2, 1]
    assert task.images.load(3).size == (8, 8)


def test_every_image_asks_for_the_text_of_its_product(tmp_path):
    task = module(tmp_path, direction="image_to_text").task("val")
    assert task.n_queries == 5 and task.gallery_ids == ["10", "11", "12"]
    assert task.qrels.target.tolist() == [0, 0, 1, 2, 2]
    assert not task.qrels.graded


def test_pairs_repeat_a_products_text(tmp_path):
    assert module(tmp_path).pairs("val")[:3] == [
        (0, ("Red Coat.Wool, long.",)),
        (1, ("Red Coat.Wool, long.",)),
        (2, ("Black Boots.Laces.",)),
    ]


def test_absent_split(tmp_path):
    with pytest.raises(DataError, match=r"train_info\.json: no such file; FashionViL.*HDF5"):
        module(tmp_path).task("train")
    with pytest.raises(DataError, match=r"split empty: 2 \(there is no query.*check val_info\.json"):
        module(tmp_path, []).task("test")


@pytest.mark.parametrize(
    ("direction", "affected"), [("text_to_image", r"1 \(10\)"), ("image_to_text", r"1 \(10_1\.png\)")]
)
def test_missing_images(tmp_path, direction, affected):
    data = module(tmp_path, direction=direction)
    (tmp_path / "val" / "10_1.png").unlink()
    with pytest.raises(DataError, match=rf"missing: 1 of 5 \(10_1\.png\); queries affected: {affected}"):
        data.task("test")


def test_skipping_counts_what_it_affects(tmp_path):
    root = write_products(tmp_path, PRODUCTS)
    (root / "val" / "10_1.png").unlink()
    (root / "val" / "11_1.png").write_bytes(b"x")
    task = FashionGenDataModule(str(root), on_bad="skip").task("test")
    assert task.qrels.target.tolist() == [0, -1, 1]
    assert task.notes == {"images_skipped": 2, "targets_outside_gallery": 1, "relevant_sets_reduced": 1}
    backwards = FashionGenDataModule(str(root), direction="image_to_text", on_bad="skip").task("test")
    assert backwards.gallery_ids == ["10", "11", "12"]  # texts need no image to be retrieved
    assert backwards.qrels.target.tolist() == [0, 2, 2]
    assert backwards.notes == {"images_skipped": 2, "queries_dropped": 2}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c[1].pop("title"), "product 1: the field 'title' is missing"),
        (lambda c: c[1].update(id=10), "1 product ids occur more than once: 10"),
        (lambda c: c[1].update(images=[]), r"product 1 \(11\): has no image"),
        (lambda c: c[1].update(images="11_1.png"), "product 1: 'images' must be list"),
        (lambda c: c[1].update(images=["10_2.png"]), r"1 file names occur more than once: 10_2\.png"),
    ],
)
def test_malformed_records_are_named(tmp_path, change, message):
    content = deepcopy(PRODUCTS)
    change(content)
    with pytest.raises(DataError, match=rf"val_info\.json.*{message}"):
        module(tmp_path, content).task("test")


def test_not_a_list(tmp_path):
    with pytest.raises(DataError, match=r"val_info\.json: expected a list of products, found dict"):
        module(tmp_path, {"pairs": []}).task("test")


def test_unknown_direction():
    with pytest.raises(ConfigError, match="neither"):
        fashion_gen("val", "sideways")

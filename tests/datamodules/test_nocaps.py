from copy import deepcopy

import pytest

from datamodules.doctor.quick import quick
from datamodules.nocaps import NocapsDataModule
from requery.errors import ConfigError, DataError
from requery.ranking.protocols import nocaps
from tests.datamodules.small import NOCAPS, write_nocaps


def module(root, content=NOCAPS, **settings):
    return NocapsDataModule(root=str(write_nocaps(root, content)), image_root="val", **settings)


def test_every_domain_together(tmp_path):
    task = module(tmp_path).task("test")
    assert task.protocol.key == "nocaps/val/entire/text_to_image@1"
    assert task.gallery_ids == ["00a.jpg", "00b.jpg", "00c.jpg", "00d.jpg"]
    assert task.query_ids == ["0", "1", "3", "2", "5", "4"]
    assert task.query_text[1:3] == ["a goat", "a kid"]
    assert task.qrels.target.tolist() == [0, 1, 1, 2, 2, 3]


@pytest.mark.parametrize(
    ("domain", "images", "texts"),
    [
        ("in-domain", ["00a.jpg"], ["a cat"]),
        ("near-domain", ["00b.jpg", "00c.jpg"], ["a goat", "a kid", "a lion", "a pride"]),
        ("out-domain", ["00d.jpg"], ["a lamp"]),
    ],
)
def test_a_domain_is_a_gallery_of_its_own(tmp_path, domain, images, texts):
    from_text = module(tmp_path, domain=domain).task("test")
    from_image = module(tmp_path, domain=domain, direction="image_to_text").task("test")
    assert from_text.protocol.name == f"nocaps/val/{domain}/text_to_image"
    assert from_text.gallery_ids == from_image.query_ids == images
    assert from_text.query_text == from_image.gallery_text == texts


def test_every_caption_of_an_image_is_right(tmp_path):
    task = module(tmp_path, domain="near-domain", direction="image_to_text").task("val")
    assert task.protocol.metrics == ("hit_any@1", "hit_any@5", "hit_any@10")
    assert [row.tolist() for row in task.qrels.relevant] == [[0, 1], [2, 3]]
    assert task.qrels.grades.tolist() == [2, 1, 2, 1]


def test_there_is_no_train_split(tmp_path):
    with pytest.raises(DataError, match=r"Nocaps has no train split; train on COCO"):
        module(tmp_path).task("train")


def test_missing_images(tmp_path):
    data = module(tmp_path, domain="near-domain")
    (tmp_path / "val" / "00c.jpg").unlink()
    with pytest.raises(DataError, match=r"images missing: 1 of 2 \(00c\.jpg\); queries affected: 2 \(2, 5\)"):
        data.task("test")
    skipping = NocapsDataModule(str(tmp_path), "val", "near-domain", on_bad="skip").task("test")
    assert skipping.qrels.target.tolist() == [0, 0, -1, -1]
    assert skipping.notes == {"images_skipped": 1, "targets_outside_gallery": 2}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("annotations"), "the field 'annotations' is missing"),  # the test set's file
        (lambda c: c["images"][1].pop("domain"), "image 1: the field 'domain' is missing"),
        (lambda c: c["images"][1].update(domain="far"), "image 1: 'domain' is 'far', not one of in-domain"),
        (lambda c: c["images"][1].update(file_name="00a.jpg"), "1 file names occur more than once: 00a"),
        (lambda c: c["annotations"][1].update(image_id=77), r"1 captioned images are not listed, ids 77"),
        (lambda c: c["annotations"][1].update(id=0), "1 annotation ids occur more than once: 0"),
        (lambda c: c["annotations"].pop(4), r"image 3 \(00d\.jpg\): has no caption"),
    ],
)
def test_malformed_records_are_named(tmp_path, change, message):
    content = deepcopy(NOCAPS)
    change(content)
    with pytest.raises(DataError, match=rf"nocaps_val_4500_captions\.json.*{message}"):
        module(tmp_path, content).task("test")


def test_a_domain_without_images_and_an_absent_file(tmp_path):
    content = {**NOCAPS, "images": NOCAPS["images"][:3], "annotations": NOCAPS["annotations"][:4]}
    with pytest.raises(
        DataError, match=r"no image of domain 'out-domain'; its domains are in-domain \(1\), near"
    ):
        module(tmp_path, content, domain="out-domain").task("test")
    (tmp_path / "nocaps_val_4500_captions.json").unlink()
    (finding,) = quick(NocapsDataModule(str(tmp_path), "val").sources("test"))
    assert "no such file; it is at nocaps.s3.amazonaws.com" in str(finding)


def test_unknown_direction():
    with pytest.raises(ConfigError, match="neither"):
        nocaps("entire", "sideways")

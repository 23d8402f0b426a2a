"""Any DataModule with shifted queries."""

from __future__ import annotations

import pytest
import torch
from jsonargparse import ArgumentParser

from datamodules import CIRRDataModule, KarpathyDataModule, QueryShift, ShapesDataModule
from datamodules.base import RetrievalDataModule
from datamodules.doctor.examine import examine
from datamodules.shapes import Families
from requery.corruptions.tools import TextSources
from requery.errors import ConfigError, DataError

SMALL = Families(train=6, val=4, test=5)


def shapes(task="composed", **settings):
    return ShapesDataModule(task, families=SMALL, **settings)


@pytest.mark.parametrize(
    ("task", "kind"), [("composed", "fog"), ("image_to_text", "fog"), ("text_to_image", "ocr")]
)
def test_every_task_of_shapes(task, kind):
    clean, made = shapes(task).task("test"), QueryShift(shapes(task), kind, reference_side=224).task("test")
    assert made.shift == f"{kind}@{7 if kind == 'ocr' else 5} (lengths for 224 px)"
    assert made.protocol == clean.protocol and list(made.gallery_ids) == list(clean.gallery_ids)
    assert made.query_text != clean.query_text or not torch.equal(made.query_image, clean.query_image)


def test_training_stays_as_it_was_unless_asked():
    data = QueryShift(shapes(), "snow", 5)
    assert data.task("train") is data.source.task("train") and data.task("train").shift is None
    assert data.task("val").shift == data.task("test").shift == "snow@5"
    everything = QueryShift(shapes(), "snow", 5, splits=("train",))
    assert everything.task("train").shift == "snow@5" and everything.task("test").shift is None


def test_the_run_s_seed_orders_training_and_leaves_the_test_alone():
    one, other = (QueryShift(shapes(), "snow", 5, seed=seed) for seed in (0, 1))
    assert one.task("test").digest() == other.task("test").digest()
    assert other.seed == other.source.seed == 1
    assert one.task("test").digest() != QueryShift(shapes(), "snow", 5, shift_seed=1).task("test").digest()


def test_loaders_are_the_source_s():
    data = QueryShift(shapes(batch_size=7), "snow", 5)
    assert data.batch_size == 7
    assert torch.equal(torch.cat(list(data.test_dataloader())), torch.arange(data.task("test").n_queries))
    assert data.pairs("val") == data.source.pairs("val")


def test_cirr_and_captioned_images(cirr_folder, karpathy_folder):
    root, pictures = cirr_folder.write(), cirr_folder.root / "pictures"
    cirr = CIRRDataModule(root=str(root), image_root=str(pictures), test_split="val")
    made = QueryShift(cirr, "brightness", 2).task("test")
    position = int(made.query_image[0])
    assert made.images.ids[position] == "val-0~brightness@2"
    assert made.images.load(position).getpixel((0, 0)) == (0, 52, 0)  # 0.2 brighter than (0, 1, 0)
    assert made.images.load(0).tobytes() == cirr.task("test").images.load(0).tobytes()
    coco = KarpathyDataModule(root=str(karpathy_folder.write()), image_root="images", name="tiny")
    texts = QueryShift(coco, "punctuation", 7).task("test").query_text
    assert len(texts) == 5 and all(
        text != old for text, old in zip(texts, coco.task("test").query_text, strict=True)
    )


def test_doctor_examines_the_source(cirr_folder):
    cirr_folder.write()
    images = cirr_folder.root / "pictures"
    cirr = CIRRDataModule(root=str(cirr_folder.root), image_root=str(images), test_split="val")
    data = QueryShift(cirr, "jpeg")
    assert data.sources("test") == cirr.sources("test")
    found = examine(QueryShift(shapes(), "jpeg"), ["test"], lambda items, total: items)
    assert not found.findings and found.splits[0].digest is not None


def test_a_config_names_source_and_tools(tmp_path):
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(RetrievalDataModule, "data")
    (tmp_path / "texts.json").write_text('{"test-q000000": "anders"}')
    source = {"class_path": "datamodules.ShapesDataModule", "init_args": {"families": vars(SMALL)}}
    settings = {
        "source": source,
        "kind": ["jpeg", "snow"],
        "severity": [1, 5],
        "text": {"prepared": {"casual": str(tmp_path / "texts.json")}},
    }
    given = {"data": {"class_path": "datamodules.QueryShift", "init_args": settings}}
    data = parser.instantiate(parser.parse_object(given)).data
    assert data.task("test").shift == "jpeg|snow@1|5"
    assert data.text == TextSources(prepared={"casual": str(tmp_path / "texts.json")})


def test_prepared_texts_are_found_by_query(tmp_path):
    import json

    clean = shapes().task("test")
    file = tmp_path / "texts.json"
    file.write_text(
        json.dumps(
            {name: f"please {text}" for name, text in zip(clean.query_ids, clean.query_text, strict=True)}
        )
    )
    data = QueryShift(shapes(), "formal", text=TextSources(prepared={"formal": str(file)}))
    assert data.task("test").query_text == [f"please {text}" for text in clean.query_text]
    with pytest.raises(DataError, match="has no text for val-q000000"):
        data.task("val")


def test_wrong_settings_are_refused_at_once():
    with pytest.raises(ConfigError, match="did you mean gaussian_noise"):
        QueryShift(shapes(), "gausian_noise")
    with pytest.raises(ConfigError, match=r"severity of snow is 9"):
        QueryShift(shapes(), "snow", 9)
    with pytest.raises(ConfigError, match="reference_side is 0"):
        QueryShift(shapes(), "snow", reference_side=0)
    with pytest.raises(ConfigError, match="formal needs a model or texts prepared elsewhere"):
        QueryShift(shapes(), "formal").task("test")

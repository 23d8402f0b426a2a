"""Captions from a dataset: every local form gives the same items, and what is wrong is named."""

import json
import socket

import datasets
import pytest

from datamodules.layouts.hub import Columns, HubDataset, read_hub
from requery.errors import ConfigError, DataError

COMMIT = "0123456789" * 4
FLICKR = Columns(captions="caption", folder=None, split="split")


def row(name, captions, first_id, folder="val2014"):
    keys = list(range(first_id, first_id + len(captions)))
    return {"filename": name, "filepath": folder, "sentences": captions, "sentids": keys, "imgid": first_id}


COCO = {
    "train": [row("a.png", ["a red square", "red"], 0)],
    "restval": [row("b.png", ["green"], 2)],
    "validation": [row("e.png", ["grey"], 8)],
    "test": [row("c.png", ["blue", "a blue square", "sky"], 3), row("d.png", ["white", "snow"], 6)],
}


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    """Nothing is written to the user's cache."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def saved(folder):
    tables = {split: datasets.Dataset.from_list(rows) for split, rows in COCO.items()}
    datasets.DatasetDict(tables).save_to_disk(str(folder))


def lines(folder):
    folder.mkdir()
    for split, rows in COCO.items():
        text = "".join(json.dumps(each) + "\n" for each in rows)
        (folder / f"coco_karpathy_{split}.json").write_text(text)


def parquet(folder):
    for split, rows in COCO.items():
        (folder / "data").mkdir(parents=True, exist_ok=True)
        parts = enumerate([rows[:1], rows[1:]] if rows[1:] else [rows])
        for number, part in parts:
            name = f"{split}-{number:05d}-of-{len(rows):05d}.parquet"
            datasets.Dataset.from_list(part).to_parquet(str(folder / "data" / name))


@pytest.mark.parametrize("write", [saved, lines, parquet])
def test_every_local_form_gives_the_same_items(tmp_path, write):
    write(tmp_path / "copy")
    copy = HubDataset(str(tmp_path / "copy"))
    test = read_hub(copy, "test")
    assert [item.name for item in test] == ["c.png", "d.png"]
    assert test[0].captions == ("blue", "a blue square", "sky") and test[0].caption_ids == ("3", "4", "5")
    assert test[1].path == "val2014/d.png" and test[1].group == "d.png"
    assert [item.name for item in read_hub(copy, "train")] == ["a.png", "b.png"]  # restval is trained on
    assert [item.name for item in read_hub(copy, "val")] == ["e.png"]


def flickr():
    """The columns of `nlphuji/flickr30k`: one table, whose images are never decoded."""
    return [
        {
            "image": b"no image",
            "caption": [name, "x"],
            "filename": f"{name}.jpg",
            "split": split,
            "sentids": ids,
        }
        for name, split, ids in (("p", "train", ["0", "1"]), ("q", "test", ["2", "3"]))
    ]


def test_a_column_may_hold_the_split(tmp_path):
    datasets.Dataset.from_list(flickr()).save_to_disk(str(tmp_path / "flickr"))
    (item,) = read_hub(HubDataset(str(tmp_path / "flickr"), columns=FLICKR), "test")
    assert (item.name, item.path, item.captions, item.caption_ids) == (
        "q.jpg",
        "q.jpg",
        ("q", "x"),
        ("2", "3"),
    )
    unnumbered = Columns(captions="caption", folder=None, caption_ids=None, split="split")
    (item,) = read_hub(HubDataset(str(tmp_path / "flickr"), columns=unnumbered), "train")
    assert item.caption_ids == ("p.jpg#0", "p.jpg#1")
    with pytest.raises(DataError, match=r"no image of split 'val'; its splits are train \(1\), test \(1\)"):
        read_hub(HubDataset(str(tmp_path / "flickr"), columns=FLICKR), "val")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (Columns(), r"no split test; its splits are unnamed \(2\).*hub\.columns\.split"),
        (Columns(split="split"), r"no column sentences, filepath; its columns are image, caption, filename"),
        (Columns("filename", folder=None, split="split"), r"image 1: 'filename' must be list, found str"),
        (Columns("caption", "caption", None, split="split"), r"image 1: 'caption' must be str, found list"),
    ],
)
def test_wrong_columns_are_named(tmp_path, columns, message):
    datasets.Dataset.from_list(flickr()).save_to_disk(str(tmp_path / "flickr"))
    with pytest.raises(DataError, match=message):
        read_hub(HubDataset(str(tmp_path / "flickr"), columns=columns), "test")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sentences": [], "sentids": []}, r"c\.png\): has no caption"),
        ({"sentences": ["one"]}, "3 caption ids for 1 captions"),
        ({"filename": "d.png"}, r"1 file names occur more than once: d\.png"),
        ({"sentids": [3, 4, 6]}, "1 caption ids occur more than once: 6"),
    ],
)
def test_malformed_rows_are_named(tmp_path, change, message):
    rows = [{**COCO["test"][0], **change}, COCO["test"][1]]
    datasets.Dataset.from_list(rows, split="test").save_to_disk(str(tmp_path / "copy"))
    with pytest.raises(DataError, match=message):
        read_hub(HubDataset(str(tmp_path / "copy")), "test")


def test_files_that_cannot_be_told_apart(tmp_path):
    lines(tmp_path / "copy")
    (tmp_path / "copy" / "more.jsonl").write_text("{}\n")
    with pytest.raises(DataError, match=r"of which split are .*more\.jsonl\?"):
        read_hub(HubDataset(str(tmp_path / "copy")), "test")
    (tmp_path / "copy" / "more.jsonl").rename(tmp_path / "copy" / "test.parquet")
    with pytest.raises(DataError, match=r"test is there as \.json and as \.parquet"):
        read_hub(HubDataset(str(tmp_path / "copy")), "test")


def test_damaged_and_absent_copies(tmp_path):
    (tmp_path / "copy").mkdir()
    with pytest.raises(DataError, match=r"no \.json, \.jsonl, \.parquet file"):
        read_hub(HubDataset(str(tmp_path / "copy")), "test")
    (tmp_path / "copy" / "test.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"copy: cannot be read .*copy the dataset again"):
        read_hub(HubDataset(str(tmp_path / "copy")), "test")
    with pytest.raises(DataError, match=r"absent: no such folder"):
        read_hub(HubDataset(str(tmp_path / "absent")), "test")


def test_a_hub_id_needs_its_commit():
    for revision in (None, "main"):
        with pytest.raises(ConfigError, match=r"yerevann/coco-karpathy: .*40 hexadecimal"):
            read_hub(HubDataset("yerevann/coco-karpathy", revision), "test")


def test_without_a_network_a_hub_id_says_what_to_do(monkeypatch, tmp_path):
    def refuse(*_, **__):
        raise OSError("Network is unreachable")

    monkeypatch.setattr("time.sleep", lambda _: None)  # the hub's client tries again for 20 seconds
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(DataError, match=rf"dataset owner/name@{COMMIT}: .*give the folder of the copy"):
        read_hub(HubDataset("owner/name", COMMIT), "test")

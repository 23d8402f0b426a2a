import json
from copy import deepcopy
from pathlib import Path

import pytest
from PIL import Image

CAPTIONED = [
    {"filename": "a.png", "filepath": "one", "split": "train", "sentences": ["a red square", "red"]},
    {"filename": "b.png", "filepath": "one", "split": "restval", "sentences": ["green"]},
    {"filename": "c.png", "filepath": "two", "split": "test", "sentences": ["blue", "a blue square", "sky"]},
    {"filename": "d.png", "filepath": "two", "split": "test", "sentences": ["white", "snow"]},
]


def pair(number, reference, target, members):
    return {
        "pairid": number,
        "reference": reference,
        "target_hard": target,
        "target_soft": {target: 1.0},
        "caption": f"make it {target}",
        "img_set": {"id": 0, "members": members},
    }


class CIRRFolder:
    """A small dataset in CIRR's layout that tests change before it is written."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.images = {
            split: {f"{split}-{i}": f"./{split}/{i}.png" for i in range(8)}
            for split in ("train", "val", "test1")
        }
        self.pairs = {
            split: [
                pair(10 * number + 3, f"{split}-{i}", f"{split}-{j}", [f"{split}-{k}" for k in members])
                for number, (i, j, members) in enumerate(
                    [(0, 1, [0, 1, 2, 3, 4, 5]), (2, 7, [7, 6, 5, 4, 3, 2]), (5, 0, [5, 1, 0, 2, 7, 3])]
                )
            ]
            for split in self.images
        }
        for record in self.pairs["test1"]:
            del record["target_hard"], record["target_soft"]

    def file(self, kind: str, split: str) -> Path:
        folder = {"cap": "captions", "split": "image_splits"}[kind]
        return self.root / "cirr" / folder / f"{kind}.rc2.{split}.json"

    def write(self) -> Path:
        for kind, content in (("cap", self.pairs), ("split", self.images)):
            for split, records in content.items():
                path = self.file(kind, split)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(records))
        for number, images in enumerate(self.images.values()):
            for i, relative in enumerate(images.values()):
                path = self.root / "pictures" / relative
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (8, 8), (i * 30, number, 0)).save(path)
        return self.root


@pytest.fixture
def cirr_folder(tmp_path):
    return CIRRFolder(tmp_path / "emoji")


class KarpathyFolder:
    """A small dataset in the Karpathy layout, likewise."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.images = deepcopy(CAPTIONED)
        texts = [(image, text) for image in self.images for text in image["sentences"]]
        for image in self.images:
            image["sentences"] = []
        for number, (image, text) in enumerate(texts):
            image["sentences"].append({"raw": text, "sentid": number})

    def write(self) -> Path:
        for image in self.images:
            path = self.root / "images" / image.get("filepath", "") / image.get("filename", "nameless.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8)).save(path)
        (self.root / "dataset_tiny.json").write_text(json.dumps({"dataset": "tiny", "images": self.images}))
        return self.root


@pytest.fixture
def karpathy_folder(tmp_path):
    return KarpathyFolder(tmp_path / "tiny")

"""A handful of items in the official layouts, to be changed by tests before they are written."""

import json
from pathlib import Path

from PIL import Image

NOCAPS = {
    "info": {"description": "nocaps validation dataset"},
    "images": [
        {"id": 0, "open_images_id": "00a", "file_name": "00a.jpg", "domain": "in-domain"},
        {"id": 1, "open_images_id": "00b", "file_name": "00b.jpg", "domain": "near-domain"},
        {"id": 2, "open_images_id": "00c", "file_name": "00c.jpg", "domain": "near-domain"},
        {"id": 3, "open_images_id": "00d", "file_name": "00d.jpg", "domain": "out-domain"},
    ],
    "annotations": [
        {"image_id": image, "id": number, "caption": text}
        for number, (image, text) in enumerate(
            [(0, "a cat"), (1, "a goat"), (2, "a lion"), (1, "a kid"), (3, "a lamp"), (2, "a pride")]
        )
    ],
}

PERSONS = [
    {"split": split, "captions": captions, "file_path": path, "processed_tokens": [["a"]], "id": person}
    for split, path, person, captions in [
        ("train", "CUHK01/1.png", 1, ["a man in red", "red coat"]),
        ("train", "CUHK01/2.png", 1, ["a red back"]),
        ("train", "Market/3.png", 2, ["a woman with a bag"]),
        ("test", "cam_a/4.png", 8, ["a tall man", "a man with a hat"]),
        ("test", "cam_b/5.png", 9, ["a girl running"]),
        ("test", "cam_b/6.png", 8, ["a man from behind"]),
    ]
]

PRODUCTS = [
    {"id": 10, "images": ["10_1.png", "10_2.png"], "title": "Red Coat", "description": "Wool, long."},
    {"id": 11, "images": ["11_1.png"], "title": "Black Boots", "description": "Laces."},
    {"id": 12, "images": ["12_1.png", "12_2.png"], "title": "White Shirt", "description": "Slim fit."},
]


def write(file: Path, content: object, images: list[str]) -> Path:
    """Write an annotation file, and images below its folder; returns the folder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))
    for number, name in enumerate(images):
        path = file.parent / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number * 20, 0, 0)).save(path)
    return file.parent


def write_nocaps(root: Path, content: dict) -> Path:
    names = [image["file_name"] for image in NOCAPS["images"]]
    return write(root / "nocaps_val_4500_captions.json", content, [f"val/{name}" for name in names])


def write_persons(root: Path, content: list, file: str = "reid_raw.json") -> Path:
    return write(root / file, content, [f"imgs/{record['file_path']}" for record in PERSONS])


def write_products(root: Path, content: list) -> Path:
    images = [f"val/{name}" for product in PRODUCTS for name in product["images"]]
    return write(root / "val_info.json", content, images)

"""A handful of composed queries in the official layouts of FashionIQ, CIRCO and HP-FashionIQ."""

import json
from pathlib import Path

from PIL import Image

FASHION_SPLITS = {"dress": "ABCD", "shirt": "SPQ", "toptee": "SUVW"}
"""ASINs of each category's split; S is both a shirt and a top."""
FASHION_PAIRS = {"dress": ["AB", "BC", "CA"], "shirt": ["SP"], "toptee": ["US", "VU"]}
"""Reference and target of each annotation."""

CIRCO = [
    {"id": 0, "reference_img_id": 30, "target_img_id": 10, "gt_img_ids": [10, 40]},
    {"id": 1, "reference_img_id": 10, "target_img_id": 50, "gt_img_ids": [50]},
]
COCO_IDS = (10, 20, 30, 40, 50)


def dump(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def picture(path: Path, shade: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (shade * 9 % 256, shade, 0)).save(path)


def fashion_captions(pairs: list[str]) -> list[dict]:
    texts = [f"is {pair.lower()}." for pair in pairs]
    return [
        {"target": target, "candidate": reference, "captions": [text, "has more of it "]}
        for (reference, target), text in zip(pairs, texts, strict=True)
    ]


def write_fashion_iq(root: Path) -> Path:
    """All splits of all categories; the test split's targets are left out."""
    for category, asins in FASHION_SPLITS.items():
        for split in ("train", "val", "test"):
            records = fashion_captions(FASHION_PAIRS[category])
            if split == "test":
                records = [{k: v for k, v in record.items() if k != "target"} for record in records]
            dump(root / "captions" / f"cap.{category}.{split}.json", records)
            dump(root / "image_splits" / f"split.{category}.{split}.json", list(asins))
        for asin in asins:
            picture(root / "images" / f"{asin}.png", ord(asin))
    return root


def write_circo(root: Path) -> Path:
    coco = root / "COCO2017_unlabeled"
    for split in ("val", "test"):
        kept = ("id", "reference_img_id") if split == "test" else CIRCO[0]
        records = [{k: r[k] for k in kept} | {"relative_caption": f"has {r['id']} dogs"} for r in CIRCO]
        dump(root / "annotations" / f"{split}.json", records)
    images = [{"id": number, "file_name": f"{number:012d}.jpg", "license": 1} for number in COCO_IDS]
    dump(coco / "annotations" / "image_info_unlabeled2017.json", {"images": images, "licenses": []})
    for image in images:
        picture(coco / "unlabeled2017" / image["file_name"], image["id"])
    return root


def shown(asins: str, score: int) -> dict:
    return {"img_path": [f"/-/image_data/shirt/{asin}.jpg" for asin in asins], "user_score": str(score)}


def judged() -> dict:
    """Two persons, a question set each, with two rows and one."""
    one = {
        "ref_img_paths": ["/-/image_data/shirt/A.jpg", "/-/image_data/shirt/B.jpg"],
        "targ_img_paths": ["/-/image_data/shirt/Z.jpg", "/-/image_data/shirt/Z.jpg"],
        "sentences": ["is red  dotmark", "is blue"],
        "retrieved_set1": [shown("CD", 4), shown("DE", 1)],
        "retrieved_set2": [shown("DE", 2), shown("CF", 5)],
        "preferred set": ["1", "2"],
    }
    other = {key: values[:1] for key, values in one.items()}
    return {"user_1": {"question_set_1": one}, "user_2": {"question_set_1": other}}


def write_judged(root: Path, content: object = None) -> Path:
    dump(root / "hpfiq.json", judged() if content is None else content)
    for asin in "ABCDEF":
        picture(root / "image_data" / "shirt" / f"{asin}.jpg", ord(asin))
    return root

"""A handful of questions in the official layouts of OK-VQA and of marked passages."""

import json
from pathlib import Path

PASSAGES = [
    {"id": "p0", "title": "Deer", "text": "It eats grass.", "source": "a"},
    {"id": "p1", "title": "Red_Deer", "text": "Its antlers grow\u2028in spring.", "source": "a"},
    {"id": "p2", "title": "Bridge", "text": "Gate 5 leads to it.", "source": "b"},
]
QUESTIONS = [
    {"id": "q0", "question": "What do deer eat?", "answers": ["grass"], "positives": ["p0"]},
    {"id": "q1", "question": "When do antlers grow?", "answers": ["spring"], "positives": ["p1", "p0"]},
]
TEST = [
    (7, 71, "What sport is this?", {"racing": 1, "motocross": 0.667}),
    (8, 81, "Which animal?", {"deer": 1}),
]
TRAIN = [(image, 10 * image, f"What is {image}?", {"stuffed animal": 1}) for image in range(1, 41)]
CORPUS = 'kid,text\ng0,"Motocross is, of course,\na sport"\ng1,A woman RACES\ng2,A deer\n'


def write_lines(path: Path, records: list) -> None:
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), "utf-8")


def write_knowledge(root: Path, passages: list = PASSAGES, questions: list = QUESTIONS) -> Path:
    write_lines(root / "passages.jsonl", passages)
    write_lines(root / "questions.jsonl", questions)
    return root


def write_okvqa(root: Path) -> Path:
    for year, answers, asked in (("val2014", "testdev", TEST), ("train2014", "train", TRAIN)):
        questions = [
            {"image_id": image, "question": text, "question_id": name} for image, name, text, _ in asked
        ]
        content = {"questions": questions, "data_subtype": year}
        (root / f"OpenEnded_mscoco_{year}_questions.json").write_text(json.dumps(content))
        soft = [
            {"sent": text, "question_id": name, "label": label, "img_id": f"COCO_{year}_{image:012d}"}
            for image, name, text, label in asked
        ]
        (root / f"{answers}.json").write_text(json.dumps(soft))
        captions = "".join(
            f'{image}\t[{{"caption": "a picture of {image}.", "conf": 0.5}}]\n' for image, *_ in asked
        )
        (root / f"VinVL_base_{year}.tsv").write_text(captions)
    (root / "okvqa_train_corpus.csv").write_text(CORPUS)
    return root

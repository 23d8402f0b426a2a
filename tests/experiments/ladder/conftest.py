"""A small ladder of Shapes with the shipped checkpoints."""

import pytest
import yaml

SIZES = {"train": 2, "val": 2, "test": 6}
CHECKPOINTS = "experiments/checkpoints"


def shapes(task):
    return {"class_path": "datamodules.ShapesDataModule", "init_args": {"task": task, "families": SIZES}}


def content():
    rest = {"method": {"class_path": "requery.adaptation.REST", "init_args": {"lr": 3e-3}}, "batch_size": 12}
    afs = {
        "class_path": "requery.feedback.rows.AFS",
        "init_args": {
            "summarizer": f"{CHECKPOINTS}/shapes_afs",
            "query_only": f"{CHECKPOINTS}/shapes_query_only",
        },
    }
    return {
        "name": "small",
        "tasks": {
            "text_to_image": {
                "data": shapes("text_to_image"),
                "backbone": f"{CHECKPOINTS}/shapes_clip",
                "metric": "recall@5",
                "shifts": {"word_delete": [7]},
                "adaptation": rest,
                "feedback": {
                    "row": afs,
                    "rounds": 3,
                    "captions": {"generator": f"{CHECKPOINTS}/shapes_captioner", "batch_size": 32},
                },
            },
            "composed": {
                "data": shapes("composed"),
                "backbone": f"{CHECKPOINTS}/shapes_clip",
                "trained": f"{CHECKPOINTS}/shapes_blip2",
                "metric": "recall@5",
                "shifts": {"brightness": [3]},
                "reference_side": 224,
                "adaptation": rest,
                "feedback": {"row": {"class_path": "requery.feedback.rows.PRF"}},
            },
        },
    }


def written(folder, change=None, runs="runs"):
    """Write a ladder's file, changed by a function; gives the arguments of the command."""
    made = content()
    made |= {"runs_root": str(folder / runs), "cache": str(folder / "cache")}
    if change is not None:
        change(made)
    path = folder / "ladder.yaml"
    path.write_text(yaml.safe_dump(made))
    return ["--config", str(path)]


@pytest.fixture
def ladder_file(tmp_path):
    """Writes a ladder's file into a folder of its own."""
    return lambda change=None: written(tmp_path, change)

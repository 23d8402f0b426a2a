import pytest
import yaml
from PIL import Image

from experiments.__main__ import main
from experiments.contact_sheet import CELL, GAP, HEAD, LABEL

MODEL = {"class_path": "tests.experiments.dummy.Regression"}
SHAPES = {"class_path": "datamodules.ShapesDataModule", "init_args": {"families": {"test": 5}}}


def config(folder, **data):
    path = folder / "data.yaml"
    path.write_text(yaml.safe_dump({"model": MODEL, "data": data}))
    return f"--config={path}"


@pytest.fixture
def preview(tmp_path, capsys):
    """Runs shift-preview; returns the status, the sheet and what is printed."""

    def run(*args, **data):
        output = tmp_path / "sheet.png"
        status = main(["shift-preview", config(tmp_path, **(data or SHAPES)), f"--output={output}", *args])
        return status, Image.open(output) if output.exists() else None, capsys.readouterr()

    return run


def test_images_on_a_sheet_and_texts_in_a_table(preview):
    status, sheet, shown = preview("--items=3", "--severity=5", "--reference-side=224")
    assert status == 0 and "16 kinds" in shown.out
    assert sheet.size == (LABEL + 3 * (CELL + GAP), HEAD + 17 * (CELL + GAP))
    first = sheet.crop((LABEL, HEAD, LABEL + CELL, HEAD + CELL))
    noisy = sheet.crop((LABEL, HEAD + CELL + GAP, LABEL + CELL, HEAD + 2 * CELL + GAP))
    assert len(noisy.getcolors(10**6)) > 5 * len(first.getcolors(10**6))
    assert all(f"  {kind}@5" in shown.out for kind in ("ocr", "char_swap", "word_delete"))
    assert "synonym" not in shown.out  # no WordNet was given


def test_kinds_are_chosen(preview):
    status, sheet, shown = preview("--kinds=snow", "--items=2")
    assert status == 0 and sheet.height == HEAD + 2 * (CELL + GAP) and "texts of" not in shown.out
    assert preview("--kinds=snoww")[2].err.strip().endswith("did you mean snow?")


def test_a_shifted_benchmark_shows_its_source_with_its_settings(preview, tmp_path):
    (tmp_path / "made.json").write_text('{"test-q000000": "eins"}')
    init = {"source": SHAPES, "kind": "jpeg", "text": {"prepared": {"casual": str(tmp_path / "made.json")}}}
    status, _, shown = preview(
        "--kinds=casual", "--items=1", class_path="datamodules.QueryShift", init_args=init
    )
    assert status == 0 and "casual@1" in shown.out and "eins" in shown.out


def test_texts_alone_leave_no_sheet(preview):
    texts = {**SHAPES, "init_args": {**SHAPES["init_args"], "task": "text_to_image"}}
    status, sheet, shown = preview("--items=1", **texts)
    assert status == 0 and sheet is None and "punctuation@7" in shown.out
    assert "no images for snow" in preview("--kinds=snow", **texts)[2].err


def test_wrong_usage_is_status_two(preview):
    assert preview("--items=0")[0] == 2

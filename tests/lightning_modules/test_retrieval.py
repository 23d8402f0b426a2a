"""What a test through the shared shell says about memory that ran out and texts that were cut."""

from __future__ import annotations

import lightning as L
import pytest
import torch
from PIL import Image

from datamodules.shapes import Families, ShapesDataModule
from lightning_modules.fusion import FusionModule
from requery.errors import ConfigError, RunError

DATA = ShapesDataModule("image_to_text", families=Families(2, 2, 30))


@pytest.fixture
def test(checkpoints, tmp_path):
    """Test CLIP on the data; `change` is applied to its backbone first."""

    def run(change=lambda backbone: None):
        module = FusionModule(str(checkpoints / "clip"), cache=str(tmp_path / "cache"))
        change(module.backbone)
        options = {"logger": False, "enable_progress_bar": False, "accelerator": "cpu"}
        L.Trainer(**options, default_root_dir=str(tmp_path)).test(module, DATA, verbose=False)
        return module

    return run


def short_of_memory(room):
    """Let the towers run out of memory where more than `room` items come at a time."""

    def change(backbone):
        def limited(encode):
            def run(*inputs):
                if max(len(x) for x in inputs if x is not None) > room:
                    raise torch.OutOfMemoryError("CUDA out of memory")
                return encode(*inputs)

            return run

        for name in ("image_features", "encode_query", "encode_gallery"):
            setattr(backbone, name, limited(getattr(backbone, name)))

    return change


@pytest.mark.filterwarnings("ignore:there was no memory")
def test_a_device_short_of_memory_gives_the_same_ranks_and_says_so(test):
    short, roomy = test(short_of_memory(20)), test()
    assert short.cost.as_dict()["encode_block"] == 16
    assert "encode_block" not in roomy.cost.as_dict()
    one, two = short.tested.ranking, roomy.tested.ranking
    assert torch.equal(one.target_rank, two.target_rank)
    assert torch.allclose(one.top_score, two.top_score, atol=1e-5)


@pytest.mark.filterwarnings("ignore:there was no memory")
def test_no_memory_at_all_says_what_to_do(test):
    with pytest.raises(RunError, match="no memory to encode one item"):
        test(short_of_memory(0))


@pytest.mark.parametrize("max_text", [8, 24])
def test_texts_that_are_cut_are_counted_beside_the_score(test, clip, max_text):
    texts = list(DATA.task("test").gallery_text)
    tested = test(lambda backbone: setattr(backbone, "max_text", max_text)).tested
    lengths = [len(ids) for ids in clip.tokenizer(texts)["input_ids"]]
    assert tested.task.notes == {"texts_truncated": sum(length > max_text for length in lengths)}
    assert DATA.task("test").notes == {}


def test_images_become_square_as_asked(checkpoints, pe_audio_video, tmp_path):
    wide = Image.new("RGB", (90, 30), "white")
    shapes = ("pad", "crop", "squash")
    made = [FusionModule(str(checkpoints / "clip"), cache=str(tmp_path), shape=shape) for shape in shapes]
    padded, cropped, squashed = (module.backbone.preprocess(wide) for module in made)
    assert torch.equal(cropped, squashed) and not torch.equal(padded, cropped)  # white, or black bars
    assert len({module.backbone.preprocess.key for module in made}) == 3
    with pytest.raises(ConfigError, match=r"model\.shape is for images"):
        FusionModule(str(pe_audio_video), cache=str(tmp_path), shape="crop")

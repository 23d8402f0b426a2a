"""What tests share: where real data lie, and tiny models of the real classes."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of real datasets; tests that need it are skipped where there is none."""
    folder = Path(os.environ.get("REQUERY_DATA") or ROOT / ".." / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real data: REQUERY_DATA is not set or {folder} does not exist")
    return folder.resolve()


@pytest.fixture(scope="session")
def judged_fixtures(data_root) -> Path:
    """Numbers of QuRe's official code over data that may not be passed on; they lie beside the real data."""
    folder = data_root.parent / "fixtures" / "qure"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    return folder


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(place)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("no right to mount a small file system")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)  # lazily: a lock is held for life


TEXTS = ["a large red circle", "a small blue star at the top left", "make the red circle blue"]


@pytest.fixture(scope="session")
def clip():
    """A CLIP of two layers."""
    import torch
    from transformers import CLIPConfig, CLIPModel

    from requery.backbones import Clip
    from requery.backbones.tokenizer import learn_tokenizer
    from requery.preprocess import Preprocess

    torch.manual_seed(0)
    tokenizer = learn_tokenizer(TEXTS, 300, 24)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2, "num_hidden_layers": 2}
    text = {**sizes, "max_position_embeddings": 24, "vocab_size": len(tokenizer)}
    marks = {f"{n}_token_id": getattr(tokenizer, f"{n}_token_id") for n in ("bos", "eos", "pad")}
    vision = {**sizes, "image_size": 24, "patch_size": 12}
    config = CLIPConfig(text_config={**text, **marks}, vision_config=vision, projection_dim=16)
    return Clip(CLIPModel(config), tokenizer, Preprocess(24)).eval()


QFORMER = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "cross_attention_frequency": 2,
    "max_position_embeddings": 24,
    "use_qformer_text_input": True,
}


@pytest.fixture(scope="session")
def blip2(clip):
    """A Q-Former of two layers over that CLIP's tower."""
    import torch

    from requery.backbones import Blip2

    torch.manual_seed(1)
    qformer = {**QFORMER, "vocab_size": len(clip.tokenizer), "pad_token_id": clip.tokenizer.pad_token_id}
    config = {"qformer": qformer, "dim": 8, "n_tokens": 3, "max_text": 24}
    return Blip2.create(clip.vision, clip.tokenizer, config, clip.preprocess).eval()


@pytest.fixture(scope="session")
def tokens(clip):
    """The tower's tokens of four images."""
    import torch

    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        return clip.image_features(torch.randn(4, 3, 24, 24, generator=generator))


@pytest.fixture(scope="session")
def pe_audio_video(tmp_path_factory):
    """The folder of a PE-AV of one layer a part, whose vision model is a ViT in the place of timm's."""
    import torch
    from transformers import AutoConfig, PeAudioVideoConfig, PeAudioVideoModel

    from requery.backbones.pe_audio_video import PeAudioVideo, PePreprocess

    torch.manual_seed(3)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2, "num_hidden_layers": 1}
    part = {**sizes, "head_dim": 16}
    dac = {"encoder_hidden_size": 4, "hidden_size": 16, "codebook_dim": 8, "downsampling_ratios": [2, 4, 5]}
    marks = {f"{name}_token_id": number for number, name in enumerate(("pad", "bos", "eos", "cls", "sep"))}
    text = {**sizes, "hidden_size": 16, "vocab_size": 8, **marks}
    sides = {"audio_config": {**part, "dac_config": dac}, "video_config": part}
    config = PeAudioVideoConfig(text_config=text, audio_video_config={**part, **sides})
    vision = AutoConfig.for_model("vit", **sizes, image_size=16, patch_size=8, num_labels=24)
    config.audio_video_config.video_config.vision_config = vision
    folder = tmp_path_factory.mktemp("pe")
    preprocess = PePreprocess(rate=8000, hop=40, seconds=0.1, frames=2, size=(16, 16))
    PeAudioVideo(PeAudioVideoModel(config).eval(), preprocess).save(str(folder))
    return folder


@pytest.fixture(scope="session")
def checkpoints(clip, blip2, tmp_path_factory):
    """A folder with the checkpoints `clip` and `blip2`."""
    folder = tmp_path_factory.mktemp("checkpoints")
    clip.save(str(folder / "clip"))
    blip2.shared_vision = folder / "clip"
    blip2.save(str(folder / "blip2"))
    return folder

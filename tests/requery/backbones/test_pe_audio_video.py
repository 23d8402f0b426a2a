"""PE-AV through the adapter: its own model's embeddings, its own processor's inputs."""

import json
import shutil

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from requery.adaptation.layer_norms import layer_norm_parameters
from requery.backbones import PeAudioVideo, load_backbone
from requery.backbones.pe_audio_video import PePreprocess
from requery.errors import ConfigError, DataError
from requery.sound import Waveform
from tests.datamodules.clips import tone

FRAMES = np.random.default_rng(0).integers(0, 256, (4, 20, 30, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def model(pe_audio_video):
    return load_backbone(str(pe_audio_video)).eval()


@torch.no_grad()
def test_embeddings_are_those_of_the_model(model):
    from transformers import PeAudioFeatureExtractor

    sounds = [tone(300, 0.1), tone(500, 0.063)]
    extract = PeAudioFeatureExtractor(sampling_rate=8000, hop_length=40)
    official = extract([s.samples for s in sounds], sampling_rate=8000, return_tensors="pt")
    made = model.preprocess.batch(sounds)  # (2, 2, 800)
    assert torch.equal(made[:, :1], official["input_values"])
    assert torch.equal(made[:, 1].long(), official["padding_mask"].long())
    pixels = model.preprocess.batch([FRAMES, FRAMES[::-1]])  # (2, 2, 3, 16, 16)
    whole = model._whole[0](
        input_values=official["input_values"],
        padding_mask=official["padding_mask"],
        pixel_values_videos=pixels,
    )
    audio = model.encode_query(model.image_features(made, "audio"), None)
    video = model.encode_gallery(model.image_features(pixels, "video"), None)
    assert audio.shape == (2, 16) and video.shape == (2, 1, 16)
    assert torch.allclose(audio, normalize(whole.audio_embeds, dim=-1), atol=1e-5)
    assert torch.allclose(video[:, 0], normalize(whole.video_embeds, dim=-1), atol=1e-5)


def test_sounds_are_cut_filled_and_resampled():
    preprocess = PePreprocess(rate=8000, hop=40, seconds=0.1)
    long, short = preprocess(tone(300, 0.3)), preprocess(tone(300, 0.063))
    assert long.shape == short.shape == (2, 800) and long[1].all()
    assert torch.equal(long[0], torch.from_numpy(tone(300, 0.1).samples))
    assert short[1].sum() == 520 and not short[:, 520:].any()  # 504 samples, reflected to a whole step
    assert torch.equal(short[0, 504:520], short[0, 487:503].flip(0))
    assert preprocess(tone(300, 0.1, 16000)).shape == (2, 800)


def test_frames_are_spread_stretched_and_scaled():
    made = PePreprocess(frames=3, size=(20, 30))(FRAMES)
    assert made.shape == (3, 3, 20, 30)
    exact = torch.from_numpy(FRAMES[[0, 1, 3]]).permute(0, 3, 1, 2) / 127.5 - 1
    assert torch.allclose(made, exact, atol=1e-6)


def test_saved_and_read_again(model, tmp_path):
    model.save(str(tmp_path))
    again = load_backbone(str(tmp_path)).eval()
    assert isinstance(again, PeAudioVideo) and again.preprocess == model.preprocess
    sound = model.preprocess.batch([tone(300)])
    assert torch.equal(again.image_features(sound, "audio"), model.image_features(sound, "audio"))


def test_what_can_be_adapted(model):
    names = layer_norm_parameters(model, ["vision.audio"])
    assert list(names) == ["vision.audio.head.layer_norm.weight", "vision.audio.head.layer_norm.bias"]
    assert len(layer_norm_parameters(model, ["vision.video"])) > 2


def test_settings_in_one_file_a_processor(pe_audio_video, tmp_path):
    folder = tmp_path / "pe"
    shutil.copytree(pe_audio_video, folder)
    (folder / "processor_config.json").unlink()
    (folder / "preprocessor_config.json").write_text('{"sampling_rate": 16000, "hop_length": 40}')
    settings = {"num_frames": None, "size": {"height": 16, "width": 16}, "image_mean": [0, 0, 0]}
    (folder / "video_preprocessor_config.json").write_text(json.dumps(settings))
    read = load_backbone(str(folder)).preprocess
    assert read == PePreprocess(rate=16000, hop=40, size=(16, 16), mean=(0, 0, 0))


def test_timm_that_is_absent_is_named(pe_audio_video, tmp_path, monkeypatch):
    folder = tmp_path / "pe"
    shutil.copytree(pe_audio_video, folder)
    config = json.loads((folder / "config.json").read_text())
    config["audio_video_config"]["video_config"]["vision_config"]["model_type"] = "timm_wrapper"
    (folder / "config.json").write_text(json.dumps(config))
    monkeypatch.setattr("requery.backbones.pe_audio_video.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="there is no timm and no torchvision; install timm"):
        load_backbone(str(folder))


def test_other_media_and_broken_files_are_named(model, pe_audio_video, tmp_path):
    with pytest.raises(ConfigError, match="no stored features"):
        model.preprocess(np.zeros((2, 4), np.float32))
    with pytest.raises(ConfigError, match="needs a sound or a video"):
        model.encode_query(None, ["a text"])
    folder = tmp_path / "pe"
    shutil.copytree(pe_audio_video, folder)
    (folder / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(DataError, match="the checkpoint cannot be read"):
        load_backbone(str(folder))


def test_a_sound_of_one_sample_is_no_error():
    made = PePreprocess(rate=8000, hop=40, seconds=0.1)(Waveform(np.ones(1, np.float32), 8000))
    assert made[:, :40].all() and not made[:, 40:].any()

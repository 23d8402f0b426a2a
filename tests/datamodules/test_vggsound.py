"""VGGSound's layout, its three kinds of clips and their faults."""

import json
import shutil

import pytest
import torch

from datamodules import QueryShifts, VGGSoundDataModule
from datamodules.doctor.examine import examine
from datamodules.doctor.quick import quick
from requery.corruptions import AUDIO_KINDS, IMAGE_KINDS
from requery.episodes import Segment
from requery.errors import ConfigError, DataError
from tests.datamodules.clips import (
    tone,
    write_clips,
    write_csv,
    write_features,
    write_mp4,
    write_paired_features,
)


@pytest.fixture
def root(tmp_path):
    write_clips(tmp_path, write_csv(tmp_path, {"test": 4, "train": 6}))
    return tmp_path


def module(root, **settings):
    return VGGSoundDataModule(root=str(root), **settings)


def test_a_sound_finds_its_video(root):
    task = module(root, frames=2).task("test")
    assert task.protocol.key == "vggsound/test/audio_to_video@1"
    assert task.query_ids == task.gallery_ids == [f"test-{i}_{i:06d}" for i in range(4)]
    assert task.qrels.target.tolist() == [0, 1, 2, 3] and not task.qrels.graded
    assert (task.images.medium, task.gallery_set.medium) == ("audio", "video")
    assert task.images.load(0).rate == 8000 and task.gallery_set.load(3).shape == (2, 12, 20, 3)


def test_a_video_finds_its_sound(root):
    task = module(root, direction="video_to_audio").task("test")
    assert task.protocol.key == "vggsound/test/video_to_audio@1"
    assert (task.images.medium, task.gallery_set.medium) == ("video", "audio")


def test_clips_of_a_label_are_right_where_asked(root):
    task = module(root, relevant="label").task("test")
    assert task.protocol.key == "vggsound/test/audio_to_video/label@1"
    assert [row.tolist() for row in task.qrels.relevant] == [[0, 2], [1, 3], [0, 2], [1, 3]]
    assert task.qrels.grades.tolist() == [2, 1, 2, 1, 1, 2, 1, 2]
    assert not module(root, relevant="label").task("train").qrels.graded


def test_val_is_a_50th_of_the_videos_trained_on(tmp_path):
    lines = [f'video{number},{start},"a, b",train' for number in range(1000) for start in (0, 10)]
    (tmp_path / "vggsound.csv").write_text("\n".join(lines))
    write_paired_features(tmp_path, [f"video{n}_{s:06d}" for n in range(1000) for s in (0, 10)], {})
    data = module(tmp_path, clips="features")
    train, val = (set(data.task(split).query_ids) for split in ("train", "val"))
    assert len(train | val) == 2000 and not train & val and 20 <= len(val) <= 60
    assert not {n.rpartition("_")[0] for n in train} & {n.rpartition("_")[0] for n in val}
    with pytest.raises(DataError, match="no clip of the test split"):
        data.task("test")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("abc,1,rain", "line 1: expected YouTube id, start second, label, train or test; found"),
        ("abc,one,rain,test", "line 1: expected"),
        ("abc,1,rain,val", "line 1: expected"),
        ("abc,1,rain,test\nabc,1,rain,test", "1 clips occur more than once: abc_000001"),
        ('abc,1,"rain,test', "cannot be read"),
    ],
)
def test_malformed_lines_are_named(tmp_path, line, message):
    (tmp_path / "vggsound.csv").write_text(line)
    with pytest.raises(DataError, match=rf"vggsound\.csv.*{message}"):
        module(tmp_path).task("test")


def test_an_absent_file_and_wrong_settings(tmp_path):
    with pytest.raises(DataError, match=r"vggsound\.csv: no such file; it is at www\.robots"):
        module(tmp_path).task("test")
    with pytest.raises(ConfigError, match="direction 'text_to_video' is neither"):
        module(tmp_path, direction="text_to_video")
    with pytest.raises(ConfigError, match="relevant 'all' is neither"):
        module(tmp_path, relevant="all")


def test_missing_clips_are_named_or_left_out(root):
    (root / "test-1_000001.wav").unlink()
    shutil.rmtree(root / "test-2_000002")
    with pytest.raises(
        DataError, match=r"missing: 2 of 8 \(test-1_000001\.wav, test-2_000002/\); queries affected: 2"
    ):
        module(root).task("test")
    task = module(root, on_bad="skip").task("test")
    assert task.query_ids == ["test-0_000000", "test-2_000002", "test-3_000003"]
    assert task.gallery_ids == ["test-0_000000", "test-1_000001", "test-3_000003"]
    assert task.qrels.target.tolist() == [0, -1, 2]
    assert task.notes == {
        "audio_skipped": 1,
        "video_skipped": 1,
        "queries_dropped": 1,
        "targets_outside_gallery": 1,
    }


def test_doctor_reads_sounds_and_frames(root):
    clean = examine(module(root), ("test",), lambda items, n: items)
    assert not clean.findings and clean.splits[0].digest is not None
    (root / "test-0_000000.wav").write_bytes(b"no sound")
    (root / "test-3_000003" / "000.png").write_bytes(b"no image")
    (finding,) = examine(module(root), ("test",), lambda items, n: items).findings
    assert finding.check == "sounds or videos truncated or unreadable"
    assert list(finding.items) == ["test-0_000000.wav", "test-3_000003/"]
    assert finding.affected["reference"] == ["test-0_000000"]


def test_video_files(tmp_path):
    av = pytest.importorskip("av")
    names = write_csv(tmp_path, {"test": 3})
    for name in names[:2]:
        write_mp4(tmp_path / f"{name}.mp4", av, ["red", "blue"], tone(440, 0.5, 16000))
    (tmp_path / f"{names[2]}.mp4").write_bytes(b"no video" * 100)
    (found,) = examine(module(tmp_path, clips="mp4"), ("test",), lambda items, n: items).findings
    assert found.check.endswith("unreadable") and list(found.items) == [f"{names[2]}.mp4"]
    task = module(tmp_path, clips="mp4", frames=2, on_bad="skip").task("test")
    assert task.query_ids == task.gallery_ids == names[:2]
    assert task.images.load(0).rate == 16000 and task.gallery_set.load(1).shape == (2, 16, 32, 3)
    assert task.images.digest(0) != task.gallery_set.digest(0)  # one file, two media


def test_stored_features(tmp_path):
    names = write_csv(tmp_path, {"test": 4})
    write_paired_features(tmp_path / "features", names, {"clipping@5": 1.0})
    data = module(tmp_path, clip_root="features", clips="features")
    task = data.task("test")
    assert task.images.load(2).shape == (1, 24) and task.gallery_set.load(2).shape == (3, 16)
    assert not examine(data, ("test",), lambda items, n: items).findings
    shifts = QueryShifts(data, kinds=["clipping"])
    shifted = shifts.shifted(Segment("clipping", 5))
    assert shifted.gallery_set is task.gallery_set and shifted.query_image.tolist() == [4, 5, 6, 7]
    assert (shifted.images.load(4) != task.images.load(0)).any()
    with pytest.raises(DataError, match=r"clipping@4: no such folder; stored features cannot be corrupted"):
        shifts.shifted(Segment("clipping", 4))


def test_rows_that_are_missing(tmp_path):
    names = write_csv(tmp_path, {"test": 4})
    write_paired_features(tmp_path, names, {})
    write_features(tmp_path / "video", names[1:], torch.ones(3, 2))
    (found,) = quick(module(tmp_path, clips="features").sources("test"))
    assert f"video/ids.json: no row for 1 of 4 items ({names[0]})" in str(found)
    task = module(tmp_path, clips="features", on_bad="skip").task("test")
    assert task.gallery_ids == names[1:] and task.qrels.target.tolist() == [-1, 0, 1, 2]
    (tmp_path / "video" / "ids.json").write_text(json.dumps(names))
    with pytest.raises(DataError, match=r"\(3, 2\) features for 4 names"):
        module(tmp_path, clips="features", on_bad="skip").task("test")


def test_kinds_that_fit_the_medium(root):
    sounds, videos = (module(root, direction=direction) for direction in ("audio_to_video", "video_to_audio"))

    def kinds(data, asked):
        return [episode.segments[0].kind for episode in QueryShifts(data, kinds=asked, orders=1).episodes]

    assert kinds(sounds, "audio") == kinds(sounds, None) == list(AUDIO_KINDS)
    assert kinds(videos, "image") == kinds(videos, None) == list(IMAGE_KINDS)
    for data, wrong in ((sounds, "image"), (videos, "audio"), (sounds, "text")):
        with pytest.raises(ConfigError, match=f"the queries have no {wrong} to shift"):
            kinds(data, wrong)
    for data, kind, lack in ((sounds, "fog", "no images"), (videos, "clipping", "no sounds")):
        with pytest.raises(ConfigError, match=f"queries: {lack} for {kind} to change"):
            QueryShifts(data, kinds=[kind]).shifted(Segment(kind, 5))
    with pytest.raises(ConfigError, match="the gallery is video, the queries are audio: no kind fits both"):
        QueryShifts(sounds, kinds=["clipping"], gallery=True).task("test")


def test_only_the_queries_are_shifted(root):
    data = QueryShifts(module(root), kinds=["audio_noise"], queries=3)
    clean, noisy = data.task("test"), data.shifted(Segment("audio_noise", 5))
    assert noisy.shift == "audio_noise@5" and noisy.gallery_set is clean.gallery_set
    before, after = (t.images.load(int(t.query_image[1])) for t in (clean, noisy))
    assert before.rate == after.rate and (before.samples != after.samples).any()
    assert noisy.digest() != clean.digest()

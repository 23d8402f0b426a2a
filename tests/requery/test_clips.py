"""Sets of sounds and videos."""

import pytest
from PIL import Image

from requery.clips import AudioFiles, VideoFiles
from requery.errors import ConfigError, DataError
from tests.datamodules.clips import tone, write_clips, write_wav


@pytest.fixture
def root(tmp_path):
    write_clips(tmp_path, ["a", "b"])
    return tmp_path


def test_sounds_and_videos_by_position(root):
    sounds = AudioFiles([root / "a.wav", root / "b.wav"], ["a", "b"])
    videos = VideoFiles([root / "a", root / "b"], ["a", "b"], frames=2)
    assert (len(sounds), sounds.medium, len(videos), videos.medium) == (2, "audio", 2, "video")
    assert sounds.load(1).rate == 8000 and videos.load(1).shape == (2, 12, 20, 3)


def test_digests_follow_what_is_decoded(root):
    sounds = AudioFiles([root / "a.wav"], ["a"])
    before = sounds.digest(0)
    two, three = VideoFiles([root / "a"], ["a"], 2), VideoFiles([root / "a"], ["a"], 3)
    digests = {before, two.digest(0), three.digest(0)}
    Image.new("RGB", (20, 12), "red").save(root / "a" / "001.png")  # of two frames, the middle is not taken
    assert two.digest(0) in digests and three.digest(0) not in digests and len(digests) == 3
    write_wav(root / "a.wav", tone(300))
    assert sounds.digest(0) != before


def test_faults_are_named(root):
    with pytest.raises(ConfigError, match="1 sound files for 2 names"):
        AudioFiles([root / "a.wav"], ["a", "b"])
    with pytest.raises(ConfigError, match="1 videos for 0 names"):
        VideoFiles([root / "a"], [])
    with pytest.raises(ConfigError, match="frames is 0"):
        VideoFiles([root / "a"], ["a"], 0)
    for absent in (AudioFiles([root / "c.wav"], ["c"]), VideoFiles([root / "c"], ["c"])):
        for use in (absent.load, absent.digest):
            with pytest.raises(DataError, match=r"/c"):
                use(0)

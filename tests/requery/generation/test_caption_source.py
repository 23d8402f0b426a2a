import pytest

from requery.errors import ConfigError, DataError
from requery.generation import RuleGenerator, caption_source
from requery.generation.caption_source import CaptionSource
from requery.shapes.scene import ShapesConfig
from requery.shapes.world import ShapesImages


@pytest.fixture
def images():
    return ShapesImages(ShapesConfig(), "test", 6)


@pytest.fixture
def asked(monkeypatch):
    """Counts what a captioner is asked; it has nothing to say of one picture."""
    seen = []

    def rule(prompt):
        seen.append(1)
        return f"a picture of {prompt.image.resize((1, 1)).getpixel((0, 0))}"

    monkeypatch.setattr(caption_source, "load_generator", lambda *_: RuleGenerator(rule, "mean@1"))
    return seen


def test_an_image_is_captioned_once(images, asked, tmp_path):
    source = CaptionSource("any")
    first = source.texts(images, [0, 2, 4], tmp_path)
    again = source.texts(images, [4, 2, 5], tmp_path)
    assert len(asked) == 4 and again[:2] == first[:0:-1] and (tmp_path / "captions").is_dir()
    replayed = CaptionSource(store=str(tmp_path / "captions")).texts(images, [0], tmp_path)
    assert replayed == first[:1] and len(asked) == 4


def test_what_is_missing_is_named(images, tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="there is no captioner"):
        CaptionSource().texts(images, [0], tmp_path)
    ids, silent = iter(range(6)), RuleGenerator(lambda _: "" if next(ids) == 1 else "a picture", "silent@1")
    monkeypatch.setattr(caption_source, "load_generator", lambda *_: silent)
    with (
        pytest.warns(UserWarning, match="1 of 3 texts failed"),
        pytest.raises(DataError, match=f"1 of 3 images have no caption .{images.ids[1]}"),
    ):
        CaptionSource("any").texts(images, [0, 1, 2], tmp_path)

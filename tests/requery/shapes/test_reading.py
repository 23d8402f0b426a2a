"""Captions are read back as they were meant."""

from requery.shapes.language import Description
from requery.shapes.reading import Rightness, caption_marks, names, read_caption, rightness
from requery.shapes.scene import ShapesConfig, Thing
from requery.shapes.tasks import captions
from requery.shapes.world import scene_at

CONFIG = ShapesConfig()
N = 300


def test_every_caption_is_read_as_what_it_says():
    for caption in captions(CONFIG, "test", N):
        assert read_caption(caption.text) == caption.descriptions
        assert read_caption(caption.text.upper().lower() + ".") == caption.descriptions


def test_true_captions_are_all_right_and_those_of_others_are_not():
    scenes = [scene_at(CONFIG, "test", i) for i in range(N)]
    texts = [caption.text for caption in captions(CONFIG, "test", N)]
    objects = sum(map(len, scenes))
    assert rightness(texts, scenes) == Rightness(N, N, objects, objects, objects)
    shifted = rightness(texts[7:] + texts[:7], scenes)
    assert shifted.true < 0.05 * N and shifted.right < 0.1 * objects


def test_an_error_costs_what_it_touches():
    scene = (Thing(0, 0, 0, 1), Thing(4, 1, 2, 0))
    right, other = "a big red circle at the top left", "a tiny yellow square in the centre"
    for text, counts in {
        f"{right} and {other}": (1, 2, 2),
        right: (0, 1, 1),
        f"{right} and a tiny yellow square": (1, 2, 2),
        f"{right} and a tiny yellow square at the top right": (0, 2, 1),
        f"{right} and a huge yellow square": (0, 2, 1),
        f"{right} and {other} and {other}": (0, 2, 2),
        f"{right} and a tiny yellow": (0, 1, 1),
        "": (0, 0, 0),
    }.items():
        found = rightness([text], [scene])
        assert (found.true, found.named, found.right) == counts, text


def test_what_is_no_caption_names_nothing():
    assert read_caption("make the red circle blue, a banana at the top left") == ()
    assert read_caption("here you see a little black star") == (Description(4, 7, 0, None),)


def test_marks_of_one_caption():
    scene = (Thing(0, 0, 0, 1), Thing(4, 1, 2, 0))
    right, other = "a big red circle at the top left", "a tiny yellow square in the centre"
    assert caption_marks(f"{right} and {other}", scene) == (1.0, 1.0, 1.0)
    assert caption_marks(f"{right} and a huge yellow square", scene) == (0.5, 0.0, 1.0)


def test_a_thing_is_named_alone():
    thing = Thing(0, 0, 0, 1)
    for text, named in {
        "Red circle\nThe red circle comes from LUMO.": True,
        "red circle and blue star": False,  # another thing misleads
        "a red square": False,
        "hundred red circle": True,
        "": False,
    }.items():
        assert names(text, thing) == named

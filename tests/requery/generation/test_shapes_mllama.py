"""The small Mllama that ships names what val pictures of Shapes show, and where."""

from pathlib import Path

from requery.expansion.prompts import PROMPTS
from requery.generation import Request, TransformersGenerator, generate, load_generator
from requery.shapes.reading import read_caption, rightness
from requery.shapes.scene import ShapesConfig
from requery.shapes.world import ShapesImages, scene_at

CHECKPOINT = Path(__file__).resolve().parents[3] / "experiments" / "checkpoints" / "shapes_mllama"


def test_captions_of_unseen_images_are_right():
    config, asked = ShapesConfig(), (PROMPTS["short@1"].caption,)
    images = ShapesImages(config, "val", 100)
    chat = load_generator(str(CHECKPOINT), batch_size=50, device="cpu")
    assert isinstance(chat, TransformersGenerator)
    requests = [Request(name, asked, (images, position)) for position, name in enumerate(images.ids)]
    texts = [text for (text,) in generate(chat, requests)]
    scenes = [scene_at(config, "val", i) for i in range(len(images))]
    found = rightness(texts, scenes)
    assert found.named > 0.95 * found.objects and found.true > 0.8 * found.captions
    cells = [{thing.kind: thing.cell for thing in scene} for scene in scenes]
    told = [
        (said.cell, cells[image].get((said.shape, said.colour)))
        for image, text in enumerate(texts)
        for said in read_caption(text)
        if said.cell is not None
    ]
    assert sum(cell == true for cell, true in told) > 0.85 * len(told) > 100

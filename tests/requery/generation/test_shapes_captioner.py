"""The captioner that ships describes test images of Shapes it has never seen."""

from pathlib import Path

from requery.generation import caption_requests, generate, load_generator
from requery.shapes.reading import rightness
from requery.shapes.scene import ShapesConfig
from requery.shapes.world import ShapesImages, scene_at

CHECKPOINT = Path(__file__).resolve().parents[3] / "experiments" / "checkpoints" / "shapes_captioner"


def test_captions_of_unseen_images_are_right():
    config = ShapesConfig()
    images = ShapesImages(config, "test", 200)
    captioner = load_generator(str(CHECKPOINT), batch_size=50, device="cpu")
    texts = [text for (text,) in generate(captioner, caption_requests(images, prompted=False))]
    found = rightness(texts, [scene_at(config, "test", i) for i in range(len(images))])
    assert found.right > 0.9 * found.objects and found.true > 0.8 * found.captions

"""The adapter that ships names what a question points at, in words that its training did not have."""

from pathlib import Path

from requery.expansion import ExpansionSettings
from requery.expansion.ask import AskModel
from requery.expansion.settings import Drawing
from requery.expansion.steps import rewrite
from requery.expansion.trace import Trace
from requery.generation import load_generator
from requery.shapes.scene import COLOURS, SHAPES, ShapesConfig
from requery.shapes.tasks import knowledge
from requery.shapes.world import ShapesImages

CHECKPOINTS = Path(__file__).resolve().parents[3] / "experiments" / "checkpoints"


def named(adapter):
    """Share of 200 questions whose rewriting is the thing's name."""
    config = ShapesConfig()
    asked = knowledge(config, "val", 34)[:200]
    images = ShapesImages(config, "val", 200)
    settings = ExpansionSettings(prompts="short@1", drawing=Drawing(temperature=0.0, rewrite_tokens=16))
    model = load_generator(str(CHECKPOINTS / "shapes_mllama"), adapter=adapter, batch_size=50, device="cpu")
    traces = [Trace(images.ids[i], one.text, "", (images, i)) for i, one in enumerate(asked)]
    rewrite(AskModel(settings, model), traces)
    names = [f"{COLOURS[one.thing.colour]} {SHAPES[one.thing.shape]}" for one in asked]
    return sum(trace.rewritten == name for trace, name in zip(traces, names, strict=True)) / len(asked)


def test_the_adapter_names_what_is_pointed_at_and_the_base_cannot():
    assert named(str(CHECKPOINTS / "shapes_mllama_lora")) > 0.9
    assert named(None) == 0.0

"""Captions: the paper's two turns, or none for a captioner."""

from requery.generation import Store, caption_requests, generate, load_generator
from requery.generation.captions import DESCRIBE, SHORTEN
from tests.requery.generation.conftest import Pictures


def test_the_papers_templates_go_round_by_position():
    pictures = Pictures(12)
    assert len(set(DESCRIBE)) == 5
    assert [request.turns for request in caption_requests(pictures)] == [
        (DESCRIBE[i % 5], SHORTEN) for i in range(12)
    ]
    chosen = caption_requests(pictures, [7, 3])
    assert [request.name for request in chosen] == ["pictures/7.png", "pictures/3.png"]
    assert [request.turns[0] for request in chosen] == [DESCRIBE[2], DESCRIBE[3]]
    assert [request.image for request in chosen] == [(pictures, 7), (pictures, 3)]


def test_every_model_captions_a_set_of_images(llava, encoder_decoder, pictures, tmp_path):
    store = Store(tmp_path)
    for folder in (llava, encoder_decoder):
        generator = load_generator(folder, batch_size=4, device="cpu")
        asked = caption_requests(pictures, prompted=generator.takes_prompts)
        captions = generate(generator, asked, max_new_tokens=12, store=store)
        assert len({text for (text,) in captions}) > 2
        assert [bool(request.turns) for request in asked] == [generator.takes_prompts] * 6
    assert [model for model, _ in store.models] == ["llava", "vit_gpt2"]

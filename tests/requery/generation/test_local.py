"""Models of the real classes: one item's text is its own, whatever is in the batch with it."""

import shutil
import warnings
from importlib.util import find_spec

import pytest
import torch

from requery.errors import ConfigError, DataError
from requery.generation import Captioner, Prompt, Sampling, TransformersGenerator, load_generator

CHATS, CAPTIONERS = ("llava", "llava_chat", "mllama"), ("encoder_decoder", "blip")
GREEDY, DRAWN = Sampling(max_new_tokens=8), Sampling(1.0, 0.9, 8)


@pytest.fixture(params=CHATS + CAPTIONERS)
def generator(request):
    return load_generator(request.getfixturevalue(request.param), batch_size=4, device="cpu")


def prompts(generator, pictures, n=6, turns=("write a short caption", "red circle")):
    words = turns if generator.takes_prompts else ()
    return [Prompt(words, pictures.load(i), seed=100 + i) for i in range(n)]


def texts(generator, items, sampling):
    return [answer.text for answer in generator.answer(items, sampling)]


@pytest.mark.parametrize("sampling", [GREEDY, DRAWN], ids=["greedy", "drawn"])
def test_a_text_does_not_depend_on_its_batch(generator, pictures, sampling):
    items = prompts(generator, pictures)
    together = texts(generator, items, sampling)
    assert len(set(together)) > 2  # the images are seen
    backwards = texts(generator, items[::-1], sampling)[::-1]
    alone = [texts(generator, [item], sampling)[0] for item in items]
    assert together == backwards == alone


def test_seeds_draw_and_greedy_does_not(generator, pictures):
    same = [Prompt(p.turns, p.image, seed) for seed, p in enumerate(prompts(generator, pictures, 1) * 6)]
    assert len(set(texts(generator, same, GREEDY))) == 1
    drawn = texts(generator, same, DRAWN)
    assert len(set(drawn)) > 1 and drawn == texts(generator, same, DRAWN)


def test_answers_count_their_tokens_and_time(generator, pictures):
    for answer in generator.answer(prompts(generator, pictures), GREEDY):
        turns = 2 if generator.takes_prompts else 1
        assert 1 <= answer.tokens <= 8 * turns and answer.seconds > 0 and answer.error is None


@pytest.mark.parametrize("name", CHATS)
@torch.no_grad()
def test_greedy_is_transformers_own(request, pictures, name):
    generator = load_generator(request.getfixturevalue(name), batch_size=2, device="cpu")
    (item,) = prompts(generator, pictures, 1, turns=("write a short caption",))
    processor, model = generator.processor, generator.model
    text = generator.dialogue(item, [])
    begun = text.startswith(processor.tokenizer.bos_token)
    inputs = processor(text=text, images=item.image, return_tensors="pt", add_special_tokens=not begun)
    ids = model.generate(**inputs, max_new_tokens=8, do_sample=False)[0, inputs["input_ids"].shape[1] :]
    assert texts(generator, [item], GREEDY) == [processor.decode(ids, skip_special_tokens=True).strip()]


def test_left_padding_leaves_short_prompts_alone(llava, pictures):
    generator = load_generator(llava, batch_size=2, device="cpu")
    short, long = (Prompt((words,), pictures.load(0), 7) for words in ("red", "write a short caption " * 3))
    assert texts(generator, [short, long], GREEDY)[0] == texts(generator, [short], GREEDY)[0]


def test_the_second_turn_hears_the_first_answer(llava, llava_chat, pictures):
    prompt = Prompt(("one", "two"), pictures.load(0), 0)
    plain = load_generator(llava, device="cpu")
    assert plain.dialogue(prompt, ["said"]) == "USER: <image>\none ASSISTANT: said USER: two ASSISTANT:"
    chat = load_generator(llava_chat, device="cpu")
    assert chat.dialogue(prompt, ["said"]) == (
        "<bos>[user] <image>one | [assistant] said | [user] two | [assistant] "
    )
    assert chat.dialogue(Prompt(("one",), None, 0), []) == "<bos>[user] one | [assistant] "
    ids = chat.inputs([chat.dialogue(prompt, [])], [prompt])["input_ids"][0].tolist()
    assert ids.count(chat.tokenizer.bos_token_id) == 1


@pytest.mark.parametrize("name", CHATS)
def test_prompts_with_and_without_images_share_a_call(request, pictures, name):
    generator = load_generator(request.getfixturevalue(name), batch_size=4, device="cpu")
    seen = prompts(generator, pictures, 2)
    mixed = [seen[0], Prompt(("write",), None, 1), seen[1], Prompt(("red circle",), None, 2)]
    answers = texts(generator, mixed, GREEDY)
    assert answers[::2] == texts(generator, seen, GREEDY)
    assert answers[1::2] == texts(generator, mixed[1::2], GREEDY)


def test_a_captioner_takes_no_words_and_a_chat_needs_them(encoder_decoder, llava, pictures):
    captioner, chat = load_generator(encoder_decoder, device="cpu"), load_generator(llava, device="cpu")
    assert isinstance(captioner, Captioner) and isinstance(chat, TransformersGenerator)
    with pytest.raises(ConfigError, match="takes no words"):
        captioner.answer([Prompt(("hello",), pictures.load(0), 0)], GREEDY)
    with pytest.raises(ConfigError, match="takes no words"):
        captioner.answer([Prompt((), None, 0)], GREEDY)
    with pytest.raises(ConfigError, match="asked in words"):
        chat.answer([Prompt((), pictures.load(0), 0)], GREEDY)


def test_a_caption_ends_where_the_decoder_does(encoder_decoder, blip, pictures):
    for folder in (encoder_decoder, blip):
        captioner = load_generator(folder, device="cpu")
        (answer,) = captioner.answer([Prompt((), pictures.load(1), 0)], Sampling(max_new_tokens=100))
        assert 1 <= answer.tokens <= 15  # 16 positions, one for the beginning


def test_a_checkpoints_own_settings_of_generation_do_not_act(encoder_decoder):
    settings = load_generator(encoder_decoder, device="cpu").model.generation_config
    assert settings.num_beams in (None, 1) and settings.repetition_penalty in (None, 1.0)


def test_a_batch_too_large_for_memory_is_halved(encoder_decoder, pictures):
    generator = load_generator(encoder_decoder, batch_size=4, device="cpu")
    items, whole = prompts(generator, pictures, 5), generator.answer_batch
    expected, sizes = texts(generator, items, GREEDY), []

    def small(batch, sampling):
        sizes.append(len(batch))
        if len(batch) > 2:
            raise torch.OutOfMemoryError("no memory")
        return whole(batch, sampling)

    generator.answer_batch = small
    with pytest.warns(UserWarning, match="no memory for 4"):
        assert texts(generator, items, GREEDY) == expected
    assert sizes == [4, 2, 2, 2]
    generator.batch_size = 1
    generator.answer_batch = lambda batch, sampling: (_ for _ in ()).throw(torch.OutOfMemoryError("none"))
    with pytest.raises(torch.OutOfMemoryError):
        generator.answer(items, GREEDY)


def test_the_identity_is_the_files_contents(encoder_decoder, tmp_path):

    first = load_generator(encoder_decoder, device="cpu").identity
    copy = tmp_path / "elsewhere"
    shutil.copytree(encoder_decoder, copy)
    assert load_generator(str(copy), device="cpu").identity == first
    (copy / "tokenizer_config.json").write_text((copy / "tokenizer_config.json").read_text() + "\n")
    assert load_generator(str(copy), device="cpu").identity != first
    assert load_generator(encoder_decoder, device="cpu", dtype="bfloat16").identity != first


def test_what_cannot_be_loaded_is_named(clip, encoder_decoder, tmp_path):

    clip.save(str(tmp_path / "clip"))
    with pytest.raises(ConfigError, match="writes no text"):
        load_generator(str(tmp_path / "clip"))
    with pytest.raises(ConfigError, match="40 hexadecimal"):
        load_generator("llava-hf/llava-1.5-7b-hf")
    shutil.copytree(encoder_decoder, tmp_path / "cut")
    (tmp_path / "cut" / "model.safetensors").unlink()
    with pytest.raises(DataError, match="cut"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        load_generator(str(tmp_path / "cut"))


@pytest.mark.skipif(find_spec("peft") is not None, reason="peft is there")
def test_an_adapter_without_peft_is_refused(llava, tmp_path):
    with pytest.raises(ConfigError, match=r"(?i)peft"):
        load_generator(llava, adapter=str(tmp_path), device="cpu")


@pytest.mark.skipif(find_spec("peft") is None, reason="needs peft")
def test_an_adapter_changes_texts_and_identity(llava, pictures, tmp_path):
    from peft import LoraConfig, get_peft_model

    plain = load_generator(llava, batch_size=2, device="cpu")
    expected = texts(plain, prompts(plain, pictures), GREEDY)
    torch.manual_seed(0)
    layers = r".*language_model.*\.(q_proj|v_proj)"
    lora = get_peft_model(plain.model, LoraConfig(r=2, target_modules=layers, init_lora_weights=False))
    lora.save_pretrained(tmp_path / "adapter")
    adapted = load_generator(llava, adapter=str(tmp_path / "adapter"), batch_size=2, device="cpu")
    assert texts(adapted, prompts(adapted, pictures), GREEDY) != expected
    assert adapted.identity["files"] == plain.identity["files"]
    assert adapted.identity["adapter"] is not None and plain.identity["adapter"] is None

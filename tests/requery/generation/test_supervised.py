"""Teaching: the very prompt of generation, and a loss on the answer and its end alone."""

import pytest
import torch
from torch.nn.functional import log_softmax

from requery.generation import Prompt, Sampling, load_generator
from requery.generation.supervised import IGNORED, Example, ending, score, supervised

CHATS = ("llava", "llava_chat", "mllama")
WORDS = ("red", "write a short caption", "describe the red circle at the top left")
ANSWERS = ("a blue star", "star", "red circle\na short caption")


@pytest.fixture(params=CHATS)
def generator(request):
    return load_generator(request.getfixturevalue(request.param), batch_size=3, device="cpu")


@pytest.fixture
def examples(pictures):
    return [
        Example(Prompt((words,), pictures.load(i), 0), answer, 60)
        for i, (words, answer) in enumerate(zip(WORDS, ANSWERS, strict=True))
    ]


def prompts_of_generation(generator, prompts):
    """What `generate` is given."""
    seen = []
    kept = generator.model.generate
    generator.model.generate = lambda **inputs: seen.append(inputs) or kept(**inputs)
    try:
        generator.answer(prompts, Sampling(max_new_tokens=1))
    finally:
        del generator.model.generate
    return seen[0]


def test_prompts_are_those_of_generation_token_by_token(generator, examples):
    inputs, labels = supervised(generator, examples)
    asked = prompts_of_generation(generator, [example.prompt for example in examples])
    width = asked["input_ids"].shape[1]
    assert inputs["input_ids"].shape[1] == width + labels.shape[1]
    for name in ("input_ids", "attention_mask", "cross_attention_mask"):
        if name in asked:
            assert torch.equal(inputs[name][:, :width], asked[name]), name
    assert torch.equal(inputs["pixel_values"], asked["pixel_values"])


def test_labels_are_the_answer_and_its_end(generator, examples):
    inputs, labels = supervised(generator, examples)
    end = ending(generator)
    assert end == generator.tokenizer.eos_token_id
    for row, answer in zip(labels.tolist(), ANSWERS, strict=True):
        learnt = [token for token in row if token != IGNORED]
        assert learnt[-1] == end and generator.tokenizer.decode(learnt[:-1]).strip() == answer
        assert row[len(learnt) :] == [IGNORED] * (len(row) - len(learnt))
    rows = generator.model.get_output_embeddings().weight.shape[0]
    assert labels.max() < rows  # Mllama's embeddings have rows for images, its head has none
    written = inputs["input_ids"][:, -labels.shape[1] :]
    assert torch.equal(written[labels != IGNORED], labels[labels != IGNORED])
    assert torch.equal(inputs["attention_mask"][:, -labels.shape[1] :] == 1, labels != IGNORED)


def test_a_long_answer_is_learnt_as_far_as_generation_goes(generator, examples):
    _, labels = supervised(generator, [Example(examples[2].prompt, examples[2].answer, 4)])
    whole = generator.tokenizer(examples[2].answer, add_special_tokens=False)["input_ids"]
    assert labels.tolist() == [whole[:4]]


@torch.no_grad()
def test_a_loss_is_the_answers_log_probability_word_by_word(generator, examples):
    found = score(generator, examples)
    for row, example in enumerate(examples):
        inputs = generator.inputs([generator.dialogue(example.prompt, [])], [example.prompt])
        answer = [
            *generator.tokenizer(example.answer, add_special_tokens=False)["input_ids"],
            ending(generator),
        ]
        total, right = 0.0, 0
        for token in answer:  # without any mask or padding of ours
            step = {
                **inputs,
                "attention_mask": torch.ones_like(inputs["input_ids"]),
            }
            if "cross_attention_mask" in inputs:
                more = inputs["input_ids"].shape[1] - inputs["cross_attention_mask"].shape[1]
                mask = inputs["cross_attention_mask"]
                step["cross_attention_mask"] = torch.cat([mask, mask[:, -1:].expand(-1, more, -1, -1)], 1)
            logits = generator.model(**step).logits[0, -1]
            total -= log_softmax(logits.float(), 0)[token].item()
            right += int(logits.argmax() == token)
            inputs["input_ids"] = torch.cat([inputs["input_ids"], torch.tensor([[token]])], dim=1)
        assert found.losses[row].item() == pytest.approx(total, rel=1e-4)
        assert (found.tokens[row].item(), found.right[row].item()) == (len(answer), right)


@torch.no_grad()
def test_examples_with_and_without_images_are_scored_in_their_order(generator, examples):
    blind = Example(Prompt(("red circle",), None, 0), "a star", 60)
    mixed = score(generator, [examples[0], blind, examples[1]])
    apart = [score(generator, [one]).losses.item() for one in (examples[0], blind, examples[1])]
    assert mixed.losses.tolist() == pytest.approx(apart, rel=1e-4)
    assert score(generator, []).losses.shape == (0,)


def test_what_was_taught_is_answered(mllama, pictures):
    generator = load_generator(mllama, batch_size=2, device="cpu")
    examples = [
        Example(Prompt(("red circle",), pictures.load(i), 0), answer, 20)
        for i, answer in enumerate(("a blue star", "top left"))
    ]
    optimizer = torch.optim.Adam(generator.model.parameters(), lr=3e-3)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        found = score(generator, examples)
        loss = found.losses.sum() / found.tokens.sum()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]
    answers = generator.answer([example.prompt for example in examples], Sampling(max_new_tokens=20))
    assert [answer.text for answer in answers] == ["a blue star", "top left"]

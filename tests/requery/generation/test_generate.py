"""From requests to texts: the store first, then batches, each stored at once; what fails fails alone."""

import os
import signal

import pytest

from requery.errors import ConfigError, DataError, RunError
from requery.generation import Answer, Replay, Request, RuleGenerator, Store, generate
from tests.processes import server, together
from tests.requery.generation.conftest import Pictures


class Counting:
    """Answers by the prompt and seed, and remembers what it was asked."""

    name, takes_prompts, batch_size = "counting", True, 3

    def __init__(self, fails=(), identity="counting@1"):
        self.identity, self.fails, self.batches = {"kind": "rule", "model": identity}, fails, []

    def answer(self, prompts, sampling):
        self.batches.append([prompt.turns[0] for prompt in prompts])
        if any(prompt.turns[0] in self.fails for prompt in prompts):
            raise ValueError("odd input\nwith details")
        return [Answer(f"{p.turns[0]} {'' if sampling.greedy else p.seed}".strip(), 2, 0.1) for p in prompts]

    @property
    def asked(self):
        return sum(map(len, self.batches))


def requests(n=7):
    return [Request(f"name-{i}", (f"item {i}",)) for i in range(n)]


def test_each_request_gets_n_texts_of_its_own_in_order():
    texts = generate(Counting(), requests(), n=3, temperature=0.5)
    assert [len(set(row)) for row in texts] == [3] * 7
    assert all(text.startswith(f"item {i} ") for i, row in enumerate(texts) for text in row)


def test_greedy_texts_are_made_once_and_equal_requests_are_asked_once():
    generator = Counting()
    assert generate(generator, requests(2) * 3, n=2) == [["item 0"] * 2, ["item 1"] * 2] * 3
    assert generator.asked == 2


def test_a_text_depends_on_the_seed_and_on_all_that_is_asked_but_not_on_what_is_beside_it():
    draw = {"temperature": 0.5, "seed": 1}
    whole = generate(Counting(), requests(), n=2, **draw)
    assert whole == generate(Counting(), requests(), n=2, **draw)
    assert whole[::-1] == generate(Counting(), requests()[::-1], n=2, **draw)
    assert whole[4:5] == generate(Counting(), requests()[4:5], n=2, **draw)
    assert [row[:1] for row in whole] == generate(Counting(), requests(), n=1, **draw)
    for other in ({"seed": 2}, {"temperature": 0.6}, {"top_p": 0.9}, {"max_new_tokens": 7}):
        assert whole != generate(Counting(), requests(), n=2, **{**draw, **other})
    assert whole != generate(Counting(identity="counting@2"), requests(), n=2, **draw)


def test_what_is_stored_is_not_generated_again(tmp_path):
    first = generate(Counting(), requests(5), n=2, temperature=1.0, store=Store(tmp_path))
    again = Counting()
    assert generate(again, requests(7), n=2, temperature=1.0, store=Store(tmp_path))[:5] == first
    assert again.asked == 4
    assert generate(Counting(), requests(), n=2, temperature=1.0) == generate(
        Counting(), requests(), n=2, temperature=1.0, store=Store(tmp_path)
    )


def test_a_greedy_text_is_found_under_any_seed(tmp_path):
    generate(Counting(), requests(2), seed=1, top_p=0.5, store=Store(tmp_path))
    again = Counting()
    generate(again, requests(2), seed=2, n=3, store=Store(tmp_path))
    assert again.asked == 0


def test_progress_counts_what_is_made(tmp_path):
    seen = []
    generate(Counting(), requests(2), store=Store(tmp_path))
    generate(Counting(), requests(7), store=Store(tmp_path), progress=lambda *counts: seen.append(counts))
    assert seen == [(3, 5), (5, 5)]


def test_a_failure_is_recorded_alone_and_tried_again_by_the_next_run(tmp_path):
    generator = Counting(fails=("item 4",))
    with pytest.warns(UserWarning, match=r"1 of 7 texts failed: name-4 \(ValueError: odd input\)"):
        texts = generate(generator, requests(), store=Store(tmp_path))
    assert texts == [[f"item {i}"] if i != 4 else [] for i in range(7)]
    still = Counting(fails=("item 4",))
    with pytest.warns(UserWarning, match="name-4"):
        assert generate(still, requests(), store=Store(tmp_path), retry=False)[4] == []
    assert still.asked == 0
    healed = Counting()
    assert generate(healed, requests(), store=Store(tmp_path))[4] == ["item 4"]
    assert healed.asked == 1


def test_an_empty_answer_is_a_failure():
    with pytest.warns(UserWarning, match="the answer is empty"):
        assert generate(RuleGenerator(lambda prompt: " ", "empty@1"), requests(1), n=2) == [[]]


def test_empty_answers_neither_end_the_run_nor_are_asked_for_again(tmp_path):
    asked = []

    def rule(prompt):
        asked.append(prompt.turns[0])
        return "" if len(asked) <= 256 else "something"  # a whole batch has nothing to say

    generator = RuleGenerator(rule, "late@1")
    for _ in range(2):
        with pytest.warns(UserWarning, match="256 of 300 texts failed"):
            texts = generate(generator, requests(300), store=Store(tmp_path))
        assert [len(row) for row in texts] == [0] * 256 + [1] * 44 and len(asked) == 300


def test_a_damaged_image_fails_alone(tmp_path):
    pictures = Pictures(5, broken=(1,))
    asked = [Request(pictures.ids[i], ("what is it?",), (pictures, i)) for i in range(5)]
    rule = RuleGenerator(lambda prompt: str(prompt.image.getpixel((0, 0))), "corner@1")
    with pytest.warns(UserWarning, match="damaged; fetch it again"):
        texts = generate(rule, asked, store=Store(tmp_path))
    assert [len(row) for row in texts] == [1, 0, 1, 1, 1] and len(set(map(tuple, texts))) == 5


def test_an_image_without_a_digest_fails_alone():
    class Missing(Pictures):
        def digest(self, position):
            if position == 0:
                raise DataError("pictures/0.png: cannot be read")
            return super().digest(position)

    pictures = Missing(3)
    asked = [Request(pictures.ids[i], ("what?",), (pictures, i)) for i in range(3)]
    with pytest.warns(UserWarning, match=r"pictures/0\.png"):
        texts = generate(RuleGenerator(lambda prompt: "something", "r@1"), asked)
    assert [len(row) for row in texts] == [0, 1, 1]


def test_nothing_is_decoded_for_what_is_stored(tmp_path):
    rule = RuleGenerator(lambda prompt: "seen", "r@1")
    for _ in range(2):
        pictures = Pictures(4)
        generate(
            rule,
            [Request(n, ("?",), (pictures, i)) for i, n in enumerate(pictures.ids)],
            store=Store(tmp_path),
        )
    assert pictures.loaded == []


def test_a_first_batch_that_fails_as_a_whole_ends_the_run(tmp_path):
    everything = [f"item {i}" for i in range(7)]
    with pytest.raises(RunError, match="whole first batch failed, 4 more wait: name-0"):
        generate(Counting(fails=everything), requests(), store=Store(tmp_path))
    with pytest.warns(UserWarning, match="3 of 3"):
        assert generate(Counting(fails=everything), requests(3)) == [[], [], []]


def test_what_the_user_can_act_on_ends_the_run_and_keeps_what_is_made(tmp_path):
    class Locked(Counting):
        def answer(self, prompts, sampling):
            if self.batches:
                raise ConfigError("no key")
            return super().answer(prompts, sampling)

    with pytest.raises(ConfigError, match="no key"):
        generate(Locked(), requests(), store=Store(tmp_path))
    assert len(Store(tmp_path)) == 3


@pytest.mark.parametrize("wrong", [{"n": 0}, {"temperature": -0.1}, {"top_p": 0}])
def test_a_setting_out_of_range_is_named(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        generate(Counting(), requests(1), **wrong)


def test_a_replay_answers_from_the_store_and_lists_what_it_lacks(tmp_path):
    with pytest.raises(DataError, match="holds answers of nobody"):
        Replay(Store(tmp_path))
    texts = generate(Counting(), requests(5), n=2, temperature=1.0, store=Store(tmp_path))
    store = Store(tmp_path)
    replay = Replay(store)
    assert replay.takes_prompts and replay.name == "counting"
    assert generate(replay, requests(5), n=2, temperature=1.0, store=store) == texts
    with pytest.raises(DataError, match=r"4 answers of counting are missing: name-5, name-5, name-6"):
        generate(replay, requests(7), n=2, temperature=1.0, store=store)
    generate(RuleGenerator(str, "other@1"), requests(1), store=store)
    with pytest.raises(DataError, match="2 generators fit any name; it holds answers of counting, other@1"):
        Replay(store)
    assert Replay(store, "other@1").identity["model"] == "other@1"
    with pytest.raises(DataError, match="0 generators fit blip"):
        Replay(store, "blip")


def test_a_replay_takes_failures_as_they_are(tmp_path):
    with pytest.warns(UserWarning):
        generate(Counting(fails=("item 1",)), requests(3), store=Store(tmp_path))
    with pytest.warns(UserWarning, match="1 of 3"):
        assert generate(Replay(Store(tmp_path)), requests(3), store=Store(tmp_path))[1] == []


class Dying(Counting):
    def answer(self, prompts, sampling):
        if len(self.batches) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().answer(prompts, sampling)


def killed(folder):
    generate(Dying(), requests(20), temperature=1.0, store=Store(folder))


def test_a_kill_costs_the_batch_at_work(tmp_path):
    process = server().Process(target=killed, args=(tmp_path,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    again = Counting()
    texts = generate(again, requests(20), temperature=1.0, store=Store(tmp_path))
    assert again.asked == 20 - 2 * 3
    assert texts == generate(Counting(), requests(20), temperature=1.0)


def shared(folder):
    generator = Counting()
    return generate(generator, requests(11), temperature=1.0, store=Store(folder)), generator.asked


def test_processes_generate_a_share_each(tmp_path):
    answers = together(shared, 2, tmp_path)
    assert sorted(asked for _, asked in answers) == [5, 6]
    assert answers[0][0] == answers[1][0] == generate(Counting(), requests(11), temperature=1.0)

import torch

from requery.feedback.kept import KeptTokens


def numbered(asked):
    """Tokens of an item that tell its number, and notes what was asked."""

    def make(numbers):
        asked.append(numbers.tolist())
        mask = torch.arange(3) <= numbers[:, None] % 3
        return numbers[:, None, None].float().expand(-1, 3, 2), mask

    return make


def test_what_was_made_is_kept():
    asked = []
    tokens = KeptTokens(numbered(asked))
    first, mask = tokens(torch.tensor([2, 5, 7]))
    again, _ = tokens(torch.tensor([7, 9, 2]))
    assert first[:, 0, 0].tolist() == [2, 5, 7] and again[:, 0, 0].tolist() == [7, 9, 2]
    assert first.dtype == torch.float16 and mask.sum(1).tolist() == [3, 3, 2]
    assert [len(numbers) for numbers in asked] == [64, 64]  # full blocks, whatever is asked
    assert set(asked[1]) == {9}


def test_without_room_everything_is_made_anew():
    asked = []
    tokens = KeptTokens(numbered(asked), room=2 * 3 * 3 * 2)  # two items of 3 · (2 + 1) halves
    for _ in range(2):
        assert tokens(torch.tensor([1, 2, 3]))[0][:, 0, 0].tolist() == [1, 2, 3]
    assert set(asked[1]) == {3}


def test_bits_do_not_depend_on_what_is_asked_together(clip):
    texts = [f"a {word} circle" for word in ("red", "blue", "small", "large", "green")]

    def make(numbers):
        return clip.text_tokens([texts[int(n)] for n in numbers])

    together, _ = KeptTokens(make)(torch.arange(5))
    alone = [KeptTokens(make)(torch.tensor([n]))[0][0] for n in range(5)]
    assert torch.equal(together, torch.stack(alone))

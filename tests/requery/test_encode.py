"""Blocks of one shape; where memory runs out, smaller ones, all alike."""

import pytest
import torch

from requery import distributed
from requery.encode import BLOCK, encode_blocks
from requery.errors import DataError, RunError
from tests.processes import together


class Device:
    """Encodes items as (item, size of its block), in blocks of at most `room` items."""

    def __init__(self, room=BLOCK, fails_at=0):
        self.room, self.fails_at, self.sizes = room, fails_at, []

    def __call__(self, index):
        self.sizes.append(len(index))
        if len(index) > self.room and int(index.max()) >= self.fails_at:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return torch.stack([index, torch.full_like(index, len(index))], dim=1).float()


@pytest.mark.parametrize("n", [1, BLOCK, 2 * BLOCK + 7])
def test_every_block_is_full(n):
    device, seen = Device(), []
    out = encode_blocks(device, n, lambda *at: seen.append(at))
    assert out[:, 0].tolist() == list(range(n)) and set(device.sizes) == {BLOCK}
    assert seen[-1] == (n, n) and len(seen) == -(-n // BLOCK)


@pytest.mark.filterwarnings("ignore:there was no memory")
@pytest.mark.parametrize("room", [32, 5, 1])
@pytest.mark.parametrize("fails_at", [0, 100])
def test_without_memory_all_items_are_encoded_anew_in_smaller_blocks(room, fails_at):
    told, final = [], 2 ** (room.bit_length() - 1)
    out = encode_blocks(Device(room, fails_at), 150, halved=told.append)
    assert out[:, 0].tolist() == list(range(150))
    assert set(out[:, 1].tolist()) == {final}, "no row is left of the larger blocks that did fit"
    assert told == [size for size in (32, 16, 8, 4, 2, 1) if size >= final]


def short_on_one():
    room = 10 if distributed.rank() == 1 else BLOCK
    return encode_blocks(Device(room), 150, shared=True)


@pytest.mark.filterwarnings("ignore:there was no memory")
def test_a_process_without_memory_makes_all_blocks_smaller():
    expected = encode_blocks(Device(room=10), 150)
    assert all(torch.equal(rows, expected) for rows in together(short_on_one, 3))


@pytest.mark.filterwarnings("ignore:there was no memory")
def test_no_memory_for_one_item_says_what_to_do():
    with (
        pytest.warns(UserWarning, match="no memory for 64 items at a time: all are encoded anew, 32"),
        pytest.raises(RunError, match=r"no memory to encode one item.*smaller backbone.*accelerator=cpu"),
    ):
        encode_blocks(Device(room=0), 3)


def test_another_error_passes_and_no_item_is_named():
    def broken(index):
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        encode_blocks(broken, 3)
    with pytest.raises(DataError, match="nothing to encode"):
        encode_blocks(Device(), 0)

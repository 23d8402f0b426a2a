import errno
import multiprocessing
import os
import warnings
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from requery.cache import FeatureCache, FeatureTable, weights_digest
from requery.errors import DataError, EmbeddingError, RunError
from requery.files import sha256_bytes


class Images:
    """Named items whose content is a string."""

    def __init__(self, contents: Sequence[str]) -> None:
        self.contents = list(contents)
        self.ids = [f"item-{i}" for i in range(len(contents))]

    def __len__(self) -> int:
        return len(self.contents)

    def digest(self, position: int) -> str:
        return sha256_bytes(self.contents[position].encode())


class Encoder:
    """Features that depend on the content; notes which positions it was asked for."""

    def __init__(self, images: Images) -> None:
        self.images, self.asked = images, []

    def __call__(self, positions: Sequence[int]) -> torch.Tensor:
        self.asked.append(list(positions))
        rows = [
            torch.randn(3, 5, generator=torch.Generator().manual_seed(int(self.images.digest(p)[:12], 16)))
            for p in positions
        ]
        return torch.stack(rows)


def encode(root, images, positions=None, *, compute=None, **changed):
    encoder = Encoder(images)
    settings = {"weights": "w", "preprocessing": "p", "dtype": torch.float32, **changed}
    table = FeatureCache(root, shard_items=4).features(
        images, positions, compute=compute or encoder, **settings
    )
    return table, encoder.asked


def shards(root):
    return sorted(p for p in root.rglob("*") if p.is_file())


IMAGES = Images([f"picture {i}" for i in range(10)])


def test_rows_are_the_computed_features_and_a_hit_computes_nothing(tmp_path):
    table, asked = encode(tmp_path, IMAGES)
    assert asked == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert len(table) == 10 and table.shape == (10, 3, 5) and table.dtype == torch.float32
    index = torch.tensor([9, 0, 4, 3, 3])
    assert torch.equal(table[index], Encoder(IMAGES)(index.tolist()))
    again, asked = encode(tmp_path, IMAGES)
    assert asked == [] and torch.equal(again[index], table[index])
    assert again[torch.empty(0, dtype=torch.int64)].shape == (0, 3, 5)
    for path in shards(tmp_path):
        assert path.parent.parent == tmp_path / "features"
        assert path.suffix == ".safetensors" and path.parent.name == path.name[:2]


@pytest.mark.parametrize("change", [{"weights": "v"}, {"preprocessing": "q"}, {"dtype": torch.float16}])
def test_other_settings_are_encoded_anew(tmp_path, change):
    encode(tmp_path, IMAGES)
    table, asked = encode(tmp_path, IMAGES, **change)
    assert len(asked) == 3 and table.dtype == change.get("dtype", torch.float32)
    assert encode(tmp_path, IMAGES)[1] == []


def test_changed_content_rebuilds_its_shard_only(tmp_path):
    encode(tmp_path, IMAGES)
    changed = Images([*IMAGES.contents[:5], "another picture", *IMAGES.contents[6:]])
    table, asked = encode(tmp_path, changed)
    assert asked == [[4, 5, 6, 7]]
    assert torch.equal(table[torch.arange(10)], Encoder(changed)(range(10)))


def test_images_added_at_the_end_reuse_full_shards(tmp_path):
    encode(tmp_path, IMAGES)
    assert encode(tmp_path, Images([*IMAGES.contents, "new"]))[1] == [[8, 9, 10]]


def test_some_positions_in_the_order_given(tmp_path):
    table, asked = encode(tmp_path, IMAGES, [7, 1, 2, 9, 0])
    assert asked == [[7, 1, 2, 9], [0]]
    assert torch.equal(table[torch.arange(5)], Encoder(IMAGES)([7, 1, 2, 9, 0]))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_dtypes_are_kept_bit_for_bit(tmp_path, dtype):
    encode(tmp_path, IMAGES, dtype=dtype)
    table, asked = encode(tmp_path, IMAGES, dtype=dtype)
    assert asked == [] and torch.equal(table[torch.arange(10)], Encoder(IMAGES)(range(10)).to(dtype))


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]


DAMAGE = {
    "a byte of the payload": lambda data: flipped(data, len(data) - 3),
    "a byte of the header": lambda data: flipped(data, 10),
    "the header's length": lambda data: flipped(data, 0),
    "the shape": lambda data: data.replace(b"[4,3,5]", b"[4,5,3]"),
    "the tensor's name": lambda data: data.replace(b'"features"', b'"fXatures"'),
    "truncated": lambda data: data[:-40],
    "truncated in the header": lambda data: data[:20],
    "empty": lambda data: b"",
    "something else": lambda data: b"<html>not found</html>" * 100,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_shard_is_encoded_again_with_a_warning(tmp_path, damage):
    encode(tmp_path, IMAGES)
    path = next(p for p in shards(tmp_path) if b"[4,3,5]" in p.read_bytes())
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    assert path.read_bytes() != whole
    with pytest.warns(UserWarning, match="encoded again"):
        table, asked = encode(tmp_path, IMAGES)
    assert len(asked) == 1 and torch.equal(table[torch.arange(10)], Encoder(IMAGES)(range(10)))
    assert path.read_bytes() == whole, "the rebuilt shard has the bytes of the first"


@given(st.data())
def test_no_single_flipped_bit_is_ever_served(tmp_path_factory, data):
    root = tmp_path_factory.mktemp("cache")
    images = Images(["one", "two"])
    encode(root, images)
    (path,) = shards(root)
    whole = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(bytes(whole))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table, _ = encode(root, images)
    assert torch.equal(table[torch.arange(2)], Encoder(images)([0, 1]))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_features_that_are_not_finite_name_the_items_and_are_not_kept(tmp_path, value):
    def compute(positions):
        features = Encoder(IMAGES)(positions)
        if 5 in positions:
            features[list(positions).index(5), 1, 2] = value
        return features

    with pytest.raises(EmbeddingError, match="item-5;"):
        encode(tmp_path, IMAGES, compute=compute)
    assert len(shards(tmp_path)) == 1, "the shard before it is kept, the bad one is not"


def test_overflow_of_the_kept_dtype_is_an_error(tmp_path):
    with pytest.raises(EmbeddingError, match=r"float16 for: item-0"):
        encode(tmp_path, IMAGES, dtype=torch.float16, compute=lambda part: torch.full((len(part), 1, 1), 1e6))


def test_a_kill_between_shards_keeps_the_earlier_ones(tmp_path):
    def killed(positions):
        if 8 in positions:
            raise KeyboardInterrupt
        return Encoder(IMAGES)(positions)

    with pytest.raises(KeyboardInterrupt):
        encode(tmp_path, IMAGES, compute=killed)
    assert encode(tmp_path, IMAGES)[1] == [[8, 9]]


def test_a_full_disk_leaves_nothing_half_written(tmp_path, monkeypatch):
    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(RunError, match=r"disk is full; \d+ bytes needed"):
            encode(tmp_path, IMAGES)
    assert shards(tmp_path) == []
    assert len(encode(tmp_path, IMAGES)[1]) == 3


def test_an_unwritable_cache_fails_before_anything_is_computed(tmp_path):
    (tmp_path / "file").write_text("")
    encoder = Encoder(IMAGES)
    with pytest.raises(RunError, match=r"cannot be written .*choose another folder"):
        encode(tmp_path / "file", IMAGES, compute=encoder)
    assert encoder.asked == []


def test_wrong_use_is_refused(tmp_path):
    with pytest.raises(DataError, match="no image"):
        encode(tmp_path, Images([]))
    with pytest.raises(ValueError, match="for 4 items"):
        encode(tmp_path, IMAGES, compute=lambda part: torch.zeros(3, 1, 1))
    with pytest.raises(ValueError, match="shard_items"):
        FeatureCache(tmp_path, shard_items=0)
    table, _ = encode(tmp_path, IMAGES)
    for row in (-1, 10):
        with pytest.raises(IndexError):
            table[torch.tensor([row])]


def test_progress_counts_items_and_reaches_the_end_on_a_hit_too(tmp_path):
    for _ in range(2):
        seen = []
        encode(tmp_path, IMAGES, progress=lambda done, total: seen.append((done, total)))
        assert seen == [(4, 10), (8, 10), (10, 10)]


def _encode_in_process(root):
    encode(root, IMAGES)


def test_two_processes_may_write_the_same_shards(tmp_path):
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_encode_in_process, args=(tmp_path,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert len(shards(tmp_path)) == 3 and encode(tmp_path, IMAGES)[1] == []


def test_one_tensor_is_a_table_too():
    features = torch.randn(7, 2, 3)
    assert torch.equal(FeatureTable([features])[torch.tensor([6, 0])], features[[6, 0]])
    with pytest.raises(ValueError, match="one"):
        FeatureTable([features, torch.zeros(1, 2, 4)])
    with pytest.raises(ValueError, match="equally long"):
        FeatureTable([features[:2], features])


def test_weights_digest_follows_names_shapes_dtypes_and_bytes():
    def layer(change=lambda state: state):
        module = nn.Module()
        state = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(7)}
        for name, value in change(state).items():
            module.register_buffer(name, value)
        return weights_digest(module)

    changes = [
        lambda s: {"a": s["a"], "c": s["b"]},
        lambda s: {"a": s["a"].reshape(3, 2), "b": s["b"]},
        lambda s: {"a": s["a"].view(torch.int32), "b": s["b"]},
        lambda s: {"a": s["a"] + 1e-6, "b": s["b"]},
        lambda s: {"a": s["a"]},
    ]
    digests = [layer(), *(layer(change) for change in changes)]
    assert len(set(digests)) == len(digests)
    assert layer() == layer(lambda s: {"b": s["b"], "a": s["a"].t().contiguous().t()}), "not order or strides"

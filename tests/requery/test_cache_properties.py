"""A shard's name stands for its content: equal content shares a file, other content never does."""

import torch
from hypothesis import strategies as st

from requery.cache import FeatureCache
from tests.properties import for_all, inputs
from tests.requery.test_cache import Images

# Few strings, which hold the marks that a careless key would join or split them by.
NAMES = st.sampled_from(["", "a", "b", "ab", "a,b", '"', '","', "[]", "\\", "é", "e\u0301", "🙂", "\0"])
REQUESTS = st.tuples(
    NAMES,
    NAMES,
    st.sampled_from([torch.float16, torch.bfloat16, torch.float32]),
    st.lists(NAMES, min_size=1, max_size=5),
)


def shards_asked(root, request):
    """Encode a request; returns the content of its shards, and the files it had to write."""
    weights, preprocessing, dtype, contents = request
    images, written = Images(contents), []
    before = set(root.rglob("*.safetensors"))
    FeatureCache(root, shard_items=2).features(
        images,
        weights=weights,
        preprocessing=preprocessing,
        dtype=dtype,
        compute=lambda part: written.append(len(part)) or torch.zeros(len(part), 1, 1),
    )
    parts = [(weights, preprocessing, dtype, tuple(contents[i : i + 2])) for i in range(0, len(contents), 2)]
    new = set(root.rglob("*.safetensors")) - before
    assert len(written) == len(new)
    return parts, new


@inputs(1000)
def test_a_shard_is_written_once_for_each_content(tmp_path_factory, examples):
    @for_all(examples, st.lists(REQUESTS, min_size=1, max_size=3))
    def holds(requests):
        root, known = tmp_path_factory.mktemp("cache"), set()
        for request in requests:
            parts, new = shards_asked(root, request)
            assert len(new) == len(set(parts) - known)
            known |= set(parts)

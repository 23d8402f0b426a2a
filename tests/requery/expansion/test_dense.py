from dataclasses import replace

import pytest
import torch

from requery.cache import FeatureCache
from requery.cost import CostMeter
from requery.errors import ConfigError
from requery.expansion.dense import Dense
from requery.images import FileImages
from requery.shapes.scene import ShapesConfig
from requery.shapes.tasks import build
from requery.task_encoder import TaskEncoder

ROWS = torch.arange(6)


@pytest.fixture
def task():
    return build(ShapesConfig(), "knowledge", "test", 1)


@pytest.fixture
def dense(clip, tmp_path):
    def make(task, backbone=clip):
        return Dense(TaskEncoder(backbone, FeatureCache(tmp_path), CostMeter()), task)

    return make


def test_passages_are_those_of_the_highest_products(dense, task, clip):
    found = dense(task)
    texts = [f"{text} red" for text in task.query_text]
    for image in (True, False):
        items = found.find(ROWS, texts, 7, image)
        with torch.no_grad():
            seen = found.tasks.image_tokens(task.images, ROWS) if image else None
            queries = clip.encode_query(seen, texts)
            gallery = clip.encode_gallery(None, task.gallery_text)[:, 0]
        scores = queries @ gallery.T
        torch.testing.assert_close(scores.gather(1, items), scores.topk(7).values)
    assert not torch.equal(found.find(ROWS, texts, 7, True), found.find(ROWS, texts, 7, False))
    assert found.find(ROWS, texts, 10_000).shape == (6, task.n_gallery)


class Words(torch.nn.Module):
    """An encoder of texts alone."""

    media = ()

    def __init__(self):
        super().__init__()
        self.temperature = torch.nn.Parameter(torch.ones(()))

    def encode_query(self, image, text):
        assert image is None
        return torch.nn.functional.normalize(torch.tensor([[len(one), 40.0] for one in text]), dim=1)

    def encode_gallery(self, image, text):
        return self.encode_query(image, text)[:, None]

    def truncated(self, text):
        return sum(len(one) > 30 for one in text)


def test_an_encoder_of_texts_reads_no_image(dense, task):
    found = dense(task, Words())
    texts = [task.gallery_text[at] for at in (0, 5, 9)]
    first = found.find(torch.arange(3), texts, 1)[:, 0].tolist()
    assert [len(task.gallery_text[at]) for at in first] == [len(text) for text in texts]
    assert found.truncated == sum(len(text) > 30 for text in task.gallery_text)


def test_another_medium_is_refused(dense, task):
    class Sounds(FileImages):
        medium = "audio"

    with pytest.raises(ConfigError, match="hold audio"):
        dense(replace(task, images=Sounds(["a.wav"] * 6, [f"{i}.wav" for i in range(6)])))

import json

import pytest
import torch

from requery.errors import ConfigError, DataError
from requery.feedback.summarizer_file import (
    Head,
    Widths,
    load_summarizer,
    make_summarizer,
    save_summarizer,
)

HEAD, WIDTHS = Head(captions=False, dim=8, heads=2), Widths(4, 6, 5)


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    save_summarizer(make_summarizer(HEAD, WIDTHS), HEAD, WIDTHS, tmp_path / "afs")
    return tmp_path / "afs"


def test_what_is_written_is_read(folder):
    model, head = load_summarizer(folder, WIDTHS)
    torch.manual_seed(0)
    made = make_summarizer(HEAD, WIDTHS).state_dict()
    assert head == HEAD and not model.training
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, made[name].half().float())


def test_another_backbone_and_damage_are_named(folder):
    with pytest.raises(ConfigError, match="the backbone has"):
        load_summarizer(folder, Widths(4, 7, 5))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "depth": 3}))
    with pytest.raises(DataError, match=r"lacks pooler\.blocks\.1"):
        load_summarizer(folder, WIDTHS)
    (folder / "model.safetensors").write_bytes(b"")
    with pytest.raises(DataError, match="train it again"):
        load_summarizer(folder, WIDTHS)
    (folder / "config.json").write_text("{}")
    with pytest.raises(DataError, match="model_type"):
        load_summarizer(folder, WIDTHS)


def test_a_head_that_reads_nothing_trains_nothing_of_the_reading():
    model = make_summarizer(Head(images=False, captions=False, dim=8, heads=2), WIDTHS)
    idle = {name.split(".")[-2] for name, p in model.named_parameters() if not p.requires_grad}
    assert idle == {"vision_projection", "norm1", "q", "kv", "proj"}
    out, _ = model(torch.randn(2, 3, 4))
    out.sum().backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)

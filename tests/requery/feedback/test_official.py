"""Every number the authors' code gave."""

import json

import pytest
import torch
from torch.nn.functional import normalize

from requery.feedback import (
    AFS,
    GRF,
    PRF,
    Explicit,
    Loop,
    OriginalRocchio,
    feedback_cosine,
    feedback_rounds,
    least_attended,
    rocchio,
    run_rounds,
    softmax_aggregate,
)
from requery.feedback.shown import Shown
from requery.index import ExactIndex
from requery.ranking.metrics import per_query
from requery.ranking.qrels import Qrels
from requery.ranking.ranks import rank
from tests.requery.feedback.conftest import FIXTURES

EXACT = {"rtol": 1e-9, "atol": 1e-12}
SINGLE = {"rtol": 1e-4, "atol": 2e-6}
"""The gallery is float32."""


def test_rocchio(official):
    case = official("rocchio.npz")
    for weights, expected in zip(case["weights"].tolist(), case["out"], strict=True):
        torch.testing.assert_close(rocchio(case["q"], case["pos"], case["neg"], *weights), expected, **EXACT)
    torch.testing.assert_close(rocchio(case["q"], case["pos"], None), case["out_no_negative"], **EXACT)
    raw = case["out_unnormalised"]
    torch.testing.assert_close(rocchio(case["q"], case["pos"], case["neg"]), normalize(raw, dim=-1), **EXACT)


def test_softmax_aggregation(official):
    case = official("softmax_aggregation.npz")
    for number, temperature in enumerate(case["temperatures"].tolist()):
        found = softmax_aggregate(case["embeddings"], case["reference"], temperature)
        torch.testing.assert_close(found, (case["pos"][number], case["neg"][number]), **EXACT)


def strategies(inputs):
    return {
        "prf": PRF(),
        "grf": GRF(inputs["captions"]),
        "explicit": Explicit(inputs["explicit_captions"]),
        "prf_original": OriginalRocchio(),
        "grf_original": OriginalRocchio(captions=inputs["captions"]),
    }


@pytest.mark.parametrize("mode", ["accumulate", "fresh"])
@pytest.mark.parametrize("name", ["prf", "grf", "explicit", "prf_original", "grf_original"])
def test_five_rounds(official, name, mode):
    inputs = official("loop_inputs.npz")
    kind, _, original = name.partition("_")
    stem = f"loop_{kind}_{mode}" + ("_original" if original else "")
    expected, metrics = official(f"{stem}.npz"), json.loads((FIXTURES / "loop_metrics.json").read_text())
    strategy, accumulate = strategies(inputs)[name], mode == "accumulate"

    rankings = feedback_rounds(inputs["queries"], inputs["images"], strategy, accumulate=accumulate)
    assert all(ranking.dtype == torch.int64 for ranking in rankings)
    assert torch.equal(torch.stack(rankings), expected["top10"])

    index, qrels = ExactIndex(), Qrels.from_targets(torch.arange(40))
    index.add(inputs["images"])
    found = run_rounds(inputs["queries"], index, strategy, Loop(accumulate=accumulate), qrels=qrels)
    torch.testing.assert_close(found.queries[:, :8], expected["queries"], **SINGLE)
    for ranking, numbers in zip(found.rankings, metrics[stem], strict=True):
        for metric, value in numbers.items():
            ours = per_query(metric.replace("hits", "recall"), ranking, qrels).mean().item()
            assert ours == pytest.approx(value, abs=1e-6)


def test_directions_of_the_first_round(official):
    inputs = official("loop_inputs.npz")
    queries, index = inputs["queries"], ExactIndex()
    index.add(inputs["images"])
    scores, items = index.search(queries, 5)
    shown = Shown(1, torch.arange(40), queries, queries, queries, items, scores, index)
    for name, strategy in strategies(inputs).items():
        kind, _, original = name.partition("_")
        expected = official(f"loop_{kind}_accumulate" + ("_original.npz" if original else ".npz"))
        positive, negative = strategy.directions(shown)
        torch.testing.assert_close(positive[:8], expected["pos"][0], **SINGLE)
        if kind == "explicit":
            assert negative is None
        else:
            torch.testing.assert_close(negative[:8], expected["neg"][0], **SINGLE)


def test_images_with_several_embeddings(official):
    case = official("multi_token_images.npz")
    index = ExactIndex()
    index.add(case["images"])
    scores, items = index.search(case["queries"], 12)
    assert torch.equal(items, case["order"])
    torch.testing.assert_close(scores.double(), case["logits_per_text"].gather(1, items), **SINGLE)
    shown = Shown(
        1, torch.arange(5), case["queries"], case["queries"], case["queries"], items[:, :5], scores, index
    )
    positive, negative = PRF().directions(shown)
    torch.testing.assert_close(positive, case["prf_pos"], **SINGLE)
    torch.testing.assert_close(negative, case["prf_neg"], **SINGLE)
    rounds = run_rounds(case["queries"], index, PRF(), Loop(rounds=3))
    torch.testing.assert_close(rounds.queries[1], case["query_turn2"], **SINGLE)


def test_summarizer(official, summarizer):
    case = official("afs_forward.npz")
    query, captions, images = case["query_tokens"], case["caption_tokens"], case["patch_tokens"]
    for suffix, given in {"": (captions, images), "_no_captions": (None, images)}.items():
        out, attention = summarizer(query, *given)
        torch.testing.assert_close(out, case[f"out{suffix}"], **EXACT)
        torch.testing.assert_close(attention, case[f"xattn{suffix}"], **EXACT)
    torch.testing.assert_close(summarizer(query, captions)[0], case["out_no_images"], **EXACT)


def test_summarizer_with_a_mask(official, summarizer):
    case, masked = official("afs_forward.npz"), official("afs_forward_masked.npz")
    seen = masked["mask"][0].bool()
    assert bool((masked["mask"].bool() == seen).all())
    out, attention = summarizer(
        case["query_tokens"],
        case["caption_tokens"],
        case["patch_tokens"],
        caption_mask=seen[:35].view(1, 5, 7),
        image_mask=seen[35:].view(1, 5, 9),
    )
    torch.testing.assert_close(out, masked["out"], **EXACT)
    torch.testing.assert_close(attention, masked["xattn"], **EXACT)


def test_least_attended(official):
    case = official("afs_forward.npz")
    captions, images = case["caption_embeds"][None], case["image_embeds"][None]
    for legacy, name in ((False, "neg"), (True, "neg_legacy_dim0")):
        found = least_attended(
            case["xattn"], captions, images, caption_length=7, legacy_uniform_negative=legacy
        )
        torch.testing.assert_close(found[0], case[name], **EXACT)
    found = least_attended(case["xattn_no_captions"], None, images)
    torch.testing.assert_close(found[0], case["neg_no_captions"], **EXACT)


@pytest.mark.parametrize(("legacy", "name"), [(False, "query_updated"), (True, "query_updated_legacy")])
def test_afs(official, summarizer, legacy, name):
    case = official("afs_forward.npz")
    index, query = ExactIndex(), case["query_embed"][None]
    index.add(case["image_embeds"])
    strategy = AFS(
        summarizer,
        query_tokens=lambda rows: (case["query_tokens"][rows], None),
        image_tokens=lambda items: (case["patch_tokens"][0, items], None),
        caption_tokens=lambda items: (case["caption_tokens"][0, items], None),
        captions=case["caption_embeds"],
        legacy_uniform_negative=legacy,
    )
    items = torch.arange(5)[None]
    shown = Shown(1, torch.tensor([0]), query, query, query, items, torch.zeros(1, 5), index)
    torch.testing.assert_close(strategy.move(shown), case[name], **SINGLE)
    torch.testing.assert_close(strategy.directions(shown)[0], case["pos"], **EXACT)


def test_loss_and_gradients(official, summarizer):
    case, expected = official("afs_loss.npz"), json.loads((FIXTURES / "afs_loss.json").read_text())
    out, _ = summarizer(
        case["query_tokens"],
        case["caption_tokens"].view(3, 5, 7, 20),
        case["patch_tokens"].view(3, 5, 9, 28),
    )
    torch.testing.assert_close(out, case["out"], **EXACT)
    image, captions = case["gt_image_embeds"], case["gt_caption_embeds"].view(3, 4, 16)
    assert feedback_cosine(out, captions=captions).item() == pytest.approx(expected["caption_loss"] / 2)
    assert feedback_cosine(out, image).item() == pytest.approx(expected["loss_image_only"], rel=1e-9)
    for name, loss in (
        ("both", feedback_cosine(out, image, captions)),
        ("image_only", feedback_cosine(out, image)),
    ):
        assert loss.item() == pytest.approx(expected[f"loss_{name}"], rel=1e-9)
        gradients = torch.autograd.grad(loss, list(summarizer.parameters()), retain_graph=True)
        for (parameter, _), gradient in zip(summarizer.named_parameters(), gradients, strict=True):
            norm = expected[f"grad_norm_{name}"][parameter]
            assert gradient.norm().item() == pytest.approx(norm, rel=1e-8, abs=1e-12)


def test_metrics(official):
    case = json.loads((FIXTURES / "metrics.json").read_text())
    order = torch.tensor(case["sorted_indices"])
    scores = torch.zeros(order.shape).scatter_(1, order, torch.arange(12.0, 0, -1).expand(len(order), 12))
    qrels = Qrels.from_targets(torch.arange(len(order)))
    ranking = rank(scores, torch.eye(12), qrels)
    for name, value in case["metrics"].items():
        ours = per_query(name.replace("hits", "recall"), ranking, qrels).mean().item()
        assert ours == pytest.approx(value, abs=1e-6)

import json

import pytest
import torch

from requery.errors import DataError
from requery.ragged import Ragged
from requery.ranking import composed_protocols, submission
from requery.ranking.qrels import Qrels
from requery.ranking.ranks import rank
from requery.ranking.submission import members_as_relevant, validate_cirr, write_cirr
from requery.task import RetrievalTask


def make_task(n_queries=4, n_gallery=60, subsets=True, images=None):
    pick = [
        torch.randperm(n_gallery, generator=torch.Generator().manual_seed(q))[:6] for q in range(n_queries)
    ]
    qrels = Qrels.from_targets(
        torch.full((n_queries,), -1),
        excluded=Ragged.from_rows([row[:1] for row in pick]),
        subset=Ragged.from_rows([row[1:] for row in pick]) if subsets else None,
    )
    return RetrievalTask(
        protocol=composed_protocols.cirr("test1"),
        split="test",
        images=images,
        query_ids=[str(7 * q) for q in range(n_queries)],
        gallery_ids=[f"image-{i}" for i in range(n_gallery)],
        qrels=qrels,
        query_image=torch.zeros(n_queries, dtype=torch.int64),
        gallery_image=torch.arange(n_gallery),
        has_truth=False,
    )


def embeddings(n, dim=8, seed=0):
    return torch.nn.functional.normalize(
        torch.randn(n, dim, generator=torch.Generator().manual_seed(seed)), dim=1
    )


def written(task, folder):
    queries, gallery = embeddings(task.n_queries), embeddings(task.n_gallery, seed=1)
    ranking = rank(queries, gallery, members_as_relevant(task), top_k=100)
    files = [json.loads(path.read_text()) for path in write_cirr(task, ranking, folder)]
    return queries @ gallery.T, *files


def test_files_hold_the_naive_rankings(tmp_path):
    task = make_task()
    scores, recall, subset = written(task, tmp_path)
    assert (recall["version"], recall["metric"], subset["metric"]) == ("rc2", "recall", "recall_subset")
    for q, query in enumerate(task.query_ids):
        order = [i for i in scores[q].argsort(descending=True).tolist() if i not in task.qrels.excluded[q]]
        members = [i for i in order if i in task.qrels.subset[q]]
        assert recall[query] == [f"image-{i}" for i in order[:50]]
        assert subset[query] == [f"image-{i}" for i in members[:3]]


def test_a_small_gallery_gives_what_it_has(tmp_path):
    _, recall, _ = written(make_task(n_gallery=20), tmp_path)
    assert {len(recall[key]) for key in recall if key not in ("version", "metric")} == {19}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("version"), '"version": "rc2"'),
        (lambda s: s.update(metric="recall@1"), "one of recall, recall_subset"),
        (lambda s: s.pop("14"), r"1 pairs without a list \(14\), 0 unknown"),
        (lambda s: s.update({"99": []}), r"0 pairs without a list \(\), 1 unknown pairs \(99\)"),
        (lambda s: s["7"].pop(), "1 pairs break the server's rules: 7: 49 names instead of 50"),
        (lambda s: s["7"].append("image-1"), "7: 51 names instead of 50"),
        (lambda s: s["7"].__setitem__(3, s["7"][9]), "7: a name occurs twice"),
        (lambda s: s["7"].__setitem__(3, "image-999"), "7: image-999 cannot be an answer"),
        (lambda s: s.update({"7": "image-1"}), "7: not a list of names"),
        (lambda s: s.update({"7": [3] * 50}), "7: not a list of names"),
    ],
)
def test_broken_submissions_are_refused(tmp_path, change, message):
    task = make_task()
    _, recall, _ = written(task, tmp_path)
    validate_cirr(recall, task)
    change(recall)
    with pytest.raises(DataError, match=message):
        validate_cirr(recall, task)


def test_the_reference_and_strangers_to_the_subset_are_refused(tmp_path):
    task = make_task()
    _, recall, subset = written(task, tmp_path)
    reference = task.gallery_ids[int(task.qrels.excluded[1])]
    stranger = next(name for name in recall["7"] if task.gallery_ids.index(name) not in task.qrels.subset[1])
    recall["7"][0] = reference
    subset["7"][0] = stranger
    with pytest.raises(DataError, match=f"7: {reference} cannot"):
        validate_cirr(recall, task)
    with pytest.raises(DataError, match=f"7: {stranger} cannot"):
        validate_cirr(subset, task)


def test_too_large_a_file_is_refused_and_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(submission, "MAX_BYTES", 1_500)
    with pytest.raises(DataError, match="above the server's limit of 1,500"):
        written(make_task(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_only_layouts_with_subsets_are_submitted():
    with pytest.raises(DataError, match="with subsets"):
        members_as_relevant(make_task(subsets=False))

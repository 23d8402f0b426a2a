import json

import pytest
import torch

from requery.errors import DataError
from requery.ranking.circo_submission import validate_circo, write_circo
from requery.ranking.composed_protocols import circo
from requery.ranking.qrels import Qrels
from requery.ranking.ranks import rank
from requery.record import RunFolder
from requery.results import prediction_qrels, write_predictions
from requery.task import RetrievalTask


def make_task(n_gallery=60, n_queries=3):
    return RetrievalTask(
        protocol=circo("test", "caption"),
        split="test",
        images=None,
        query_ids=[str(7 * q) for q in range(n_queries)],
        gallery_ids=[str(1000 + i) for i in range(n_gallery)],
        qrels=Qrels.from_targets(torch.full((n_queries,), -1)),
        query_image=torch.zeros(n_queries, dtype=torch.int64),
        gallery_image=torch.arange(n_gallery),
        has_truth=False,
    )


def ranked(task):
    generator = torch.Generator().manual_seed(0)
    queries, gallery = (torch.randn(n, 8, generator=generator) for n in (task.n_queries, task.n_gallery))
    return queries @ gallery.T, rank(queries, gallery, prediction_qrels(task), top_k=100)


def test_a_prediction_leaves_the_naive_rankings_for_the_server(tmp_path):
    task = make_task()
    scores, ranking = ranked(task)
    write_predictions(RunFolder(tmp_path), task, ranking)
    submission = json.loads((tmp_path / "submission.json").read_text())
    assert list(submission) == ["0", "7", "14"]
    for row, ids in zip(scores, submission.values(), strict=True):
        assert ids == [1000 + i for i in row.argsort(descending=True).tolist()[:50]]


def test_a_small_gallery_gives_what_it_has(tmp_path):
    task = make_task(n_gallery=20)
    submission = json.loads(write_circo(task, ranked(task)[1], tmp_path).read_text())
    assert {len(ids) for ids in submission.values()} == {20}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("14"), r"1 queries without a list \(14\), 0 unknown"),
        (lambda s: s.update({"99": []}), r"0 queries without a list \(\), 1 unknown queries \(99\)"),
        (lambda s: s["7"].pop(), "7: 49 different ids of 49 instead of 50"),
        (lambda s: s["7"].append(1001), "7: 50 different ids of 51 instead of 50"),
        (lambda s: s["7"].__setitem__(3, s["7"][9]), "7: 49 different ids of 50 instead of 50"),
        (lambda s: s["7"].__setitem__(3, 5), "7: 5 is not in the gallery"),
        (lambda s: s["7"].__setitem__(3, "1001"), "7: not a list of whole numbers"),
    ],
)
def test_broken_submissions_are_refused(tmp_path, change, message):
    task = make_task()
    submission = json.loads(write_circo(task, ranked(task)[1], tmp_path).read_text())
    validate_circo(submission, task)
    change(submission)
    with pytest.raises(DataError, match=message):
        validate_circo(submission, task)

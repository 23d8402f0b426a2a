import json
import math

import pytest
import torch
from PIL import Image

from requery.ragged import Ragged
from requery.ranking.protocols import shapes_composed
from requery.ranking.qrels import Qrels
from requery.ranking.ranks import rank
from requery.record import RunFolder, read
from requery.results import score, write_test
from requery.task import RetrievalTask

QUERIES, GALLERY = ["q0", "q1", "q2", "q3"], [f"g{i}" for i in range(6)]


class Pictures:
    ids = GALLERY

    def __len__(self) -> int:
        return len(GALLERY)

    def load(self, position: int) -> Image.Image:
        return Image.new("RGB", (1, 1))

    def digest(self, position: int) -> str:
        return str(position)


def task(graded: bool) -> RetrievalTask:
    """Query i asks for item i + 1 and excludes item i; the last one's target is not in the gallery."""
    target = torch.tensor([1, 2, 3, -1])
    excluded = Ragged.from_rows([[0], [1], [2], [3]])
    subset = Ragged.from_rows([[1, 2, 3], [2, 4], [3, 5], []])
    qrels = Qrels.from_targets(target, excluded, subset)
    if graded:
        relevant = Ragged.from_rows([[1, 4], [2], [3, 5], []])
        qrels = Qrels(target, relevant, torch.tensor([2, 1, 2, 2, 1]), excluded, subset)
    return RetrievalTask(
        shapes_composed(),
        "test",
        Pictures(),
        QUERIES,
        GALLERY,
        qrels,
        query_image=torch.arange(4),
        gallery_image=torch.arange(6),
        notes={"queries_without_target": 1},
    )


# Rankings, best first, before item i is left out: 1 is right at once, 2 after one rival, 3 after two.
ORDER = [[0, 1, 2, 3, 4, 5], [1, 0, 2, 3, 4, 5], [2, 0, 1, 3, 5, 4], [0, 1, 2, 3, 4, 5]]


def embeddings() -> tuple[torch.Tensor, torch.Tensor]:
    """Unit queries over an orthonormal gallery, so that scores are the queries' coordinates."""
    queries = torch.zeros(4, 6)
    for row, order in enumerate(ORDER):
        queries[row, order] = torch.arange(6, 0, -1).float()
    return torch.nn.functional.normalize(queries), torch.eye(6).unsqueeze(1)


@pytest.fixture(params=[True, False], ids=["graded", "plain"])
def tested(request, tmp_path):
    subject = task(request.param)
    folder = RunFolder.create(tmp_path, "demo", "one")
    folder.file("config.yaml").write_text("{}")
    folder.write_environment()
    ranking = rank(*embeddings(), subject.qrels, top_k=6)
    returned = write_test(folder, subject, ranking)
    return request.param, folder, returned


def test_metrics_have_the_protocol_intervals_and_notes(tested):
    graded, folder, returned = tested
    metrics = read(folder.path).metrics
    assert metrics == json.loads(json.dumps(returned))
    assert (metrics["protocol"], metrics["split"], metrics["n_gallery"]) == ("shapes/composed@1", "test", 6)
    assert metrics["notes"] == {"queries_without_target": 1}
    assert list(metrics["metrics"]) == list(shapes_composed().metrics)
    recall = metrics["metrics"]["recall@1"]
    assert recall["value"] == 0.25 and recall["n"] == 4, "a target outside the gallery is a miss"
    assert 0 <= recall["low"] <= 0.25 <= recall["high"] <= 1
    assert ("ceiling" in metrics) == graded
    if graded:
        assert 0 < metrics["ceiling"]["recall@1"] <= 1


def test_targets_that_tie_are_counted_beside_the_score():
    subject = task(graded=False)
    ranking = rank(torch.ones(4, 2), torch.ones(6, 2), subject.qrels)
    assert score(subject, ranking)["notes"] == {"queries_without_target": 1, "targets_tied": 3}


def test_ranks_have_a_row_per_query(tested):
    graded, folder, _ = tested
    ranks = read(folder.path).ranks
    assert list(ranks)[:9] == [
        "query_id",
        "target_id",
        "target_rank",
        "target_score",
        "subset_rank",
        "n_relevant",
        "relevant_ranks",
        "top_ids",
        "top_scores",
    ]
    assert ranks["query_id"].tolist() == QUERIES and ranks["target_id"].tolist() == ["g1", "g2", "g3", None]
    assert ranks["target_rank"].tolist() == [1, 2, 3, 0]
    norm = math.sqrt(sum(i * i for i in range(1, 7)))
    assert ranks["target_score"][:3].tolist() == pytest.approx([5 / norm, 4 / norm, 3 / norm], rel=1e-6)
    assert ranks["subset_rank"][:3].tolist() == [1, 1, 1] and math.isnan(ranks["subset_rank"][3])
    assert ranks["n_relevant"].tolist() == ([2, 1, 2, 0] if graded else [1, 1, 1, 0])
    expected = [[1, 4], [2], [3, 4], []] if graded else [[1], [2], [3], []]
    assert [row.tolist() for row in ranks["relevant_ranks"]] == expected
    for number, order in enumerate(ORDER):
        assert ranks["top_ids"][number].tolist() == [f"g{item}" for item in order if item != number]
        scores = ranks["top_scores"][number]
        assert len(scores) == 5 and (scores[:-1] > scores[1:]).all()
    assert ranks["recall@1"].dtype == "float32" and ranks["recall@1"].tolist() == [1, 0, 0, 0]


def test_trec_files_say_the_same(tested):
    graded, folder, _ = tested
    run = [line.split() for line in folder.file("run.trec").read_text().splitlines()]
    assert [row[2] for row in run if row[0] == "q1"] == ["g0", "g2", "g3", "g4", "g5"]
    assert {row[5] for row in run} == {"one"}
    qrels = [line.split() for line in folder.file("qrels.trec").read_text().splitlines()]
    found = {(query, item) for query, _, item, grade in qrels if int(grade) > 0}
    assert {("q0", "g1"), ("q1", "g2"), ("q2", "g3")} <= found and ("q0", "g4") not in found
    assert folder.file("qrels_graded.trec").exists() == graded
    if graded:
        assert "g4" in folder.file("qrels_graded.trec").read_text()


def test_metrics_appear_last(tmp_path, monkeypatch):
    subject, folder = task(graded=True), RunFolder.create(tmp_path, "demo", "one")

    def fail(*_: object) -> None:
        raise RuntimeError("stopped")

    monkeypatch.setattr("requery.results.write_qrels_graded", fail)
    with pytest.raises(RuntimeError):
        write_test(folder, subject, rank(*embeddings(), subject.qrels, top_k=6))
    assert folder.file("run.trec").exists() and not folder.file("metrics.json").exists()

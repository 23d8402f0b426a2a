import json

import pyarrow.parquet as pq
import pytest
import torch
from torch.nn.functional import normalize

from requery.feedback import PRF, Explicit, Loop, run_rounds
from requery.feedback.rows import PRF as PRFRow
from requery.feedback.rows import Explicit as ExplicitRow
from requery.feedback.rows import NoFeedback
from requery.feedback.strategies import NoFeedback as Nothing
from requery.feedback.tested import METRICS, SHOWN, Fed, RowResult
from requery.index import ExactIndex
from requery.ranking.protocols import shapes_cross_modal
from requery.ranking.qrels import Qrels
from requery.record import RunFolder
from requery.shapes.scene import ShapesConfig
from requery.shapes.world import ShapesImages
from requery.task import RetrievalTask

Q, N, D, K = 12, 18, 6, 3


@pytest.fixture
def fed():
    """Three rows over random queries; the user's other caption is the target itself."""
    generator = torch.Generator().manual_seed(0)
    queries, gallery = (normalize(torch.randn(n, D, generator=generator), dim=-1) for n in (Q, N))
    index, target = ExactIndex(), torch.arange(Q)
    index.add(gallery)
    qrels, images = Qrels.from_targets(target), ShapesImages(ShapesConfig(), "test", N)
    task = RetrievalTask(
        shapes_cross_modal("text_to_image"),
        "test",
        images,
        [f"q{i}" for i in range(Q)],
        images.ids,
        qrels,
        query_text=["a text"] * Q,
        gallery_image=torch.arange(N),
    )
    rows = [NoFeedback(), PRFRow(beta=0.4), ExplicitRow(beta=0.8), ExplicitRow(exclude_seen=True)]
    strategies = [Nothing(), PRF(beta=0.4), Explicit(gallery[target], beta=0.8), Explicit(gallery[target])]
    results = {}
    for row, strategy in zip(rows, strategies, strict=True):
        loop = Loop(3, K, exclude_seen=row.exclude_seen)
        results[row.name] = RowResult.of(run_rounds(queries, index, strategy, loop, qrels=qrels), qrels)
    pairs = [(rows[2].name, rows[1].name), (rows[3].name, rows[1].name)]
    return Fed(task, {row.name: row for row in rows}, results, pairs, K)


def test_metrics_are_those_of_the_ranks(fed):
    for name, of_row in fed.values("mrr@5").items():
        rank = fed.results[name].rank.double()
        expected = torch.where((rank > 0) & (rank <= 5), 1 / rank, 0).float()
        torch.testing.assert_close(of_row, expected.T)


def test_what_was_shown_by_a_round_only_grows(fed):
    shown = fed.values(SHOWN)
    assert len(shown) == 4 and len(fed.values("mrr@5")) == 3  # later ranks of a residual row tell nothing
    for name, of_row in shown.items():
        assert bool((of_row.diff(dim=0) >= 0).all())
        assert of_row[-1].sum() == sum(fed.changes(name)["found_in"])


def test_changes_are_counted_against_no_feedback(fed):
    name = fed.pairs[0][0]
    before, after = (fed.results[n].rank[:, 2] <= K for n in ("none", name))
    changes = fed.changes(name)
    assert changes["gained"][2] == int((after & ~before).sum()) > 0
    assert changes["lost"][2] == int((before & ~after).sum())
    assert changes["drift"][0] == pytest.approx(1) and changes["drift"][2] < 1


def test_files_of_a_run(fed, tmp_path):
    fed.write(RunFolder(tmp_path))
    content = json.loads((tmp_path / "rounds.json").read_text())
    assert [table["metric"] for table in content["tables"]] == [*METRICS, SHOWN]
    mrr, shown = content["tables"][0], content["tables"][-1]
    assert len(mrr["contrasts"]) == 1 and len(shown["contrasts"]) == 2
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["metrics"]["mrr@5"]["value"] == mrr["rows"]["PRF(beta=0.4)"][-1]["value"]
    table = pq.read_table(tmp_path / "rounds.parquet").to_pydict()
    assert len(table["row"]) == 4 * 3 * Q
    at = [i for i, row in enumerate(table["row"]) if row == "PRF(beta=0.4)" and table["round"][i] == 2]
    assert [table["query_id"][i] for i in at] == list(fed.task.query_ids)
    assert [table["target_rank"][i] for i in at] == fed.results["PRF(beta=0.4)"].rank[:, 1].tolist()

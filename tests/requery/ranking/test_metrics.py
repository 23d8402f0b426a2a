import json
from itertools import permutations

import ir_measures
import pytest
import torch
from ir_measures import AP, RR, P, R, Success, nDCG

from requery.errors import ConfigError, DataError
from requery.ragged import Ragged
from requery.ranking.ceiling import ceiling
from requery.ranking.metrics import evaluate, per_query
from requery.ranking.qrels import Qrels
from requery.ranking.ranks import Ranking, rank
from requery.ranking.trec import read_qrels, read_run, write_qrels, write_qrels_graded, write_run

NAMES = ("recall", "hit_any", "map", "mrr", "precision", "ndcg")


def measured(measure, truth, run, ids):
    found = {m.query_id: m.value for m in ir_measures.iter_calc([measure], truth, run)}
    return torch.tensor([found[i] for i in ids], dtype=torch.float64)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("n_gallery", [6, 60])
def test_metrics_equal_ir_measures(problem, tmp_path, n_gallery, ties):
    queries, gallery, qrels = problem(5, 200, n_gallery, ties=ties)
    ranking = rank(queries, gallery, qrels, top_k=n_gallery)
    ids, names = [f"q{i}" for i in range(200)], [f"d{i}" for i in range(n_gallery)]
    write_run(tmp_path / "run", ids, names, ranking.top_index, "test")
    write_qrels(tmp_path / "binary", ids, names, qrels)
    write_qrels_graded(tmp_path / "graded", ids, names, qrels)
    run, binary, graded = (
        read_run(tmp_path / "run"),
        read_qrels(tmp_path / "binary"),
        read_qrels(tmp_path / "graded"),
    )
    m = torch.tensor([len(graded[i]) for i in ids], dtype=torch.float64)
    for k in (1, 3, 10):
        expected = {
            f"recall@{k}": measured(R @ k, binary, run, ids),
            f"hit_any@{k}": measured(Success @ k, graded, run, ids),
            f"map@{k}": measured(AP @ k, graded, run, ids) * m / m.clamp(max=k),
            f"mrr@{k}": measured(RR @ k, graded, run, ids),
            f"precision@{k}": measured(P @ k, graded, run, ids),
            f"ndcg@{k}": measured(nDCG @ k, graded, run, ids),
        }
        for name, values in expected.items():
            assert k < 10 or values.any()
            torch.testing.assert_close(per_query(name, ranking, qrels), values, atol=1e-9, rtol=0, msg=name)


def test_a_perfect_ranking_with_negative_scores_counts():
    queries = torch.tensor([[1.0, 0.0]])
    gallery = torch.nn.functional.normalize(torch.tensor([[-1.0, 1.0], [-1.0, 0.1], [-1.0, 0.5]]), dim=1)
    qrels = Qrels.from_targets(torch.tensor([0]))
    ranking = rank(queries, gallery, qrels)
    assert ranking.target_score.item() < 0
    assert all(per_query(f"{name}@1", ranking, qrels).item() == 1 for name in NAMES)


def test_map_equals_the_official_circo_code(official):
    data = json.loads((official / "circo_map.json").read_text())
    targets, ranks, rows, offsets = [], [], [], []
    for query, truth in enumerate(data["annotations"]):
        predicted = data["predictions"][str(truth["id"])]
        place = {item: i for i, item in enumerate(predicted, 1)}
        wanted = sorted(set(truth["gt_img_ids"]))
        rows.append(wanted)
        ranks += [place.get(i, 10**6) for i in wanted]
        targets.append(truth["target_img_id"])
        offsets.append(query)
    relevant, target = Ragged.from_rows(rows), torch.tensor(targets)
    qrels = Qrels(target, relevant, torch.ones_like(relevant.values))
    relevant_rank = torch.tensor(ranks)
    target_rank = relevant_rank[relevant.values == target[relevant.row_of]]
    none = torch.empty(len(rows), 0)
    ranking = Ranking(target_rank, none, relevant_rank, None, none, none, 10**6)
    for k in (5, 10, 25, 50):
        assert 100 * per_query(f"map@{k}", ranking, qrels).mean() == pytest.approx(
            data["expected"]["map"][str(k)]
        )
        found = 100 * per_query(f"recall@{k}", ranking, qrels).mean()
        assert found == pytest.approx(data["expected"]["recall"][str(k)])


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("recal@10", "did you mean recall@10"),
        ("ndgc@5", "did you mean ndcg@5"),
        ("accuracy@1", "known are"),
        ("recall", "whole number"),
        ("recall@-1", "whole number"),
        ("recall@0", "whole number"),
        ("recall@1.5", "whole number"),
        ("recall@1\n", "whole number"),
    ],
)
def test_wrong_names_are_refused(problem, name, hint):
    queries, gallery, qrels = problem()
    with pytest.raises(ConfigError, match=hint):
        per_query(name, rank(queries, gallery, qrels), qrels)


def test_subset_recall_needs_subsets(problem):
    queries, gallery, qrels = problem(full=False)
    with pytest.raises(ConfigError, match="subsets"):
        per_query("recall_subset@1", rank(queries, gallery, qrels), qrels)
    with pytest.raises(ConfigError, match="subsets"):
        ceiling(qrels, ["recall_subset@1"])


def test_evaluate_gives_means_with_repeatable_intervals(problem):
    queries, gallery, qrels = problem(6, 200, 50)
    ranking = rank(queries, gallery, qrels)
    names = ["recall@10", "ndcg@10"]
    found = evaluate(ranking, qrels, names)
    assert list(found) == names
    for name, estimate in found.items():
        values = per_query(name, ranking, qrels)
        assert estimate.value == pytest.approx(values.mean().item())
        assert estimate.n == 200
        # the normal approximation is close at 200 queries
        half = 1.96 * (values.std() / 200**0.5).item()
        assert estimate.high - estimate.value == pytest.approx(half, rel=0.2)
        assert estimate.value - estimate.low == pytest.approx(half, rel=0.2)
    assert evaluate(ranking, qrels, names) == found
    assert evaluate(ranking, qrels, names, seed=1) != found
    assert evaluate(ranking, qrels, []) == {}


def test_evaluate_refuses_no_queries():
    qrels = Qrels.from_targets(torch.zeros(0, dtype=torch.int64))
    with pytest.raises(DataError, match="no query"):
        evaluate(rank(torch.ones(0, 2), torch.ones(3, 2), qrels), qrels, ["recall@1"])


def test_ceiling_is_the_mean_over_all_orders_of_the_relevant_items():
    relevant, grades = [3, 5, 6, 8], [1, 2, 1, 3]
    excluded, subset = [8, 0], [5, 6, 7]
    qrels = Qrels(
        torch.tensor([5, -1, 1]),
        Ragged.from_rows([relevant, [], [1]]),
        torch.tensor([*grades, 2]),
        Ragged.from_rows([excluded, [0], [1]]),
        Ragged.from_rows([subset, [0], [1]]),
    )
    names = [f"{kind}@{k}" for kind in (*NAMES, "recall_subset") for k in (1, 2, 3, 10)]
    expected = dict.fromkeys(names, 0.0)
    orders = list(permutations([3, 5, 6]))  # 8 is excluded
    for order in orders:
        place = {item: i for i, item in enumerate(order, 1)}
        ranks = torch.tensor([place.get(i, 0) for i in relevant] + [0])
        in_subset = [i for i in order if i in subset].index(5) + 1
        none = torch.empty(3, 0)
        ranking = Ranking(
            torch.tensor([place[5], 0, 0]), none, ranks, torch.tensor([in_subset, 0, 0]), none, none, 10
        )
        for name in names:
            expected[name] += per_query(name, ranking, qrels).mean().item() / len(orders)
    assert ceiling(qrels, names) == pytest.approx(expected)
    assert expected["recall@1"] == pytest.approx(1 / 3 / 3)

"""Measures and files of rows made by hand: five questions over eight passages."""

import json
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
import torch

from requery.expansion import ExpansionSettings, Trace
from requery.expansion.row import ExpansionRow, named
from requery.expansion.tested import Expanded, trace_files
from requery.images import FileImages
from requery.ranking.protocols import okvqa, shapes_knowledge
from requery.ranking.pseudo_relevance import pseudo_relevance
from requery.ranking.qrels import Qrels
from requery.record import RunFolder
from requery.task import RetrievalTask

Q, N, DEPTH = 5, 8, 10
PASSAGES = [
    "a Red deer",
    "a blue whale",
    "red wine",
    "a cat",
    "a dog",
    "the red sea",
    "blue cheese",
    "nothing",
]
ANSWERS = [("red",), ("blue",), ("cat", "dog"), ("zebra",), ("sea",)]
LISTS = {
    "none": [[1, 0, 2], [0, 6], [], [3, 4, 5, 6], [7, 6, 5, 4, 3, 2, 1, 0]],
    "model": [[0, 2, 5], [6, 1], [4, 3], [3], [5]],
    "model, hybrid": [[0], [1], [2], [3], [4]],
}


def padded(rows):
    return torch.tensor([[*row, *[-1] * (DEPTH - len(row))] for row in rows])


def task(has_truth):
    shared = {
        "split": "test",
        "images": FileImages([], []),
        "query_ids": [f"q{i}" for i in range(Q)],
        "gallery_ids": [f"p{i}" for i in range(N)],
        "query_text": ["what?"] * Q,
        "gallery_text": PASSAGES,
    }
    if has_truth:
        qrels = Qrels.from_targets(torch.tensor([0, 1, 3, 7, 5]))
        return RetrievalTask(protocol=shapes_knowledge(), qrels=qrels, **shared)
    protocol = okvqa("test", "gs112k", "question", "raw", "substring")
    nobody = Qrels.from_targets(torch.full((Q,), -1))
    return RetrievalTask(protocol=protocol, qrels=nobody, has_truth=False, **shared)


@pytest.fixture
def tested():
    def make(has_truth=True, **options):
        rows = named([ExpansionRow(), ExpansionRow(search="hybrid")])
        expansions = {name: row.expansion(ExpansionSettings()) for name, row in rows.items()}
        plain = [Trace(f"q{i}", "what?", "") for i in range(Q)]
        told = [replace(trace, changed=i != 3, tokens=10 * i, seconds=0.5) for i, trace in enumerate(plain)]
        traces = {expansions["none"]: plain, expansions["model"]: told}
        lists = {name: padded(found) for name, found in LISTS.items()}
        sharp = torch.rand(Q, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        settings = {"ks": (1, 5), **options}
        return Expanded(task(has_truth), rows, expansions, traces, lists, sharp, ANSWERS, **settings)

    return make


@pytest.mark.parametrize("match", ["substring", "word"])
@pytest.mark.parametrize("lowercase", [True, False])
def test_numbers_are_those_of_pseudo_relevance(tested, match, lowercase):
    found = tested(match=match, lowercase_passage=lowercase)
    for name, rows in LISTS.items():
        passages = [[PASSAGES[i] for i in row] for row in rows]
        expected = pseudo_relevance(ANSWERS, passages, (1, 5, 10), match=match, lowercase_passage=lowercase)
        for metric, short in (("precision@1", "P@1"), ("precision@5", "P@5"), ("hit_any@10", "R@10")):
            assert 100 * float(found.values[metric][name].mean()) == pytest.approx(expected[short], abs=1e-12)


def test_marked_passages_have_metrics_of_their_own(tested):
    found = tested()
    assert found.headline[4:] == (
        "gold/recall@1",
        "gold/recall@5",
        "gold/recall@10",
        "gold/hit_any@1",
        "gold/mrr@10",
    )
    assert found.values["gold/mrr@10"]["none"].tolist() == pytest.approx([1 / 2, 0, 0, 0, 1 / 3])
    assert found.values["gold/recall@1"]["model"].tolist() == [1, 0, 0, 0, 1]
    assert tested(False).headline == ("precision@1", "precision@5", "hit_any@5", "hit_any@10")


def test_the_first_right_passage(tested):
    assert tested().first_right("none").tolist() == [2, 2, 0, 0, 3]
    assert tested().first_right("model").tolist() == [1, 1, 1, 0, 1]


def test_a_row_is_compared_with_the_original_query(tested):
    table = tested().tables["hit_any@5"]
    assert table["none"].gain is None and table["model"].gain.value == pytest.approx(0.2)
    assert table["model"].p_holm >= table["model"].p > 0


def test_the_gate_shares_out_the_main_row(tested):
    found = tested()
    assert found.main == found.gated == "model"
    points = found.curves["margin"]["hit_any@5"].points
    assert (points[0].value, points[-1].value) == (found.tables["hit_any@5"]["none"].value, 0.8)
    assert points[-1].tokens == 20 and points[-1].seconds == 0.5


def test_files_of_a_run(tested, tmp_path):
    found = tested()
    found.write(RunFolder(tmp_path))
    content = json.loads((tmp_path / "expansion.json").read_text())
    assert [table["metric"] for table in content["tables"]] == list(found.metrics)
    assert content["rows"]["model"]["cost"] == {"asked": 1, "tokens": 20, "seconds": 0.5}
    assert content["rows"]["none"]["cost"]["asked"] == 0
    assert content["rows"]["model"]["outcomes"]["query"] == {"expanded": 4, "original": 1}
    assert content["rows"]["model"]["settings"]["weighting"]["caption"] == 0.5
    assert set(content["gate"]["curves"]) == {"margin", "deviation", "focus"}
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["protocol"] == "shapes/knowledge@1 expanded (model)" and metrics["notes"] == {
        "queries_not_expanded": 1
    }
    assert metrics["metrics"]["hit_any@5"] == {"value": 0.8, "n": Q} | {
        end: content["tables"][3]["rows"]["model"][end] for end in ("low", "high")
    }
    columns = pq.read_table(tmp_path / "expansion.parquet").to_pydict()
    at = columns["row"].index("model") + 1
    assert columns["query_id"][at] == "q1" and columns["top_ids"][at] == ["p6", "p1"]
    assert columns["first_right"][at] == 1 and columns["tokens"][at] == 10 and columns["asked"][at]
    assert columns["focus"][at] == float(found.sharp[1, 2])
    assert (tmp_path / "run.trec").read_text().startswith("q0 Q0 p0 1 -1")
    assert (
        content["rows"]["model, hybrid"]["traces"]
        == content["rows"]["model"]["traces"]
        == "traces/model.jsonl"
    )
    lines = (tmp_path / "traces" / "model.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == [f"q{i}" for i in range(Q)]
    assert "seconds" not in json.loads(lines[0])


def test_each_expansion_has_a_file(tested):
    names = ["a/b", "a b", "a+b"]
    rows = named([ExpansionRow(label=name, change={"window": at + 1}) for at, name in enumerate(names)])
    expansions = {name: row.expansion(ExpansionSettings()) for name, row in rows.items()}
    files = trace_files(replace(tested(), rows=rows, expansions=expansions))
    assert len(set(files.values())) == 4 and all(file.count("/") == 1 for file in files.values())

import shutil

import numpy as np
import pytest
import torch

from datamodules import ShapesDataModule
from datamodules.shapes import Families
from experiments.report.expansion_examples import choose, expansion_examples
from experiments.report.pictures import Album
from requery.expansion import Expander, ExpansionSettings, outcomes
from requery.expansion.retriever import bm25_corpus
from requery.expansion.row import ExpansionRow, named
from requery.expansion.rules import AskRules
from requery.expansion.tested import Expanded
from requery.index.bm25 import Bm25
from requery.ranking.pseudo_relevance import holds
from requery.record import RunFolder, RunRecord

SIZES = {"train": 1, "val": 1, "test": 6}


@pytest.fixture
def run(tmp_path):
    """A run of rules on 36 questions of Shapes."""
    data = ShapesDataModule("knowledge", families=Families(**SIZES))
    task, asked = data.task("test"), data.questions("test")
    corpus = bm25_corpus(task.gallery_text, Bm25(), tmp_path)
    rows = named([ExpansionRow(by="rules")])
    expansions = {name: row.expansion(ExpansionSettings()) for name, row in rows.items()}
    traces, lists = {}, {}
    for name, expansion in expansions.items():
        expander = Expander(AskRules(expansion.settings, corpus), corpus)
        traces[expansion] = expander.expand(asked)
        found = expander.search(traces[expansion], 10)
        lists[name] = torch.tensor([[*one.items, *[-1] * (10 - len(one.items))] for one in found])
    assert outcomes(traces[expansions["rules"]])["query"]["expanded"]
    sharp = torch.rand(len(asked), 3, dtype=torch.float64)
    tested = Expanded(task, rows, expansions, traces, lists, sharp, data.answers("test"), (1, 5))
    tested.write(RunFolder(tmp_path))
    config = {
        "data": {
            "class_path": "datamodules.ShapesDataModule",
            "init_args": {"task": "knowledge", "families": SIZES},
        }
    }
    return RunRecord(tmp_path, config, {}, None, None, [], None, None), tested


def test_examples_show_the_way_and_what_was_found(run):
    record, tested = run
    album = Album()
    made, reason = expansion_examples(record, album)
    assert reason is None and 1 <= len(made) <= 3 and made[-1].title == "At random"
    assert len(album.uris) == len({example.picture for example in made})
    for example in made:
        at = list(tested.task.query_ids).index(example.query)
        trace = tested.traces_of("rules")[at]
        assert example.trace["question"] == trace.question and example.trace["rewritten"] == trace.rewritten
        assert list(example.clues) == list(dict.fromkeys(trace.kept))
        assert [found.row for found in example.found] == ["none", "rules"]
        for found in example.found:
            assert found.rank == int(tested.first_right(found.row)[at])
            rule = holds(tested.answers[at])
            assert all(right == rule(text) for text, right in found.texts) and len(found.texts) == 3


def test_without_the_data_there_is_a_reason(run):
    record, _ = run
    made, reason = expansion_examples(RunRecord(record.path, {}, {}, None, None, [], None, None), Album())
    assert made == [] and "has no `data`" in reason
    shutil.rmtree(record.path / "traces")
    assert "cannot be read" in expansion_examples(record, Album())[1]


def test_what_moves_at_the_head_of_the_list_is_chosen():
    before, after = np.array([3, 1, 50, 0, 2]), np.array([1, 4, 20, 0, 2])
    chosen = choose(before, after)
    assert chosen[:2] == [("Gained most", 0), ("Lost most", 1)] and chosen[2][0] == "At random"
    assert chosen[2][1] in (2, 3, 4)
    assert [title for title, _ in choose(before, before)] == ["At random"]

import json

import pytest

from datamodules import KnowledgeQADataModule
from datamodules.doctor.quick import quick
from requery.errors import DataError
from requery.index import Analyser, Bm25, Bm25Index
from requery.index.text_query import counted
from requery.ranking.metrics import evaluate
from tests.datamodules.questions import PASSAGES, QUESTIONS, write_knowledge


def module(root, **content):
    return KnowledgeQADataModule(str(write_knowledge(root, **content)))


def test_questions_and_passages(tmp_path):
    data = module(tmp_path)
    task = data.task("test")
    assert task.protocol.key == "knowledge_qa/test@1"
    assert task.query_ids == ["q0", "q1"] and task.query_text[0] == "What do deer eat?"
    assert task.gallery_ids == ["p0", "p1", "p2"]
    assert task.gallery_text[1] == "Red_Deer Its antlers grow\u2028in spring."
    assert task.qrels.target.tolist() == [0, 1]  # the first positive
    assert [row.tolist() for row in task.qrels.relevant] == [[0], [0, 1]]
    assert task.qrels.grades.tolist() == [2, 1, 2]
    assert data.answers("val") == [("grass",), ("spring",)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"questions": [{**QUESTIONS[0], "positives": ["p9"]}]}, r"question q0 has unknown passages p9"),
        ({"questions": [{**QUESTIONS[0], "positives": []}]}, r"question q0 has no positive passage"),
        ({"questions": [QUESTIONS[0], QUESTIONS[0]]}, r"questions\.jsonl: 1 ids occur more than once: q0"),
        ({"passages": [PASSAGES[0], {"id": "p1"}]}, r"passages\.jsonl, line 2: the field 'title' is missing"),
        ({"passages": []}, r"passages\.jsonl, line 1: not valid JSON"),
    ],
)
def test_malformed_records_are_named(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        module(tmp_path, **content).task("test")


def test_there_is_no_train_split_and_files_may_be_absent(tmp_path):
    data = module(tmp_path)
    with pytest.raises(DataError, match="knowledge_qa has no train split"):
        data.task("train")
    (tmp_path / "passages.jsonl").unlink()
    (finding,) = quick(data.sources("test"))
    assert r"passages.jsonl: no such file; the folder holds" in json.dumps(finding.as_dict())


@pytest.mark.data
def test_bm25_on_the_real_questions(data_root):
    task = KnowledgeQADataModule(str(data_root / "knowledge_qa")).task("test")
    index = Bm25Index(Bm25(analyser=Analyser(stop_words="none", stemmer="none")))
    index.add(task.gallery_text)
    ranking = index.rank([counted(index.tokens(text)) for text in task.query_text], task.qrels)
    found = evaluate(ranking, task.qrels, ["recall@1", "recall@5", "recall@10"], resamples=10)
    assert (task.n_queries, task.n_gallery) == (2545, 1583)
    assert [found[f"recall@{k}"].value for k in (1, 5, 10)] == pytest.approx([0.851, 0.947, 0.965], abs=1e-3)

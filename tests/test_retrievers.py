import pytest
import torch

from benchmarks.retrievers import main, rankings
from datamodules import KnowledgeQADataModule
from tests.datamodules.questions import write_knowledge


def test_every_retriever_is_a_row(tmp_path, capsys):
    main(["--root", str(write_knowledge(tmp_path))])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "| `knowledge_qa/test@1` | recall@1 | recall@5 | recall@10 | mrr@10 |"
    assert [line.split(" | ")[0] for line in lines[2:]] == [
        "| BM25, every word",
        "| BM25, stop words dropped, stems",
    ]
    assert lines[2].split(" | ")[2].startswith("100.0 [100.0, 100.0]")


def test_the_hybrid_fuses_words_and_vectors(tmp_path):
    class Lengths(torch.nn.Module):
        """Texts of like length are alike."""

        def encode_query(self, image, text):
            angle = torch.tensor([len(one) / 40 for one in text])
            return torch.stack([angle.cos(), angle.sin()], 1)

    task = KnowledgeQADataModule(str(write_knowledge(tmp_path))).task("test")
    found = rankings(task, Lengths())
    assert list(found)[2:] == ["dense", "hybrid"]
    words, dense = (found[name].relevant_rank for name in ("BM25, stop words dropped, stems", "dense"))
    gains = sum(torch.where(ranks > 0, 1 / (60 + ranks.double()), 0.0) for ranks in (words, dense))
    scores, items = found["hybrid"].top_score, found["hybrid"].top_index
    for pair, (row, item) in enumerate(
        zip(task.qrels.relevant.row_of, task.qrels.relevant.values, strict=True)
    ):
        assert float(scores[row][items[row] == item]) == pytest.approx(float(gains[pair]), rel=1e-6)

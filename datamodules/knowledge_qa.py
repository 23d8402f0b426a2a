"""Questions with marked passages, such as those made of XQuAD and QED."""

from __future__ import annotations

from datamodules.base import RetrievalDataModule
from datamodules.caption_tasks import graded
from datamodules.doctor.quick import quick, require_sound
from datamodules.layouts.corpus import Passage
from datamodules.layouts.files import dataset_root
from datamodules.layouts.knowledge_qa import QUESTIONS, KnowledgeQuestion, read_passages, read_questions
from datamodules.layouts.problems import Problem
from datamodules.sources import Query, Sources
from requery.expansion.trace import VisualQuestion
from requery.images import FileImages
from requery.ranking.protocols import knowledge_qa
from requery.task import RetrievalTask


class KnowledgeQADataModule(RetrievalDataModule):
    """Text questions, a corpus of passages, the passages that answer each: our `val` and `test` are both all.

    There is no train split. The first positive passage is the target, the others have grade 1. A passage's
    text is its title and its text.

    Args:
        root: folder of `passages.jsonl` and `questions.jsonl`; default `$REQUERY_DATA/name`.
        name: the benchmark's name in protocols.
        batch_size: queries per batch.
        seed: of the order of queries.
        num_workers: processes that load batches.
    """

    def __init__(
        self,
        root: str | None = None,
        name: str = "knowledge_qa",
        batch_size: int = 64,
        seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        super().__init__(batch_size, seed, num_workers)
        self.root, self.benchmark = root, name

    def build_task(self, split: str) -> RetrievalTask:
        """Read `val` or `test`.

        Raises:
            DataError: files are missing, malformed or inconsistent; the message tells every problem.
        """
        passages, questions, sources = self._read(split)
        require_sound(quick(sources))
        place = {passage.name: number for number, passage in enumerate(passages)}
        relevant = [sorted(place[name] for name in question.positives) for question in questions]
        return RetrievalTask(
            protocol=knowledge_qa(self.benchmark, split),
            split=split,
            images=FileImages([], []),
            query_ids=[question.name for question in questions],
            gallery_ids=[passage.name for passage in passages],
            qrels=graded([place[question.positives[0]] for question in questions], relevant),
            query_text=[question.text for question in questions],
            gallery_text=[passage.text for passage in passages],
        )

    def questions(self, split: str) -> list[VisualQuestion]:
        """The questions, without images."""
        return [VisualQuestion(question.name, question.text) for question in self._read(split)[1]]

    def answers(self, split: str) -> list[tuple[str, ...]]:
        """The answers to each question of a split."""
        return [question.answers for question in self._read(split)[1]]

    def sources(self, split: str) -> Sources:
        """What the files say."""
        return self._read(split)[2]

    def _read(self, split: str) -> tuple[list[Passage], list[KnowledgeQuestion], Sources]:
        root = dataset_root(self.root, self.benchmark)
        problems: list[Problem] = []
        passages: list[Passage] = []
        questions: list[KnowledgeQuestion] = []
        if split == "train":
            problems.append(Problem(f"{root}: {self.benchmark} has no train split; train on other questions"))
        else:
            passages = read_passages(root, problems.append)
            questions = read_questions(root, {passage.name for passage in passages}, problems.append)
        sources = Sources(
            where=f"{self.benchmark}/{split}",
            names=[],
            queries=[Query(question.name, {}, question.text) for question in questions],
            n_gallery=len(passages),
            listed_in=QUESTIONS,
            problems=problems,
        )
        return passages, questions, sources

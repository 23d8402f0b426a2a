"""OK-VQA: questions about images whose answers stand in a corpus of passages."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

import torch

from datamodules.base import RetrievalDataModule
from datamodules.doctor.quick import quick, require_sound
from datamodules.layouts.corpus import HubCorpus, Passage, read_corpus_csv, read_corpus_hub
from datamodules.layouts.files import dataset_root, image_folder
from datamodules.layouts.okvqa import (
    CORPUS,
    CORPUS_ORIGIN,
    OkvqaQuestion,
    read_captions,
    read_questions,
)
from datamodules.layouts.problems import Problem
from datamodules.sources import Query, Sources
from requery.expansion.trace import VisualQuestion
from requery.images import FileImages
from requery.ranking.protocols import okvqa
from requery.ranking.pseudo_relevance import Match
from requery.ranking.qrels import Qrels
from requery.task import RetrievalTask

Answers = Literal["raw", "stemmed", "both"]
Captions = Literal["vinvl", "none"]

HELD_OUT = 18
"""One in so many of the train split's images, with their questions, is our val split: about 500 questions."""


class OkvqaDataModule(RetrievalDataModule):
    """OK-VQA (Marino et al. 2019) over GS112K (Luo et al. 2021), or another corpus.

    `test` is the official val2014, `train` and `val` are train2014 apart from each other by image. No passage
    is marked as right: one that holds an answer is (`requery.ranking.pseudo_relevance`), so the task has no
    truth of its own, and rankings are judged with `answers`.

    Args:
        root: folder of the official files; default `$REQUERY_DATA/okvqa`.
        image_root: COCO's folder of `train2014` and `val2014`, within `root` or anywhere; null = queries are
            texts alone.
        captions: `vinvl` joins the caption of `VinVL_base_{year}.tsv` to the question; `none` does not.
        corpus: CSV file in `root` with the columns `kid,text`. `okvqa_full_corpus.csv` holds pages found with
            the test answers: its scores are not comparable.
        corpus_name: its name in protocols.
        hub: a dataset in place of that file; give its `corpus_name` too.
        answers: what counts as an answer: `raw`, `stemmed` or, as in GeMKR's file, `both`.
        match: where it may stand: `substring`, or `word` between word boundaries.
        batch_size: queries per training step.
        seed: of the order of training queries.
        num_workers: processes that load batches.
    """

    def __init__(
        self,
        root: str | None = None,
        image_root: str | None = None,
        captions: Captions = "vinvl",
        corpus: str = CORPUS,
        corpus_name: str = "gs112k",
        hub: HubCorpus | None = None,
        answers: Answers = "both",
        match: Match = "substring",
        batch_size: int = 64,
        seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        super().__init__(batch_size, seed, num_workers)
        self.root, self.image_root, self.captions = root, image_root, captions
        self.corpus, self.corpus_name, self.hub = corpus, corpus_name, hub
        self.counted, self.match = answers, match
        self._passages: tuple[list[Passage], list[Problem]] | None = None

    def build_task(self, split: str) -> RetrievalTask:
        """Read one split: `train`, `val` or `test`.

        Raises:
            DataError: files are missing, malformed or inconsistent; the message tells every problem.
        """
        questions, sources = self._read(split)
        require_sound(quick(sources))
        passages, _ = self._corpus()
        images = FileImages(list(sources.paths.values()), sources.names)
        place = {name: number for number, name in enumerate(sources.names)}
        queries = "question" if self.captions == "none" else "question_caption"
        return RetrievalTask(
            protocol=okvqa(split, self.corpus_name, queries, self.counted, self.match),
            split=split,
            images=images,
            query_ids=[question.name for question in questions],
            gallery_ids=[passage.name for passage in passages],
            qrels=Qrels.from_targets(torch.full((len(questions),), -1)),
            query_image=torch.tensor([place[_image(split, q)] for q in questions]) if len(images) else None,
            query_text=[query.text or "" for query in sources.queries],
            gallery_text=[passage.text for passage in passages],
            has_truth=False,
        )

    def questions(self, split: str) -> list[VisualQuestion]:
        """The questions, with captions and images where they are used."""
        task, asked = self.task(split), self._read(split)[0]
        texts, places = task.query_text or [], task.query_image
        return [
            VisualQuestion(
                question.name,
                question.text,
                text.removeprefix(question.text).strip() or None,
                None if places is None else (task.images, int(places[number])),
            )
            for number, (question, text) in enumerate(zip(asked, texts, strict=True))
        ]

    def answers(self, split: str) -> list[tuple[str, ...]]:
        """What counts as an answer to each question of a split."""
        questions = self._read(split)[0]
        if self.counted == "both":
            return [tuple(dict.fromkeys(q.raw + q.stemmed)) for q in questions]
        return [q.raw if self.counted == "raw" else q.stemmed for q in questions]

    def sources(self, split: str) -> Sources:
        """What the files say of a split, the corpus included."""
        return self._read(split)[1]

    def _read(self, split: str) -> tuple[list[OkvqaQuestion], Sources]:
        root, year = dataset_root(self.root, "okvqa"), _year(split)
        problems: list[Problem] = []
        questions = read_questions(root, year, problems.append)
        if split != "test":
            questions = [q for q in questions if held_out(q.image) == (split == "val")]
        texts = self._texts(root / f"VinVL_base_{year}.tsv", questions, problems)
        passages, missing = self._corpus()
        named = [_image(split, question) for question in questions] if self.image_root is not None else []
        folder = image_folder(self.image_root, root) / year
        sources = Sources(
            where=f"okvqa/{split}",
            names=list(dict.fromkeys(named)),
            queries=[
                Query(question.name, {"reference": (name,)} if name else {}, text)
                for question, name, text in zip(questions, named or [""] * len(questions), texts, strict=True)
            ],
            n_gallery=len(passages),
            listed_in=f"OpenEnded_mscoco_{year}_questions.json",
            paths={name: folder / name for name in named},
            problems=[*problems, *missing],
        )
        return questions, sources

    def _texts(self, path: Path, questions: list[OkvqaQuestion], problems: list[Problem]) -> list[str]:
        """Each question, with its image's caption where captions are wanted."""
        if self.captions == "none":
            return [question.text for question in questions]
        captions = read_captions(path, problems.append)
        if captions:
            problems += [
                Problem(f"{path}: no caption of image {question.image}", question.name)
                for question in questions
                if question.image not in captions
            ]
        return [f"{question.text} {captions.get(question.image, '')}".strip() for question in questions]

    def _corpus(self) -> tuple[list[Passage], list[Problem]]:
        """The passages, read once, and what is wrong with them."""
        if self._passages is None:
            problems: list[Problem] = []
            if self.hub is not None:
                passages = read_corpus_hub(self.hub, problems.append)
            else:
                path = dataset_root(self.root, "okvqa") / self.corpus
                remedy = CORPUS_ORIGIN if self.corpus == CORPUS else "write it with the columns kid,text"
                passages = read_corpus_csv(path, remedy, problems.append)
            self._passages = passages, problems
        return self._passages


def held_out(image: int) -> bool:
    """Whether an image of train2014 belongs to our val split."""
    return int.from_bytes(hashlib.sha256(str(image).encode()).digest()[:8]) % HELD_OUT == 0


def _year(split: str) -> str:
    return "val2014" if split == "test" else "train2014"


def _image(split: str, question: OkvqaQuestion) -> str:
    year = _year(split)
    return f"COCO_{year}_{question.image:012d}.jpg"

"""A small sparse index, Shapes' passages and questions, and a model that reads the caption in its prompt."""

import re
from collections import Counter
from math import log

import pytest
import torch

from requery.expansion import Corpus, VisualQuestion
from requery.generation import RuleGenerator
from requery.shapes.knowledge import QUESTIONS, STATEMENTS, passages, question
from requery.shapes.language import caption
from requery.shapes.scene import ShapesConfig, stream
from requery.shapes.world import ShapesImages, scene_at

STOP = frozenset("a an the of in at on is it was what which who where when from by to and this that".split())


class TinyIndex:
    """BM25 without saturation or length: sum of weight · idf, ties by passage."""

    def __init__(self, texts):
        self.rows = [Counter(self.tokens(text)) for text in texts]
        counts = Counter(term for row in self.rows for term in row)
        self.idf = {term: log(1 + len(texts) / count) for term, count in counts.items()}

    def tokens(self, text):
        return [word for word in re.findall(r"\w+", text.lower()) if word not in STOP]

    def search(self, texts, k):
        return self.search_terms([Counter(self.tokens(text)) for text in texts], k)

    def search_terms(self, queries, k):
        scores = torch.full((len(queries), k), -torch.inf)
        index = torch.full((len(queries), k), -1)
        for place, weights in enumerate(queries):
            rows = [sum(w * self.idf[t] for t, w in weights.items() if t in row) for row in self.rows]
            order = sorted((i for i, score in enumerate(rows) if score > 0), key=lambda i: (-rows[i], i))[:k]
            for rank, item in enumerate(order):
                scores[place, rank], index[place, rank] = rows[item], item
        return scores, index


def corpus_of(*texts):
    return Corpus(TinyIndex(texts), texts)


@pytest.fixture(scope="session")
def knowledge():
    """Shapes' corpus, forty test questions with captions, and their answers."""
    config = ShapesConfig()
    images = ShapesImages(config, "test", 40)
    queries, answers = [], []
    for i in range(len(images)):
        scene = scene_at(config, "test", i)
        asked = question(config, "test", i, scene)
        said = caption(stream("caption", config.seed, i), scene, config).text
        queries.append(VisualQuestion(images.ids[i], asked.text, said, (images, i)))
        answers.append(asked.answer)
    return corpus_of(*(passage.text for passage in passages(config))), queries, answers


def field(prompt, name):
    found = re.search(rf"^{name}: (.*)$", prompt, re.MULTILINE)
    return found.group(1) if found else ""


def first_thing(text):
    """The first `colour shape` of a caption."""
    found = re.search(r"\b(?:small|little|tiny|large|big|huge) (\w+ \w+)", text)
    return found.group(1) if found else "thing"


def wordings(asked):
    """How passages word the fact a question asks for."""
    facts = [f for f, ways in QUESTIONS.items() if any(w.split("{it}")[0] in asked for w in ways)]
    return [s.format(thing="", value="") for fact in facts for s in STATEMENTS[fact]]


def reader(prompt):
    """Take the first thing of the caption for the one that is meant."""
    words = prompt.turns[-1]
    asked, thing = field(words, "Question"), first_thing(field(words, "Caption"))
    if "Rewrite the question" in words:
        return re.sub(r"the (\w+ )?thing", f"the {thing}", asked)
    if "Write exactly" in words:
        lines = [thing, f"{thing} {asked}", *(f"{thing}: {way}" for way in wordings(asked))]
        return "Here are the clues:\n" + "\n".join(f"{i}. {line}" for i, line in enumerate(lines, 1))
    if "Write one short search clue" in words:
        return [thing, f"{thing} {asked}", "something else"][prompt.seed % 3]
    if "one improved search query" in words:
        return f"{thing} {field(words, 'Rewritten')}"
    return "a small red circle"


@pytest.fixture
def model():
    return RuleGenerator(reader, "reader@1")

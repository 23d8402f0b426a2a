"""What the model is trained to answer: three recipes for LoRA. The paper says none; all are ours.

They see training questions alone: no answer of a test question may enter.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from requery.corruptions.words import STOP_WORDS
from requery.errors import ConfigError
from requery.expansion.retriever import Corpus
from requery.rng import permutation


@dataclass(frozen=True)
class Preference:
    """Of two answers to one prompt, which retrieves better (for DPO).

    Args:
        chosen: the better one.
        rejected: the other.
        difference: of their gains, above 0.
    """

    chosen: str
    rejected: str
    difference: float


def weak_positives(
    corpus: Corpus,
    question: str,
    answers: Sequence[str],
    relevant: Callable[[str], bool],
    depth: int = 50,
    most: int = 3,
) -> list[int]:
    """Passages of the training corpus that are taken as relevant to a question, best first.

    Args:
        corpus: the training corpus.
        question: the question; its answers are searched with it.
        answers: the answers.
        relevant: whether a passage has an answer in it.
        depth: passages looked through.
        most: passages at most.
    """
    found = corpus.find([" ".join([question, *answers])], depth)[0].items
    return [item for item in found if relevant(corpus.texts[item])][:most]


def answer_target(
    answers: Mapping[str, float], passages: Sequence[str], n: int = 12, words: int = 20
) -> list[str]:
    """R1: clues that are true by the label: answers, sentences of relevant passages, their phrases.

    Answers come first, the surest ahead; then the sentence of each passage that has an answer, and its
    phrases.

    Args:
        answers: soft score of each answer.
        passages: passages with an answer in them, best first (weak positives).
        n: clues at most.
        words: longer sentences are cut to the words around the answer.

    Returns:
        Distinct clues; fewer than n where no more is known.
    """
    ordered = sorted(answers, key=lambda answer: (-answers[answer], answer))
    found = [around(passage, ordered, words) for passage in passages]
    sentences = [sentence for sentence in found if sentence]
    clues = [*ordered, *sentences, *(phrase for sentence in sentences for phrase in phrases(sentence))]
    return _distinct(clues)[:n]


def around(passage: str, answers: Sequence[str], words: int) -> str:
    """The sentence of a passage that has the first of the answers it has any of; "" where it has none.

    A longer sentence is cut to `words` words about the answer's.
    """
    for answer in answers:
        for sentence in re.split(r"(?<=[.!?])\s+", " ".join(passage.split())):
            place = sentence.casefold().find(answer.casefold())
            if place >= 0:
                split = sentence.split()
                middle = len(sentence[:place].split())
                start = max(0, min(middle - words // 2, len(split) - words))
                return " ".join(split[start : start + words])
    return ""


def phrases(sentence: str, most_words: int = 4) -> list[str]:
    """Runs of content words, for want of a tagger: words between stop words and punctuation."""
    runs: list[list[str]] = [[]]
    for word in re.findall(r"[\w'’-]+|[^\w\s]", sentence):
        if not word[0].isalnum() or word.casefold() in STOP_WORDS:
            runs.append([])
        else:
            runs[-1].append(word)
    return list(dict.fromkeys(" ".join(run[:most_words]) for run in runs if run))


def sampled_target(candidates: Sequence[str], gained: Sequence[float], n: int = 12) -> list[str]:
    """R2: the candidates that help retrieval most (rejection sampling), best first; no others.

    Args:
        candidates: expansions that the model itself wrote, at a high temperature.
        gained: their `gains`.
        n: kept at most.
    """
    order = sorted(range(len(candidates)), key=lambda place: (-gained[place], place))
    return _distinct([candidates[place] for place in order if gained[place] > 0])[:n]


def preferences(
    candidates: Sequence[str], gained: Sequence[float], margin: float = 0.1, most: int = 4
) -> list[Preference]:
    """R3: pairs of answers whose gains differ, the widest apart first.

    The best is paired with the worst, the second with the last but one, and so on: no answer is in two pairs.

    Args:
        candidates: answers of the model to one prompt.
        gained: their `gains`.
        margin: pairs that differ by less are left out.
        most: pairs at most.
    """
    order = sorted(range(len(candidates)), key=lambda place: (-gained[place], place))
    pairs = [(order[i], order[-1 - i]) for i in range(len(order) // 2)]
    made = [Preference(candidates[a], candidates[b], gained[a] - gained[b]) for a, b in pairs]
    return [pair for pair in made if pair.difference >= margin and pair.difference > 0][:most]


def held_out(images: Sequence[str], n: int, seed: int = 0) -> list[bool]:
    """Which questions are kept for validation: whole images, so that none is in both parts.

    Args:
        images: name of each question's image.
        n: questions held out, or a few more: images are taken until they suffice.
        seed: of the draw.

    Raises:
        ConfigError: n is not below the number of questions.
    """
    if not 0 <= n < len(images):
        raise ConfigError(f"{n} of {len(images)} questions cannot be held out; hold out fewer")
    counts = Counter(images)
    names = sorted(counts)
    chosen, taken = set[str](), 0
    for place in permutation(seed, 0, len(names)).tolist():
        if taken >= n:
            break
        chosen.add(names[place])
        taken += counts[names[place]]
    return [image in chosen for image in images]


def _distinct(texts: Sequence[str]) -> list[str]:
    found: dict[str, str] = {}
    for text in texts:
        found.setdefault(text.casefold(), text)
    return list(found.values())

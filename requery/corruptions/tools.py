"""Where the tools of text corruptions come from: files and checkpoints, opened when they are needed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from requery.corruptions.prepared import PreparedTexts
from requery.corruptions.rewriter import PROMPTS, Rewriter
from requery.corruptions.severity import require_kind
from requery.corruptions.similarity import SentenceSimilarity
from requery.corruptions.text import SENTENCE_KINDS, TEXT_KINDS, TextTools
from requery.corruptions.wordnet import wordnet


@dataclass(frozen=True)
class TextSources:
    """Files and checkpoints for text corruptions; those of kinds that are not used are not opened.

    Args:
        wordnet: folder that holds WordNet's `data.noun`, or NLTK's `wordnet.zip`, for `synonym` and (else it
            says a word twice) `word_insert`; null looks in NLTK's folders for `synonym`.
        prepared: file of texts shifted elsewhere, by kind: JSON `{id: text}` or JSON lines of `id`, `text`.
        models: checkpoints by kind: one for `formal`, `casual`, `passive`, `active`, two for
            `back_translation`; a folder, or `owner/name@commit`.
        similarity: checkpoint of a sentence encoder: edits of words and styles that move a sentence further
            than a cosine of 0.9 are drawn again; null keeps the first.
    """

    wordnet: str | None = None
    prepared: dict[str, str] = field(default_factory=dict)
    models: dict[str, list[str]] = field(default_factory=dict)
    similarity: str | None = None

    def __post_init__(self) -> None:
        for kind in self.prepared:
            require_kind(kind, TEXT_KINDS, "text")
        for kind in self.models:
            require_kind(kind, SENTENCE_KINDS, "sentence")

    def open(self, kinds: Collection[str]) -> TextTools:
        """Open what some kinds need.

        Raises:
            ConfigError: a hub id without a commit.
            DataError: a file or a checkpoint cannot be read.
        """
        made = {kind for kind in kinds if kind not in self.prepared}
        wanted = "synonym" in made or ("word_insert" in made and self.wordnet is not None)
        return TextTools(
            synonyms=wordnet(self.wordnet) if wanted else None,
            rewriters={
                kind: Rewriter(sources, PROMPTS.get(kind, ""), sample=kind in PROMPTS)
                for kind, sources in self.models.items()
                if kind in made
            },
            prepared={kind: PreparedTexts(path) for kind, path in self.prepared.items() if kind in kinds},
            similarity=None if self.similarity is None else SentenceSimilarity(self.similarity),
        )

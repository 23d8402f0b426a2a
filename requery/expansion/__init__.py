"""Query expansion after QueryFormer: an image–text model rewrites and expands the query."""

from requery.expansion.gate import Gate, sharpness, threshold
from requery.expansion.pipeline import Expander
from requery.expansion.prompts import PROMPTS, Prompts
from requery.expansion.retriever import Corpus, Found, TermIndex
from requery.expansion.settings import Drawing, ExpansionSettings
from requery.expansion.stage import ExpansionStage
from requery.expansion.synonyms import Synonyms
from requery.expansion.trace import Trace, VisualQuestion, outcomes, write_traces
from requery.expansion.weights import Weighting

__all__ = [
    "PROMPTS",
    "Corpus",
    "Drawing",
    "Expander",
    "ExpansionSettings",
    "ExpansionStage",
    "Found",
    "Gate",
    "Prompts",
    "Synonyms",
    "TermIndex",
    "Trace",
    "VisualQuestion",
    "Weighting",
    "outcomes",
    "sharpness",
    "threshold",
    "write_traces",
]

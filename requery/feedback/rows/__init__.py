"""The rows a table of feedback may have, as settings."""

from requery.feedback.rows.judged import Clicks, Marked, Nearest, Pairs
from requery.feedback.rows.summarized import AFS, QueryOnly
from requery.feedback.rows.unasked import (
    BASELINE,
    GRF,
    PRF,
    Explicit,
    Hubs,
    NoFeedback,
    OriginalRocchio,
    VectorPRF,
)

__all__ = [
    "AFS",
    "BASELINE",
    "GRF",
    "PRF",
    "Clicks",
    "Explicit",
    "Hubs",
    "Marked",
    "Nearest",
    "NoFeedback",
    "OriginalRocchio",
    "Pairs",
    "QueryOnly",
    "VectorPRF",
]

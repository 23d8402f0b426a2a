"""Test-time adaptation of the query encoder: TCR, REST and their rivals on one engine."""

from requery.adaptation.adapter import Adapter
from requery.adaptation.collapse import Collapse
from requery.adaptation.decoupling import DecouplingName
from requery.adaptation.methods import (
    EATA,
    HATVTR,
    READ,
    REST,
    SAR,
    SHOT,
    TCR,
    UCA,
    DeYO,
    NoAdaptation,
    Tent,
    Term,
    TrainingFreeTCR,
)
from requery.adaptation.objective import modality_gap, noise_robust_entropy, query_uniformity, row_entropy
from requery.adaptation.settings import Method
from requery.adaptation.source_queue import SourceQueue
from requery.adaptation.stream import adapt_stream

__all__ = [
    "EATA",
    "HATVTR",
    "READ",
    "REST",
    "SAR",
    "SHOT",
    "TCR",
    "UCA",
    "Adapter",
    "Collapse",
    "DeYO",
    "DecouplingName",
    "Method",
    "NoAdaptation",
    "SourceQueue",
    "Tent",
    "Term",
    "TrainingFreeTCR",
    "adapt_stream",
    "modality_gap",
    "noise_robust_entropy",
    "query_uniformity",
    "row_entropy",
]

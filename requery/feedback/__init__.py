"""Relevance feedback: queries refined, or candidates ranked anew, by what a first search showed."""

from requery.feedback.afs import AFS
from requery.feedback.aggregate import softmax_aggregate
from requery.feedback.attended import least_attended
from requery.feedback.guards import Guards
from requery.feedback.hubs import HubCorrection, inverted_softmax_bias, nearest_queries_bias
from requery.feedback.loss import feedback_cosine
from requery.feedback.marked import MarkedRocchio
from requery.feedback.masking import kept_items
from requery.feedback.nearest import NearestMarked
from requery.feedback.pairs import ContextPairs, fit_context_pairs
from requery.feedback.rocchio import rocchio
from requery.feedback.rounds import Rounds, feedback_rounds, run_rounds
from requery.feedback.session import Loop, Session
from requery.feedback.shuffled import Shuffled
from requery.feedback.stage import FeedbackStage
from requery.feedback.strategies import GRF, PRF, Explicit, NoFeedback, OriginalRocchio, VectorPRF
from requery.feedback.strategy import Reranking, RocchioStrategy, SoftmaxStrategy, Strategy
from requery.feedback.summarizer import AttentiveFeedbackSummarizer
from requery.feedback.tokens import Tokens, closest_token
from requery.feedback.users import SimulatedUser, User

__all__ = [
    "AFS",
    "GRF",
    "PRF",
    "AttentiveFeedbackSummarizer",
    "ContextPairs",
    "Explicit",
    "FeedbackStage",
    "Guards",
    "HubCorrection",
    "Loop",
    "MarkedRocchio",
    "NearestMarked",
    "NoFeedback",
    "OriginalRocchio",
    "Reranking",
    "RocchioStrategy",
    "Rounds",
    "Session",
    "Shuffled",
    "SimulatedUser",
    "SoftmaxStrategy",
    "Strategy",
    "Tokens",
    "User",
    "VectorPRF",
    "closest_token",
    "feedback_cosine",
    "feedback_rounds",
    "fit_context_pairs",
    "inverted_softmax_bias",
    "kept_items",
    "least_attended",
    "nearest_queries_bias",
    "rocchio",
    "run_rounds",
    "softmax_aggregate",
]

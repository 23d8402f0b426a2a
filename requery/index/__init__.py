"""Where a gallery is searched: by vectors, of which exact search is the reference, or by its words."""

from requery.index.analyser import Analyser
from requery.index.base import Index, VectorIndex
from requery.index.bm25 import Bm25, Bm25Index
from requery.index.exact import ExactIndex
from requery.index.faiss import FaissIndex
from requery.index.hybrid import fuse
from requery.index.lsh import LshIndex
from requery.index.mapped import MappedIndex

__all__ = [
    "Analyser",
    "Bm25",
    "Bm25Index",
    "ExactIndex",
    "FaissIndex",
    "Index",
    "LshIndex",
    "MappedIndex",
    "VectorIndex",
    "fuse",
]

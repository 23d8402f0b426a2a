"""Where a gallery is searched: one interface, of which exact search is the reference."""

from requery.index.base import Index, VectorIndex
from requery.index.exact import ExactIndex
from requery.index.mapped import MappedIndex

__all__ = ["ExactIndex", "Index", "MappedIndex", "VectorIndex"]

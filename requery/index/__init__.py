"""Where a gallery is searched: one interface, of which exact search is the reference."""

from requery.index.base import Index
from requery.index.exact import ExactIndex

__all__ = ["ExactIndex", "Index"]

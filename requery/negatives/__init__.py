"""Hard negatives: which corpus items a query is trained against."""

from requery.negatives.define import define
from requery.negatives.sets import NegativeSets
from requery.negatives.strategies import Strategy
from requery.negatives.two_drop import two_drop, two_drop_batch
from requery.negatives.uniform import UniformNegatives

__all__ = ["NegativeSets", "Strategy", "UniformNegatives", "define", "two_drop", "two_drop_batch"]

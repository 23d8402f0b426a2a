"""The ranking of all processes' queries."""

from __future__ import annotations

from dataclasses import fields, replace

from torch import Tensor

from requery.distributed import gather
from requery.ranking.ranks import Ranking


def gathered(ranking: Ranking) -> Ranking:
    """Join the rankings that the processes made of successive queries over one gallery.

    Every process gets all of it; one that had no query gives a ranking of none.
    """
    columns = {field.name: getattr(ranking, field.name) for field in fields(ranking)}
    return replace(ranking, **{n: gather(c) for n, c in columns.items() if isinstance(c, Tensor)})

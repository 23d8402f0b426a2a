"""The ranking of all processes' queries."""

from __future__ import annotations

from requery.distributed import gather
from requery.ranking.ranks import Ranking


def gathered(ranking: Ranking) -> Ranking:
    """Join the rankings that the processes made of successive queries over one gallery.

    Every process gets all of it; one that had no query gives a ranking of none.
    """
    return Ranking(
        gather(ranking.target_rank),
        gather(ranking.target_score),
        gather(ranking.relevant_rank),
        None if ranking.subset_rank is None else gather(ranking.subset_rank),
        gather(ranking.top_index),
        gather(ranking.top_score),
        ranking.n_gallery,
    )

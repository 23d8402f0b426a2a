import pytest
import torch
from torch.nn.functional import normalize

from requery.errors import ConfigError
from requery.feedback import Guards, strategies
from requery.feedback.row import expand
from requery.feedback.rows import (
    AFS,
    GRF,
    PRF,
    Clicks,
    Explicit,
    Hubs,
    Marked,
    NoFeedback,
    OriginalRocchio,
    Pairs,
    VectorPRF,
)
from requery.feedback.shuffled import Shuffled
from requery.index import ExactIndex
from requery.ragged import Ragged


class Asked:
    """A context that notes what is asked for."""

    def __init__(self):
        self.index, self.relevant, self.said = ExactIndex(), Ragged.from_rows([[0], [1]]), []
        self.index.add(normalize(torch.randn(20, 4, generator=torch.Generator().manual_seed(0)), dim=-1))

    def __getattr__(self, name):
        def answer(*args):
            self.said.append(name)
            return torch.eye(4).repeat(5, 1)

        return answer


@pytest.mark.parametrize(
    "row,name,asked",
    [
        (NoFeedback(), "none", []),
        (PRF(), "PRF", []),
        (PRF(beta=0.3, guards=Guards(first_weight=0.5)), "PRF(first_weight=0.5, beta=0.3)", []),
        (GRF(), "GRF", ["captions"]),
        (
            GRF(source="annotated", normalize_feedback="always"),
            "GRF(normalize_feedback=always, oracle captions)",
            ["annotated"],
        ),
        (VectorPRF(mode="rocchio"), "Vector-PRF(mode=rocchio)", []),
        (OriginalRocchio(), "Rocchio", []),
        (Explicit(), "explicit", ["others"]),
        (Hubs(kind="inverted_softmax"), "hubs(kind=inverted_softmax)", ["bank"]),
        (Marked(clicks=Clicks(wrong=0.2, budget=3)), "marks(wrong=0.2, budget=3)", []),
        (Pairs(label="Qdrant"), "Qdrant", []),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_row_asks_for_what_it_needs_alone(row, name, asked):
    context = Asked()
    row.strategy(context)
    assert row.name == name and context.said == asked


def test_settings_reach_the_strategy():
    made = PRF(alpha=0.6, beta=0.3, temperature=0.1, shuffled=True).strategy(Asked())
    assert isinstance(made, Shuffled) and made.strategy == strategies.PRF(
        alpha=0.6, beta=0.3, temperature=0.1
    )
    loop = PRF(exclude_seen=True, guards=Guards(stop_when_repeated=True)).loop(3, 4, False)
    assert (loop.rounds, loop.k, loop.accumulate, loop.exclude_seen) == (3, 4, False, True)
    assert loop.guards.stop_when_repeated


def test_the_controls_of_afs_come_with_it():
    afs = AFS(summarizer="a", query_only="q", beta=0.8, alpha=0.2, guards=Guards(first_weight=0.1))
    rows, pairs = expand([NoFeedback(), afs])
    names = [row.name for row in rows]
    assert names[2:] == [f"{names[1]}, shuffled", f"{names[1]}, query only"]
    assert pairs == [(names[1], names[2]), (names[1], names[3])]
    _, shuffled, query_only = rows[1:]
    assert shuffled.shuffled and shuffled.summarizer == "a" and shuffled.alpha == 0.2
    assert query_only.summarizer == "q" and query_only.beta == 0.8 and query_only.guards == afs.guards


def test_settings_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="alpha"):
        PRF(alpha=-1)
    with pytest.raises(ConfigError, match="wrong"):
        Clicks(wrong=1.5)
    with pytest.raises(ConfigError, match="source"):
        GRF(source="invented")

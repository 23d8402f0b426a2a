"""The settings of each test-time adaptation method, typed; nothing here computes.

Defaults are those of the official code of TCR's benchmark unless a docstring calls them ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from requery.adaptation.decoupling import DecouplingName
from requery.adaptation.settings import Method, Updating
from requery.errors import ConfigError

Term = Literal["consistency", "uniformity", "gap", "entropy", "zero_gap"]
"""`consistency` = L_NA, `uniformity` = L_MU, `gap` = L_MG; `entropy` = plain mean entropy of the refined
predictions and `zero_gap` = the squared gap itself (Delta_S = 0), both for ablations."""


@dataclass(frozen=True)
class NoAdaptation(Method):
    """The source model, unchanged."""


@dataclass(frozen=True)
class Queued(Method):
    """A method that takes its bearings from the stream's most source-like pairs.

    Args:
        temperature: of the refined predictions.
        queue_capacity: source-like pairs kept.
        queue_ratio: share of each batch offered to the queue.
        queue_updates: batches that are offered; null = all of them (ours, for changing streams).
        queue_max_age: updates after which a pair is dropped; null = never.
        threshold_quantile: of the queue's entropies that is E_m; 1 = the maximum (official), below 1 = ours.
        deduplicate: count an item once among the refined candidates. Officially k queries with one nearest
            item have an entropy of at least ln k each, which also enters E_m (ours).
        refined: predict over the nearest candidates of the `batch` (official) or over the whole `gallery`.
        window: past queries whose embeddings join the batch's statistics: centre, gap, candidates and the
            choice of source-like pairs, which is then made once per `window` queries. 0 = the batch alone
            (official); with it batches of 1 work: until a first window is full the source model answers.
    """

    temperature: float = 0.02
    queue_capacity: int = 64
    queue_ratio: float = 0.3
    queue_updates: int | None = 10
    queue_max_age: int | None = None
    threshold_quantile: float = 1.0
    deduplicate: bool = False
    refined: Literal["batch", "gallery"] = "batch"
    window: int = 0


@dataclass(frozen=True)
class TCR(Queued, Updating):
    """TCR (Li et al., ICLR 2025): three losses of weight 1 on the refined predictions.

    Args:
        uniformity_scale: t of the uniformity loss; the code's 0.1 is the paper's 10.
        terms: of the loss; the default is the method, the rest its ablations.
    """

    uniformity_scale: float = 0.1
    terms: tuple[Term, ...] = ("consistency", "uniformity", "gap")

    def __post_init__(self) -> None:
        super().__post_init__()
        unknown = [term for term in self.terms if term not in get_args(Term)]
        if unknown or not self.terms:
            raise ConfigError(f"terms={self.terms}: choose some of {', '.join(get_args(Term))}")


@dataclass(frozen=True)
class REST(TCR):
    """REST (arXiv 2511.14416) as far as it is public: TCR's objective, and gradient decoupling of our design.

    REST has no public code. Its three losses are TCR's by name and role. How it decouples gradients is not
    known: the designs in `requery.adaptation.decoupling` are ours, and so are the defaults that differ from
    TCR's: de-duplicated candidates and `l2_anchor`, which forgot least of all designs where it was measured
    (docs/rest.md). `prograd`, `pcgrad` and `orthogonal` need one more backward pass a step and one more
    forward pass a batch: 1.8 times TCR's cost.

    Args:
        decoupling: design; `none` = TCR's gradient.
        decoupling_strength: share that is dropped, or the weight of the L2 anchor.
        subspace_rank: directions of `subspace`.
    """

    deduplicate: bool = True
    decoupling: DecouplingName = "l2_anchor"
    decoupling_strength: float = 1.0
    subspace_rank: int = 4


@dataclass(frozen=True)
class UCA(TCR):
    """UCA (UAI 2026), from what is stated of its code: TCR with another consistency and a confidence loss.

    The entropy of all rows is weighted by min(1, Delta_S / Delta_T) in place of the filter, and the margin
    between the two best candidates is held near that of the source-like pairs. The official weight and
    tolerance of that loss are not known; both defaults are ours.

    Args:
        confidence_weight: of the confidence loss.
        confidence_tolerance: standard errors within which the margin is free.
    """

    confidence_weight: float = 1.0
    confidence_tolerance: float = 1.96


@dataclass(frozen=True)
class HATVTR(TCR):
    """HAT-VTR (ICLR 2026), from what is stated of its code: TCR with hubs suppressed.

    Candidates are chosen and the gallery is ranked by scores corrected for hubs among recent queries, and the
    queue keeps the most diverse queries. Its losses on the frames of a video are left out: a query is one
    embedding here. The correction is in `Adapter.scores`: embeddings alone do not carry it.

    Args:
        hub_queries: inverse temperature among the queries.
        hub_items: inverse temperature among the items.
        hub_share: of the first of the two.
        memory: past queries whose scores are kept, `(memory, M)` (bounded: ours).
    """

    lr: float = 3e-5
    queue_capacity: int = 100
    hub_queries: float = 100.0
    hub_items: float = 10.0
    hub_share: float = 0.5
    memory: int = 1024


@dataclass(frozen=True)
class TrainingFreeTCR(Queued):
    """TCR without gradients: spread the queries and move them until their gap is the source's.

    q' = scale (q - z_Q) + z_Q + (1 - Delta_S / Delta_T) (mean c - z_Q), normalised.

    Args:
        scale: of the distances to the centre; 1 = only the gap is changed. The official value is not known.
    """

    scale: float = 1.0


@dataclass(frozen=True)
class Tent(Updating):
    """Mean entropy over the gallery.

    Args:
        temperature: of the loss; officially 0.01, 0.001 for Fashion-Gen and 0.0001 for person search.
    """

    temperature: float = 0.01


@dataclass(frozen=True)
class EATA(Tent):
    """Entropy of reliable and non-redundant predictions.

    Args:
        margin: share of the batch kept, and the constant in the weights.
        distance: largest absolute cosine to the average prediction that is kept.
    """

    margin: float = 0.4
    distance: float = 0.05


@dataclass(frozen=True)
class SAR(Tent):
    """Sharpness-aware entropy of reliable predictions, two forward passes a step.

    Args:
        margin: share of the batch kept.
        rho: length of the climb.
        reset_below: moving average of the loss below which everything starts anew.
    """

    margin: float = 0.4
    rho: float = 0.05
    reset_below: float = 0.2


@dataclass(frozen=True)
class READ(Tent):
    """Confident predictions, balanced over the gallery."""


@dataclass(frozen=True)
class SHOT(Tent):
    """Information maximisation with pseudo-labels.

    Args:
        confidence: least probability of a pseudo-label.
        pseudo_label_weight: of their loss; 0 = SHOT-IM.
    """

    confidence: float = 0.9
    pseudo_label_weight: float = 0.1


@dataclass(frozen=True)
class DeYO(Tent):
    """Entropy of predictions that depend on the image's shape, one more forward pass a step.

    Args:
        share: of the batch considered, by entropy.
        margin: share of the kept that sets the weights' reference.
        shuffle: compare with shuffled patches; officially on for images, off for texts.
        grid: patches per side.
        least_drop: of the probability under shuffling.
    """

    share: float = 0.5
    margin: float = 0.4
    shuffle: bool = True
    grid: int = 4
    least_drop: float = 0.0

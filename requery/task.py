"""One split of one benchmark: what is asked, what can be retrieved and what counts as right."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from requery.errors import DataError, first
from requery.images import ImageSet
from requery.ranking.protocols import Protocol
from requery.ranking.qrels import Qrels


@dataclass(frozen=True)
class RetrievalTask:
    """Queries, gallery and truth of one split, in columns.

    A query has a reference image, a text, or both; the gallery holds images or texts. Images are
    kept once in `images` and named by their position in it. Sounds and videos take the place of images;
    where the gallery's medium is not the queries', it has a set of its own.

    Args:
        protocol: the named rules this split is scored under.
        split: `train`, `val`, `test` or the benchmark's own name.
        images: every image a query or the gallery uses.
        query_ids: `Q` distinct names.
        gallery_ids: `N` distinct names; gallery index `j` is position `j` here.
        qrels: targets and relevant items as gallery indices.
        query_image: `(Q,)` int64 positions in `images`, or None for text queries.
        query_text: `Q` texts, or None for image queries.
        gallery_image: `(N,)` int64 positions in `images`, or None for a gallery of texts.
        gallery_text: `N` texts, or None for a gallery of images.
        gallery_images: what `gallery_image` are positions in, where that is not `images`.
        query_group: `(Q,)` int64, the part of the corpus a training query draws negatives from
            (FashionIQ's category); None where there is one corpus.
        gallery_group: `(N,)` int64, likewise for the gallery.
        notes: remarks printed beside the score (such as queries affected by unreadable images).
        has_truth: False where the benchmark keeps its targets (CIRR test1) or has none (HP-FashionIQ): such
            a split can be predicted, its rankings cannot be scored.
        shift: what was done to the queries, printed beside the protocol; None where they are the benchmark's.
    """

    protocol: Protocol
    split: str
    images: ImageSet
    query_ids: Sequence[str]
    gallery_ids: Sequence[str]
    qrels: Qrels
    query_image: Tensor | None = None
    query_text: Sequence[str] | None = None
    gallery_image: Tensor | None = None
    gallery_text: Sequence[str] | None = None
    gallery_images: ImageSet | None = None
    query_group: Tensor | None = None
    gallery_group: Tensor | None = None
    notes: dict[str, int] = field(default_factory=dict)
    has_truth: bool = True
    shift: str | None = None

    def __post_init__(self) -> None:
        where = f"{self.protocol.key} ({self.split})"
        if not self.gallery_ids:
            raise DataError(f"{where}: the gallery is empty; check the image split file and image_root")
        if not self.query_ids:
            raise DataError(f"{where}: there is no query; check the caption file")
        for names, side in ((self.query_ids, "query"), (self.gallery_ids, "gallery")):
            if len(set(names)) != len(names):
                repeated = [name for name, count in Counter(names).items() if count > 1]
                raise DataError(f"{where}: {side} ids occur more than once: {first(repeated)}")
        if self.query_image is None and self.query_text is None:
            raise DataError(f"{where}: queries have neither image nor text")
        if (self.gallery_image is None) == (self.gallery_text is None):
            raise DataError(f"{where}: a gallery holds either images or texts")
        self.qrels.validate(len(self.query_ids), len(self.gallery_ids))

    def require_truth(self) -> None:
        """Raise a DataError where no target is known, so that nobody scores misses only."""
        if not self.has_truth:
            raise DataError(
                f"{self.protocol.key}: the targets of this split are not published, or are not what counts; "
                "run predict and send its files to the benchmark's server, score a split with targets, or "
                "test with the module of the benchmark's own config"
            )

    @property
    def gallery_set(self) -> ImageSet:
        """What `gallery_image` are positions in."""
        return self.images if self.gallery_images is None else self.gallery_images

    @property
    def n_queries(self) -> int:
        """`Q`."""
        return len(self.query_ids)

    @property
    def n_gallery(self) -> int:
        """`N`."""
        return len(self.gallery_ids)

    def texts_of(self, index: Tensor) -> list[str] | None:
        """The texts of some queries, `(B,)` int64 query indices."""
        return None if self.query_text is None else [self.query_text[int(i)] for i in index]

    def select(self, rows: Tensor) -> RetrievalTask:
        """The task of some of its queries, `(B,)` int64, in the order given; the gallery stays."""
        return replace(
            self,
            query_ids=[self.query_ids[int(row)] for row in rows],
            qrels=self.qrels.select(rows),
            query_image=None if self.query_image is None else self.query_image[rows],
            query_text=self.texts_of(rows),
            query_group=None if self.query_group is None else self.query_group[rows],
        )

    def digest(self) -> str:
        """SHA-256 of all that can move a score: names, texts, images, truth and protocol."""
        out = hashlib.sha256(f"{self.protocol.key}/{self.split}".encode())
        sets = [self.images, *([] if self.gallery_images is None else [self.gallery_images])]
        digests = [[images.digest(position) for position in range(len(images))] for images in sets]
        for names in (self.query_ids, self.gallery_ids, self.query_text, self.gallery_text, *digests):
            out.update(json.dumps(None if names is None else list(names)).encode())
        rows = [self.qrels.relevant, self.qrels.excluded, self.qrels.subset]
        columns = [self.query_image, self.gallery_image, self.query_group, self.gallery_group]
        columns += [self.qrels.target, self.qrels.grades]
        columns += [part for row in rows if row is not None for part in (row.values, row.offsets)]
        for column in columns:
            out.update(b"none" if column is None else column.long().contiguous().numpy().tobytes())
        return out.hexdigest()

    def all_queries(self) -> Tensor:
        """`(Q,)` int64: every query index."""
        return torch.arange(self.n_queries)

"""Training-free baselines: CLIP's embeddings of the query's image, its text, or their normalised sum."""

from __future__ import annotations

from lightning_modules.retrieval import RetrievalModule


class FusionModule(RetrievalModule):
    """Test a CLIP as it is; `fusion` says what a query of image and text becomes."""

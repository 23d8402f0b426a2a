"""Losses on scores."""

from requery.losses.bradley_terry import bradley_terry
from requery.losses.info_nce import info_nce

__all__ = ["bradley_terry", "info_nce"]

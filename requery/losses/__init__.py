"""Losses on scores."""

from requery.losses.bradley_terry import bradley_terry
from requery.losses.info_nce import info_nce
from requery.losses.preference import dpo

__all__ = ["bradley_terry", "dpo", "info_nce"]

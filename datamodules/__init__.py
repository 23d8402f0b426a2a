"""One DataModule per benchmark."""

from datamodules.cirr import CIRRDataModule
from datamodules.karpathy import KarpathyDataModule
from datamodules.pairs import PairsDataModule
from datamodules.shapes import ShapesDataModule
from datamodules.shift import QueryShift
from datamodules.shifts import QueryShifts

__all__ = [
    "CIRRDataModule",
    "KarpathyDataModule",
    "PairsDataModule",
    "QueryShift",
    "QueryShifts",
    "ShapesDataModule",
]

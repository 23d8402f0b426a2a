"""One DataModule per benchmark."""

from datamodules.cirr import CIRRDataModule
from datamodules.karpathy import KarpathyDataModule
from datamodules.pairs import PairsDataModule
from datamodules.shapes import ShapesDataModule

__all__ = ["CIRRDataModule", "KarpathyDataModule", "PairsDataModule", "ShapesDataModule"]

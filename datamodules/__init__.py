"""One DataModule per benchmark."""

from datamodules.circo import CIRCODataModule
from datamodules.cirr import CIRRDataModule
from datamodules.fashion_gen import FashionGenDataModule
from datamodules.fashion_iq import FashionIQDataModule
from datamodules.hp_fashioniq import HPFashionIQDataModule
from datamodules.karpathy import KarpathyDataModule
from datamodules.knowledge_qa import KnowledgeQADataModule
from datamodules.nocaps import NocapsDataModule
from datamodules.okvqa import OkvqaDataModule
from datamodules.pairs import PairsDataModule
from datamodules.person_search import PersonSearchDataModule
from datamodules.shapes import ShapesDataModule
from datamodules.shift import QueryShift
from datamodules.shifts import QueryShifts
from datamodules.vggsound import VGGSoundDataModule

__all__ = [
    "CIRCODataModule",
    "CIRRDataModule",
    "FashionGenDataModule",
    "FashionIQDataModule",
    "HPFashionIQDataModule",
    "KarpathyDataModule",
    "KnowledgeQADataModule",
    "NocapsDataModule",
    "OkvqaDataModule",
    "PairsDataModule",
    "PersonSearchDataModule",
    "QueryShift",
    "QueryShifts",
    "ShapesDataModule",
    "VGGSoundDataModule",
]

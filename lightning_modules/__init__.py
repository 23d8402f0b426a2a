"""Thin shells around the methods."""

from lightning_modules.captioning import CaptionerPretraining
from lightning_modules.feedback import FeedbackModule
from lightning_modules.fusion import FusionModule
from lightning_modules.generator_shift import GeneratorShiftModule
from lightning_modules.mllama import MllamaPretraining
from lightning_modules.preference import PreferenceModule
from lightning_modules.pretraining import Blip2Pretraining, ClipPretraining
from lightning_modules.query_expansion import QueryExpansionModule
from lightning_modules.qure import QuReModule
from lightning_modules.rest import RESTModule
from lightning_modules.stored_heads import StoredHeads

__all__ = [
    "Blip2Pretraining",
    "CaptionerPretraining",
    "ClipPretraining",
    "FeedbackModule",
    "FusionModule",
    "GeneratorShiftModule",
    "MllamaPretraining",
    "PreferenceModule",
    "QuReModule",
    "QueryExpansionModule",
    "RESTModule",
    "StoredHeads",
]

from requery.adaptation.gallery import Gallery
from requery.adaptation.methods import (
    HATVTR,
    REST,
    SAR,
    TCR,
    UCA,
    NoAdaptation,
    Tent,
    TrainingFreeTCR,
)
from requery.adaptation.rules.base import Passes, Rule, Step
from requery.adaptation.rules.hat_vtr import HubAware
from requery.adaptation.rules.refined import Refined
from requery.adaptation.rules.rest import Decoupled
from requery.adaptation.rules.training_free import TrainingFree
from requery.adaptation.rules.uca import Confident
from requery.adaptation.rules.whole_gallery import SharpnessAware, WholeGallery
from requery.adaptation.settings import Method
from requery.errors import ConfigError

__all__ = ["Passes", "Rule", "Step", "rule_for"]


def rule_for(method: Method, gallery: Gallery) -> Rule:
    """Make the stateful rule of a method's settings.

    Raises:
        ConfigError: no rule belongs to settings of this type.
    """
    match method:
        case NoAdaptation():
            return Rule(gallery)
        case REST():
            return Decoupled(method, gallery)
        case UCA():
            return Confident(method, gallery)
        case HATVTR():
            return HubAware(method, gallery)
        case TCR():
            return Refined(method, gallery)
        case TrainingFreeTCR():
            return TrainingFree(method, gallery)
        case SAR():
            return SharpnessAware(method, gallery)
        case Tent():
            return WholeGallery(method, gallery)
    raise ConfigError(f"{method!r} is not the settings of a method")

"""Query shift: images, sounds and texts corrupted in named kinds and severities."""

from requery.corruptions.audio import AUDIO_KINDS, corrupt_audio
from requery.corruptions.image import IMAGE_KINDS, corrupt_image
from requery.corruptions.mixture import Mixture, max_severity
from requery.corruptions.shifting import shift_task
from requery.corruptions.text import EMBEDDED_TEXT_KINDS, TEXT_KINDS, TextTools, corrupt_text

__all__ = [
    "AUDIO_KINDS",
    "EMBEDDED_TEXT_KINDS",
    "IMAGE_KINDS",
    "TEXT_KINDS",
    "Mixture",
    "TextTools",
    "corrupt_audio",
    "corrupt_image",
    "corrupt_text",
    "max_severity",
    "shift_task",
]

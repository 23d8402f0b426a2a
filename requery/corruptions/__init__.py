"""Query shift: images and texts corrupted in named kinds and severities."""

from requery.corruptions.image import IMAGE_KINDS, corrupt_image
from requery.corruptions.mixture import Mixture, max_severity
from requery.corruptions.shifting import shift_task
from requery.corruptions.text import EMBEDDED_TEXT_KINDS, TEXT_KINDS, TextTools, corrupt_text

__all__ = [
    "EMBEDDED_TEXT_KINDS",
    "IMAGE_KINDS",
    "TEXT_KINDS",
    "Mixture",
    "TextTools",
    "corrupt_image",
    "corrupt_text",
    "max_severity",
    "shift_task",
]

"""Which item gets which kind of corruption, and how strong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from requery.corruptions.audio import AUDIO_KINDS, AUDIO_SEVERITIES
from requery.corruptions.image import IMAGE_KINDS, IMAGE_SEVERITIES
from requery.corruptions.setting import item_seed
from requery.corruptions.severity import require_kind
from requery.corruptions.text import TEXT_KINDS, text_severities
from requery.errors import ConfigError


def max_severity(kind: str) -> int:
    """The highest severity of a kind, which published tables report.

    Raises:
        ConfigError: there is no such kind.
    """
    require_kind(kind, (*IMAGE_KINDS, *AUDIO_KINDS, *TEXT_KINDS), "image, audio or text")
    if kind in AUDIO_KINDS:
        return AUDIO_SEVERITIES
    return IMAGE_SEVERITIES if kind in IMAGE_KINDS else text_severities(kind)


@dataclass(frozen=True)
class Mixture:
    """Kinds and severities, of which each item draws one.

    Args:
        kinds: at least one.
        severities: at least one, or None for each kind's highest.
        seed: seed of the draws.
        clean: share of the items that stay as they are; those of a smaller share are among those of a larger.
    """

    kinds: Sequence[str]
    severities: Sequence[int] | None
    seed: int
    clean: float = 0.0

    @classmethod
    def of(
        cls, kind: str | list[str], severity: int | list[int] | None, seed: int, clean: float = 0.0
    ) -> Mixture:
        """Check the settings.

        Raises:
            ConfigError: a kind or a severity does not exist, or the share is none.
        """
        if not 0 <= clean <= 1:
            raise ConfigError(f"data.clean is {clean}; a share of clean queries lies in [0, 1]")
        kinds = [kind] if isinstance(kind, str) else kind
        severities = [severity] if isinstance(severity, int) else severity
        if not kinds or severities == []:
            raise ConfigError("data.kind and data.severity need at least one value")
        for name in kinds:
            highest = max_severity(name)
            wrong = [level for level in severities or () if not 1 <= level <= highest]
            if wrong:
                raise ConfigError(f"severity of {name} is {wrong[0]}; it must be in 1…{highest}")
        return cls(kinds, severities, seed, clean)

    def draw(self, item: str) -> tuple[str, int] | None:
        """The kind and severity of an item; None where it stays clean."""
        if self.clean and item_seed(item, "clean", self.seed) < self.clean * 2**64:
            return None
        bits = item_seed(item, "mixture", self.seed)
        kind = self.kinds[bits % len(self.kinds)]
        if self.severities is None:
            return kind, max_severity(kind)
        return kind, self.severities[(bits >> 32) % len(self.severities)]

    @property
    def name(self) -> str:
        """Kinds and severities, such as `snow@5`, `snow@5, 25 % clean` or `mixture of 16 kinds@1|2|3|4|5`."""
        share = f", {100 * self.clean:g} % clean" if self.clean else ""
        kinds = "|".join(self.kinds) if len(self.kinds) <= 3 else f"mixture of {len(self.kinds)} kinds"
        if self.severities is not None:
            return f"{kinds}@{'|'.join(map(str, self.severities))}{share}"
        highest = {max_severity(kind) for kind in self.kinds}
        return f"{kinds}@{highest.pop() if len(highest) == 1 else 'max'}{share}"

"""One concern each."""

from callbacks.hard_negatives import HardNegativeRefresh

__all__ = ["HardNegativeRefresh"]

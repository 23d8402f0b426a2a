"""What a run costs: seconds and items of each stage, and the most memory held."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from requery.formats import read_mapping


@dataclass
class Stage:
    """Seconds spent in a stage, and the items (images, queries, training pairs) that went through it."""

    seconds: float = 0.0
    items: int = 0

    def as_dict(self) -> dict[str, float | int]:
        """As written to `cost.json`; the rate is 0 where no time was measured."""
        rate = self.items / self.seconds if self.seconds > 0 else 0.0
        return {"seconds": self.seconds, "items": self.items, "items_per_second": rate}


class CostMeter:
    """Add up the cost of named stages.

    A stage may be entered many times and stages may contain one another (`train` contains `definition`),
    so their seconds need not sum to the total, which is wall-clock time since the meter was made.

    Example:
        >>> cost = CostMeter()
        >>> with cost.stage("encode_gallery", items=1000):
        ...     pass
        >>> cost.stages["encode_gallery"].items
        1000
    """

    def __init__(self) -> None:
        self.stages: dict[str, Stage] = {}
        self.encode_block: int | None = None
        self._began = time.perf_counter()
        self._earlier_seconds = 0.0
        self._earlier_peak = 0
        self._resumed: set[Path] = set()

    @contextmanager
    def stage(self, name: str, items: int = 0) -> Iterator[Stage]:
        """Time a block and count its items; an interrupted block counts its seconds but no item.

        Yields:
            the stage, whose `items` may be raised where the number is only known inside the block.
        """
        stage = self.stages.setdefault(name, Stage())
        began = time.perf_counter()
        try:
            yield stage
            stage.items += items
        finally:
            stage.seconds += time.perf_counter() - began

    def add(self, name: str, seconds: float, items: int = 0) -> None:
        """Add time measured elsewhere to a stage."""
        stage = self.stages.setdefault(name, Stage())
        stage.seconds += seconds
        stage.items += items

    def halved(self, size: int) -> None:
        """Note that memory sufficed for blocks of no more than `size` items; the smallest is kept."""
        self.encode_block = min(size, self.encode_block or size)

    def resume(self, path: Path) -> None:
        """Continue the cost that an earlier process of the same run left in `path`, if any.

        Only a first call looks: what the file holds later is this meter's own.
        """
        if path in self._resumed:
            return
        self._resumed.add(path)
        if not path.exists():
            return
        earlier = read_mapping(path)
        self._earlier_seconds += earlier["total_seconds"]
        self._earlier_peak = max(self._earlier_peak, earlier["peak_memory_bytes"])
        if "encode_block" in earlier:
            self.halved(earlier["encode_block"])
        for name, row in earlier["stages"].items():
            self.add(name, row["seconds"], row["items"])

    def as_dict(self) -> dict[str, Any]:
        """As written to `cost.json`."""
        record: dict[str, Any] = {
            "total_seconds": self._earlier_seconds + time.perf_counter() - self._began,
            "peak_memory_bytes": max(self._earlier_peak, peak_memory_bytes()),
            "stages": {name: stage.as_dict() for name, stage in self.stages.items()},
        }
        if self.encode_block is not None:
            record["encode_block"] = self.encode_block
        if torch.cuda.is_available():
            record["peak_gpu_memory_bytes"] = peak_gpu_memory_bytes()
        return record


def peak_memory_bytes() -> int:
    """The most main memory this process has held."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux: `getrusage` would begin with what the process that started this one held
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts in bytes, others in KiB


def peak_gpu_memory_bytes() -> int:
    """The most memory PyTorch has held on any one GPU of this process."""
    return max(torch.cuda.max_memory_allocated(index) for index in range(torch.cuda.device_count()))

"""Every collective operation: what several processes share, and nothing else talks between them.

Work is cut into globally numbered parts that are never split (blocks of items, blocks of queries), each
process does a contiguous share of them, and `gather` puts the shares in order. So every process ends with the
same bits that one process alone would have. With one process everything here is the identity.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from requery import pulse
from requery.errors import RunError


class LostError(RunError):
    """Another process is missing."""


def world_size() -> int:
    """How many processes work together."""
    return dist.get_world_size() if _active() else 1


def rank() -> int:
    """This process's number, from 0."""
    return dist.get_rank() if _active() else 0


def share(n: int) -> range:
    """This process's part of `n` things in order; the parts differ by at most one and may be empty."""
    here, processes = rank(), world_size()
    return range(n * here // processes, n * (here + 1) // processes)


def gather(rows: Tensor) -> Tensor:
    """Concatenate the rows of all processes, in the order of their ranks; gradients flow back.

    What is computed from the result is the same on every process, so a loss of it is the global batch's, and
    the mean over processes that DDP takes of the gradients is that loss's gradient.

    Args:
        rows: `(n, …)`, any n, 0 included; the other sizes and the dtype are the same everywhere.

    Returns:
        `(sum of n, …)` on the device of `rows`.

    Raises:
        LostError: a process is missing; names it.
    """
    if world_size() == 1:
        return rows
    gathered: Tensor = _Gather.apply(rows) if rows.requires_grad else _all_rows(rows)  # type: ignore[no-untyped-call]
    return gathered


def total(count: int) -> int:
    """The sum of a number over all processes."""
    return count if world_size() == 1 else int(gather(torch.tensor([count])).sum())


def any_of(flag: bool) -> bool:
    """Whether the flag is set on any process."""
    return flag if world_size() == 1 else bool(gather(torch.tensor([flag])).any())


def beat() -> None:
    """Count a collective that is not of this file, such as DDP's of the gradients."""
    if world_size() > 1:
        pulse.beat()


def barrier(what: str) -> None:
    """Wait until every process is here.

    Args:
        what: what is waited for, for the error message.

    Raises:
        LostError: a process is missing; names it.
    """
    if world_size() > 1:
        with _named(what):
            dist.barrier()


class _Gather(torch.autograd.Function):
    """`_all_rows`, whose gradient is the sum of what all processes ask of this one's rows."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        ctx.n = rows.shape[0]
        return _all_rows(rows)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        total = grads[0].contiguous().clone()
        with _named("the gradients of gathered rows"):
            dist.all_reduce(total)
        counts = _counts(ctx.n, total.device)
        start = sum(counts[: rank()])
        return total[start : start + ctx.n]


def _all_rows(rows: Tensor) -> Tensor:
    device = _carrier(rows)
    own = rows.detach().to(device).contiguous()
    counts = _counts(own.shape[0], device)
    # Bytes travel: no backend rounds them, and every dtype can.
    width = own.new_empty(1, *own.shape[1:]).numel() * own.element_size()
    padded = torch.zeros(max(counts) * width, dtype=torch.uint8, device=device)
    padded[: own.shape[0] * width] = own.reshape(-1).view(torch.uint8)
    parts = [torch.empty_like(padded) for _ in counts]
    with _named("a gathering of rows"):
        dist.all_gather(parts, padded)
    joined = torch.cat([part[: count * width] for part, count in zip(parts, counts, strict=True)])
    return joined.view(own.dtype).view(sum(counts), *own.shape[1:]).to(rows.device)


def _counts(n: int, device: torch.device) -> list[int]:
    """How many rows each process has."""
    counts = [torch.zeros(1, dtype=torch.int64, device=device) for _ in range(world_size())]
    with _named("the number of rows"):
        dist.all_gather(counts, torch.tensor([n], device=device))
    return [int(count) for count in counts]


def _active() -> bool:
    return dist.is_available() and dist.is_initialized()


def _carrier(rows: Tensor) -> torch.device:
    """The device a tensor travels on: its own where the backend can, else this process's GPU."""
    on_cpu_only = rows.device.type == "cpu" and "gloo" not in str(dist.get_backend_config())
    return torch.device("cuda", torch.cuda.current_device()) if on_cpu_only else rows.device


@contextmanager
def _named(what: str) -> Iterator[None]:
    """Count a collective as reached; where it fails, say which process is missing."""
    pulse.beat()
    try:
        yield
    except RuntimeError as error:
        raise _lost(what, error) from error


@cache  # whoever asks again gets the same answer, without the seconds it takes to find it
def explain(error: BaseException) -> BaseException:
    """Turn the error of a collective, DDP's own included, into one that names the processes missing."""
    if isinstance(error, RunError) or not is_collective(error):
        return error
    if not _active():
        remedy = "check that all were started, or raise --patience"
        return RunError(f"the processes did not come together ({_why(error)}); {remedy}")
    return _lost("the others", error)


def is_collective(error: BaseException) -> bool:
    """Whether an error comes from processes that talk to one another."""
    said = str(error).lower()
    return isinstance(error, (dist.DistError, LostError)) or "gloo" in said or "nccl" in said


def _lost(what: str, error: BaseException) -> LostError:
    missing = pulse.missing(rank(), world_size())
    return LostError(
        f"process {rank()} of {world_size()} waited for {what}: {missing} ({_why(error)}). "
        "Nothing half-done is kept: give the same command again with --resume"
    )


def _why(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]

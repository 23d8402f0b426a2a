"""Ways to stop a command at an exact point of its work; used by `tests.processes.command`."""

import os
import signal
import sys
from functools import wraps
from pathlib import Path

COUNT, KILL = "TEST_COUNT_EVENTS", "TEST_KILL_AT"
TERM = "TEST_TERM_AT"


def count_or_kill():
    """Number the steps of the work: files opened, flushed, renamed; blocks encoded, steps taken, scores made.

    With `TEST_COUNT_EVENTS` set, a byte is added to that file per event; with `TEST_KILL_AT` n, SIGKILL
    comes before event n.
    """
    folder = os.getcwd()
    counted = os.open(os.environ[COUNT], os.O_WRONLY | os.O_CREAT) if COUNT in os.environ else None
    fatal, seen = int(os.environ.get(KILL, "0")), 0

    def event():
        nonlocal seen
        seen += 1
        if counted is not None:
            os.write(counted, b".")
        if seen == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    def audit(name, arguments):
        if name in ("open", "os.rename", "os.mkdir", "os.remove") and isinstance(arguments[0], (str, bytes)):
            if os.path.abspath(os.fsdecode(arguments[0])).startswith(folder):
                event()

    sys.addaudithook(audit)
    _everywhere(event)


def _everywhere(event):
    import torch

    from requery.backbones.blip2 import Blip2
    from requery.ranking.tiles import Tiles

    for owner, name in [
        (os, "fsync"),
        (Blip2, "image_features"),
        (Blip2, "encode_query"),
        (Blip2, "encode_gallery"),
        (Tiles, "score"),
        (torch.optim.AdamW, "step"),
    ]:
        setattr(owner, name, _before(getattr(owner, name), event))


def _before(function, event):
    @wraps(function)
    def call(*args, **options):
        event()
        return function(*args, **options)

    return call


def term():
    """Send SIGTERM to this process at a hook's n-th call; `TEST_TERM_AT` is such as `training_step:5`."""
    from lightning_modules import QuReModule

    hook, number = os.environ[TERM].split(":")
    left = int(number)

    def event():
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGTERM)

    setattr(QuReModule, hook, _before(getattr(QuReModule, hook), event))


def events(path: Path) -> int:
    """How many events a counted command had."""
    return path.stat().st_size

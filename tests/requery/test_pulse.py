"""The process that is missing is named: it is silent, or it is behind."""

import os
import signal
import time

import torch.distributed as dist

from requery import distributed, pulse
from tests.processes import together


def stopped_and_behind():
    """Of three processes the last is stopped; the second lives and comes to one collective less."""
    distributed.gather(_row())
    here = distributed.rank()
    if here == 2:
        os.kill(os.getpid(), signal.SIGSTOP)
        return None
    if here == 0:
        distributed.beat()
        time.sleep(3 * pulse.PERIOD)  # the signs of the first collective are out by now
        silent = pulse.missing(0, 3)
        os.kill(int(_pid_of(2)), signal.SIGCONT)
        time.sleep(3 * pulse.PERIOD)
        return silent, pulse.missing(0, 2)
    time.sleep(pulse.PERIOD * pulse.PATIENCE * 2 + 5)
    return None


def _row():
    import torch

    return torch.ones(1)


def _pid_of(rank):
    return dist.distributed_c10d._get_default_store().get(f"requery/pulse/{rank}").decode().split()[2]


def test_a_stopped_process_is_silent_and_a_late_one_lives():
    (silent, late), *_ = together(stopped_and_behind, 3)
    assert silent.startswith("no sign of life from process 2 (pid ")
    assert late.startswith("process 1 (pid ") and late.endswith("lives but did not come")

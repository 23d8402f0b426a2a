"""Processes for tests: forked from a server that has imported everything, so that one starts in no time."""

import json
import os
import pickle
import socket
import sys
import time
from multiprocessing import get_context
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 120
"""Seconds after which processes that should have ended are killed."""

PRELOAD = [
    "experiments.cli",
    "lightning_modules",
    "datamodules",
    "callbacks",
    "pyarrow.parquet",
    "rich.progress",
    "transformers.models.blip_2.modeling_blip_2",
    "transformers.models.clip.modeling_clip",
    "wandb",
]


def server():
    """A multiprocessing context whose processes begin with everything imported."""
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    context = get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    return context


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def together(target, n, *args):
    """Run `target(*args)` in n processes that form a gloo group, and return what each returned."""
    context, port = server(), free_port()
    queue = context.SimpleQueue()
    members = [
        context.Process(target=_member, args=(queue, target, rank, n, port, args)) for rank in range(n)
    ]
    for member in members:
        member.start()
    answers = {rank: pickle.loads(answer) for rank, answer in (queue.get() for _ in members)}
    for member in members:
        member.join()
    for answer in answers.values():
        if isinstance(answer, BaseException):
            raise answer
    return [answers[rank] for rank in range(n)]


def _member(queue, target, rank, n, port, args):
    import torch
    import torch.distributed as dist

    torch.set_num_threads(1)
    address = f"tcp://127.0.0.1:{port}"
    try:
        if n > 1:
            dist.init_process_group("gloo", init_method=address, rank=rank, world_size=n)
        queue.put((rank, pickle.dumps(target(*args))))  # by value: tensors would be shared memory
    except Exception as error:
        queue.put((rank, pickle.dumps(error)))
    if n > 1:
        dist.destroy_process_group()


def command(args, cwd, log, env=None, prepare=None):
    """Start `python -m experiments *args` in `cwd`, its output in the file `log`.

    Args:
        prepare: an importable function called in the new process first.
    """
    process = server().Process(
        target=_command, args=(list(map(str, args)), str(cwd), str(log), env or {}, prepare)
    )
    process.start()
    return process


def _command(args, cwd, log, env, prepare):
    import torch

    torch.set_num_threads(1)
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.chdir(cwd)
    os.environ.update({"WANDB_MODE": "disabled", "REQUERY_DEBUG": "", **env})
    sys.argv = ["experiments", *args]
    if prepare is not None:
        prepare()
    from experiments.__main__ import main

    code = main(args)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def group(args, n, cwd, log, run=None, job=None, prepare=None):
    """Run a command as n processes that work together.

    Args:
        run: the run's folder: the processes are as Lightning starts them.
        job: a name: the processes are as torchrun starts them.
        prepare: an importable function called in each process first.

    Returns:
        The exit statuses; that of a process that was killed because it did not end is negative.
    """
    port = str(free_port())
    cpu = ["--trainer.accelerator=cpu", "--trainer.strategy=ddp", f"--trainer.devices={n}"]
    members = []
    for rank in range(n):
        env = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "NODE_RANK": "0", "LOCAL_RANK": str(rank)}
        env |= {"WORLD_SIZE": str(n)} | ({"REQUERY_RUN_FOLDER": str(run)} if rank and run else {})
        if job is not None:
            local = {"LOCAL_WORLD_SIZE": str(n), "GROUP_RANK": "0", "TORCHELASTIC_RUN_ID": job}
            env |= {"RANK": str(rank), **local}
        members.append(command([*args, *cpu], cwd, f"{log}.{rank}", env, prepare))
    end = time.monotonic() + PATIENCE
    for member in members:
        member.join(max(0.0, end - time.monotonic()))
        member.kill()
        member.join()
    return [member.exitcode for member in members]


def history(folder):
    """The rows of a run's history without what time takes."""
    rows = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if not key.endswith("seconds")} for row in rows]

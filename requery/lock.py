"""Locks on folders that only one process may work in; the kernel frees them however that process ends.

A lock is an advisory `flock` on a file; the file alone, without a live process that has it locked, means
nothing. It belongs to the one process that took it, which may take it again at any time. Programs which that
process starts do not get it (descriptors are closed on exec), and copies of it made by `fork`, which would
share the lock and keep it beyond their parent's death, give up their share at once.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from requery.errors import RunError

LOCK = ".lock"
"""Name of the lock file in a folder; it says in JSON who locked it last."""

UNSUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
ATTEMPTS, PAUSE = 5, 0.02
"""Tries, and seconds between them: who only looks whether a folder is free has its lock for an instant."""

_held: dict[tuple[int, int], int] = {}  # (device, inode) of a lock file -> our descriptor of it


class InUse(RunError):
    """Another process works in the folder."""


def acquire(folder: Path, file: Path | None = None) -> None:
    """Lock a folder for this process until it ends or calls `release`; a second time changes nothing.

    The lock follows the folder when it is renamed, and ends when the folder is removed. Where the file system
    knows no locks there is a warning and no protection.

    Args:
        folder: what nobody else may work in.
        file: the file to lock; default `<folder>/.lock`.

    Raises:
        InUse: another process has the lock; names it.
        RunError: the lock file cannot be written.
    """
    path = folder / LOCK if file is None else file
    _forget_removed()
    for attempt in range(ATTEMPTS):
        if held(path):
            return
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise RunError(
                f"{path}: cannot be opened ({error.strerror}); check the folder's permissions"
            ) from error
        mine = try_lock(handle)
        if mine is None:
            warnings.warn(f"{path}: no locks here; two processes in one folder go unnoticed", stacklevel=2)
        if mine is not False and _is(path, handle):
            _held[_key(os.fstat(handle))] = handle
            _sign(path, handle)
            return
        holder = _holder(handle)
        os.close(handle)
        if attempt + 1 < ATTEMPTS:
            time.sleep(PAUSE)
    raise InUse(f"{folder} is in use by {holder}; wait until it ends or stop it, or work in another folder")


def release(folder: Path, file: Path | None = None) -> None:
    """Give a folder's lock back; nothing happens where this process does not have it."""
    path = folder / LOCK if file is None else file
    if held(path):
        os.close(_held.pop(_key(os.stat(path))))


@contextmanager
def locked(folder: Path, file: Path | None = None) -> Iterator[None]:
    """Lock a folder for the length of a block, or longer where this process has the lock already.

    Raises:
        InUse: another process has the lock.
        RunError: the lock file cannot be written.
    """
    before = held(folder / LOCK if file is None else file)
    acquire(folder, file)
    try:
        yield
    finally:
        if not before:
            release(folder, file)


@contextmanager
def reserved(folder: Path) -> Iterator[None]:
    """Keep a folder, which need not exist yet, to this process by locking a file beside it.

    Raises:
        InUse: another process has reserved it.
        RunError: the place cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{folder}: cannot be made ({error.strerror}); choose another folder") from error
    with locked(folder, folder.with_name(f".{folder.name}{LOCK}")):
        yield


def held(path: Path) -> bool:
    """Whether this process has a lock file's lock."""
    try:
        return _key(os.stat(path)) in _held
    except OSError:  # there is no such file
        return False


def try_lock(handle: int) -> bool | None:
    """Lock an open file without waiting.

    Returns:
        True: locked; False: another has it; None: the file system knows no locks.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in UNSUPPORTED:
            return None
        raise
    return True


def _key(stat: os.stat_result) -> tuple[int, int]:
    return stat.st_dev, stat.st_ino


def _is(path: Path, handle: int) -> bool:
    """Whether an open file is still the one at `path`: it may have been removed before it was locked."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(handle))
    except OSError:
        return False


def _sign(path: Path, handle: int) -> None:
    """Say in the lock file who has it, for the message others get."""
    content = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "started": time.strftime("%Y-%m-%d %H:%M:%S"),
    }
    try:
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(content).encode(), 0)
    except OSError as error:
        os.close(_held.pop(_key(os.fstat(handle))))
        raise RunError(f"{path}: cannot be written ({error.strerror}); make room on the disk") from error


def _holder(handle: int) -> str:
    try:
        content = json.loads(os.pread(handle, 4096, 0))
        return f"process {content['pid']} on {content['host']} (since {content['started']})"
    except (ValueError, KeyError, TypeError):  # it has not signed yet
        return "another process"


def _forget_removed() -> None:
    """Close locks whose file is gone with its folder."""
    for key, handle in list(_held.items()):
        if os.fstat(handle).st_nlink == 0:
            os.close(_held.pop(key))


def _forget_all() -> None:
    for handle in _held.values():
        os.close(handle)
    _held.clear()


os.register_at_fork(after_in_child=_forget_all)

"""Files that are whole or absent: written beside their place, flushed to disk, then renamed into it."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Literal, overload

from requery.errors import RunError

FULL = (errno.ENOSPC, errno.EDQUOT)


@overload
def atomic_write(
    path: Path | str, mode: Literal["w"] = "w", *, size: int | None = None
) -> AbstractContextManager[IO[str]]: ...
@overload
def atomic_write(
    path: Path | str, mode: Literal["wb"], *, size: int | None = None
) -> AbstractContextManager[IO[bytes]]: ...
def atomic_write(
    path: Path | str, mode: Literal["w", "wb"] = "w", *, size: int | None = None
) -> AbstractContextManager[IO[Any]]:
    """Open a file for writing that appears under its name only once it is complete and on disk.

    Missing folders are made. Whatever goes wrong (a kill included) the old file, if any, stays as it was.

    Args:
        path: where the file goes.
        mode: `w` (UTF-8, no newline translation) or `wb`.
        size: bytes about to be written, where known, for the message of a full disk.

    Raises:
        RunError: the disk is full or the place cannot be written.
    """
    return _atomic_write(Path(path), mode, size)


@contextmanager
def _atomic_write(path: Path, mode: Literal["w", "wb"], size: int | None) -> Iterator[IO[Any]]:
    temp = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    text = {"encoding": "utf-8", "newline": ""} if mode == "w" else {}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temp, mode, **text) as file:  # type: ignore[call-overload]
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temp, path)
        _sync_folder(path.parent)
    except OSError as error:
        raise _explain(error, path, temp, size) from error
    finally:
        with suppress(OSError):
            temp.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut: the folder's entry is flushed too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _explain(error: OSError, path: Path, temp: Path, size: int | None) -> Exception:
    if error.errno in FULL:
        written = temp.stat().st_size if temp.exists() else 0
        needed = f"{size} bytes" if size is not None else f"more than {written} bytes"
        free = shutil.disk_usage(path.parent).free
        return RunError(
            f"{path}: the disk is full; {needed} needed, {free} free; make room or choose another folder"
        )
    if error.filename is not None and Path(error.filename) not in (temp, path, *path.parents):
        return error  # the caller's own trouble with some other file
    return RunError(
        f"{path}: cannot be written ({error.strerror}); choose another folder or fix its permissions"
    )


def atomic_bytes(path: Path | str, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all.

    Raises:
        RunError: the disk is full (names the bytes needed) or the place cannot be written.
    """
    with atomic_write(path, "wb", size=len(data)) as file:
        file.write(data)


def ensure_writable(folder: Path | str) -> None:
    """Make a folder and check that files can be made in it, before any work is spent.

    Raises:
        RunError: they cannot.
    """
    probe = Path(folder) / f".probe-{secrets.token_hex(4)}"
    atomic_bytes(probe, b"")
    probe.unlink(missing_ok=True)


def sha256_bytes(data: bytes | memoryview) -> str:
    """Hexadecimal SHA-256 of some bytes."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path | str) -> str:
    """Hexadecimal SHA-256 of a file's content, read in pieces.

    Raises:
        RunError: the file cannot be read.
    """
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror}); check that it exists") from error

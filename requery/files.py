"""Files and folders that are whole or absent: made beside their place, flushed to disk, renamed into it.

What a killed process leaves is hidden (`.NAME.PID-XXXXXXXX.tmp`), and `sweep` removes it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Literal, overload

from requery.errors import RunError
from requery.lock import LOCK, try_lock

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)
TEMPORARY = re.compile(r"\..+\.\d+-[0-9a-f]{8}\.tmp")
GRACE = 60.0
"""Seconds that something new is left alone where others work too: it is locked an instant later."""


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
    temp = _temporary(path)
    text = {"encoding": "utf-8", "newline": ""} if mode == "w" else {}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temp, mode, **text) as file:  # type: ignore[call-overload]
            try_lock(file.fileno())  # tells `sweep` that its writer lives
            yield file
            file.flush()
            os.fsync(file.fileno())
            os.replace(temp, path)
        _sync_folder(path.parent)
    except Exception as error:
        explained = _explain(error, path, temp, size)
        if explained is None:
            raise
        raise explained from error
    finally:
        with suppress(OSError):
            temp.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Fill a folder that appears under its name only once it is complete; an empty one is replaced.

    Yields:
        The folder to fill; lock it if it may take long.

    Raises:
        FileExistsError: `path` is a file or a folder that holds something.
        RunError: the disk is full or the place cannot be written.
    """
    temp = _temporary(path)
    try:
        temp.mkdir(parents=True)
        yield temp
        os.rename(temp, path)
        _sync_folder(path.parent)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in TAKEN and os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, "it exists", str(path)) from error
        explained = _explain(error, path, temp, None)
        if explained is None:
            raise
        raise explained from error
    finally:
        shutil.rmtree(temp, ignore_errors=True)


def remove_folder(path: Path) -> None:
    """Remove a folder with all it holds: gone at once for others, and a kill leaves no half of it."""
    temp = _temporary(path)
    os.rename(path, temp)
    shutil.rmtree(temp)


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")


def sweep(folder: Path, grace: float = GRACE) -> None:
    """Remove what killed processes left at any depth of a folder, nothing that a live one works on.

    Makers lock their temporary files and folders: what is not new and can be locked is dead, whichever
    machine it was made on. Where the file system knows no locks nothing is removed.

    Args:
        folder: where to look; it may be absent.
        grace: seconds since the last change within which nothing is removed; 0 in a folder locked for this
            process alone.
    """
    for place, folders, files in os.walk(folder):
        for path in (Path(place, name) for name in (*folders, *files) if TEMPORARY.fullmatch(name)):
            with suppress(OSError):  # gone, for others sweep too; or another user's, and then left to them
                if time.time() - path.stat().st_mtime >= grace and _dead(path):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()


def _dead(path: Path) -> bool:
    try:
        handle = os.open(path / LOCK if path.is_dir() else path, os.O_RDWR)
    except FileNotFoundError:  # a folder whose maker died before locking it
        return True
    try:
        return try_lock(handle) is True
    finally:
        os.close(handle)


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut: the folder's entry is flushed too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _explain(error: Exception, path: Path, temp: Path, size: int | None) -> RunError | None:
    """What to say of an error met while writing `path` by way of `temp`; None where it says enough itself."""
    cause = error if isinstance(error, OSError) else error.__context__  # torch.save hides a full disk
    if isinstance(error, RunError) or not isinstance(cause, OSError):
        return None
    if cause.errno in FULL:
        written = temp.stat().st_size if temp.exists() else 0
        needed = f"{size} bytes" if size is not None else f"more than {written} bytes"
        if cause.errno == errno.EFBIG:
            return RunError(f"{path}: {needed} needed, more than a file may have here (see ulimit -f)")
        free = shutil.disk_usage(_nearest(path.parent)).free
        return RunError(
            f"{path}: the disk is full; {needed} needed, {free} free; make room or choose another folder"
        )
    places = (None, temp, path, *path.parents)  # else it is the caller's own trouble with some other file
    if cause is error and (cause.filename and Path(cause.filename)) in places:
        return _unwritable(path, cause)
    return None


def _unwritable(path: Path, error: OSError) -> RunError:
    return RunError(
        f"{path}: cannot be written ({error.strerror}); choose another folder or fix its permissions"
    )


def _nearest(path: Path) -> Path:
    """The path itself or the first one above it that exists."""
    return next(place for place in (path, *path.absolute().parents) if os.path.lexists(place))


def atomic_bytes(path: Path | str, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all.

    Raises:
        RunError: the disk is full (names the bytes needed) or the place cannot be written.
    """
    with atomic_write(path, "wb", size=len(data)) as file:
        file.write(data)


def ensure_writable(folder: Path | str) -> None:
    """Check that files can be made in a folder (where there is none yet, above it), before work is spent.

    Nothing is left, not even by a kill.

    Raises:
        RunError: they cannot.
    """
    path = Path(folder)
    try:
        with tempfile.TemporaryFile(dir=_nearest(path)):
            return
    except OSError as error:
        raise _unwritable(path, error) from error


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

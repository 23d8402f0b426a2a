import errno
import hashlib
import os
import resource
import time

import pytest

from requery.errors import RunError
from requery.files import (
    GRACE,
    atomic_bytes,
    atomic_folder,
    atomic_write,
    ensure_writable,
    remove_folder,
    sha256_bytes,
    sha256_file,
    sweep,
)
from requery.lock import LOCK, acquire
from tests.another import another


def full_disk(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_writes_text_and_bytes_and_makes_folders(tmp_path):
    with atomic_write(tmp_path / "a" / "b.txt") as file:
        file.write("grün\r\n")
    atomic_bytes(tmp_path / "c.bin", b"\x00\x01")
    assert (tmp_path / "a" / "b.txt").read_bytes() == "grün\r\n".encode()
    assert (tmp_path / "c.bin").read_bytes() == b"\x00\x01"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "c.bin"]


def test_nothing_appears_before_the_end(tmp_path):
    with atomic_write(tmp_path / "x", "wb") as file:
        file.write(b"half")
        assert not (tmp_path / "x").exists()
        assert len(list(tmp_path.iterdir())) == 1, (
            "the temporary file is beside its place, so a rename is enough"
        )
    assert (tmp_path / "x").read_bytes() == b"half"


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_a_failing_body_keeps_the_old_file_and_leaves_nothing(tmp_path, error):
    atomic_bytes(tmp_path / "x", b"old")
    with pytest.raises(type(error)), atomic_write(tmp_path / "x", "wb") as file:
        file.write(b"new")
        raise error
    assert (tmp_path / "x").read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_the_content_is_synced_before_the_rename_and_the_folder_after(tmp_path, monkeypatch):
    calls = []
    sync, replace = os.fsync, os.replace

    def noted_sync(handle):
        calls.append("folder" if os.path.isdir(f"/proc/self/fd/{handle}") else "file")
        sync(handle)

    def noted_replace(*args):
        calls.append("rename")
        replace(*args)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(os, "replace", noted_replace)
    atomic_bytes(tmp_path / "x", b"1")
    assert calls == ["file", "rename", "folder"]


def test_a_full_disk_names_the_bytes_needed_and_leaves_nothing(tmp_path, monkeypatch):
    atomic_bytes(tmp_path / "x", b"old")
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(RunError, match=r"x: the disk is full; 12345 bytes needed, \d+ free"):
        atomic_bytes(tmp_path / "x", b"0" * 12345)
    with (
        pytest.raises(RunError, match="more than 700 bytes needed"),
        atomic_write(tmp_path / "x", "wb") as file,
    ):
        file.write(b"0" * 700)
    assert (tmp_path / "x").read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_disk_that_fills_during_the_write_is_explained(tmp_path, monkeypatch):
    real_open = open
    monkeypatch.setattr(
        "builtins.open",
        lambda path, *a, **k: real_open("/dev/full" if str(path).endswith(".tmp") else path, *a, **k),
    )
    with pytest.raises(RunError, match="disk is full; 100000 bytes"):
        atomic_bytes(tmp_path / "x", b"0" * 100_000)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named_with_a_remedy(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    for write in (lambda p: atomic_bytes(p, b""), lambda p: ensure_writable(p.parent)):
        with pytest.raises(RunError, match=r"cannot be written .*choose another folder"):
            write(tmp_path / "file" / "sub" / "x")


def test_an_error_of_another_file_passes_unchanged(tmp_path):
    with pytest.raises(FileNotFoundError, match="elsewhere"), atomic_write(tmp_path / "x"):
        open(tmp_path / "elsewhere")
    assert list(tmp_path.iterdir()) == []


def test_ensure_writable_leaves_nothing(tmp_path, monkeypatch):
    ensure_writable(tmp_path / "new" / "one")
    monkeypatch.chdir(tmp_path)
    ensure_writable("new/one")
    assert list(tmp_path.iterdir()) == []


def test_a_really_full_disk_names_the_bytes_needed_and_leaves_nothing(small_disk):
    atomic_bytes(small_disk / "x", b"old")
    with pytest.raises(RunError, match=r"x: the disk is full; 100000 bytes needed, \d+ free"):
        atomic_bytes(small_disk / "x", b"0" * 100_000)
    with pytest.raises(RunError, match=r"config: the disk is full; 100000 bytes"):
        with atomic_folder(small_disk / "run") as place:
            atomic_bytes(place / "config", b"0" * 100_000)
    assert (small_disk / "x").read_bytes() == b"old" and [p.name for p in small_disk.iterdir()] == ["x"]


def test_a_checkpoint_on_a_full_disk_is_explained(small_disk):
    import torch

    with pytest.raises(RunError, match=r"last\.ckpt: the disk is full; 400000 bytes needed"):
        with atomic_write(small_disk / "last.ckpt", "wb", size=400_000) as file:
            torch.save({"weights": torch.zeros(100_000)}, file)  # its own error is a RuntimeError
    assert list(small_disk.iterdir()) == []


def test_a_limit_on_the_size_of_files_is_explained(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
        with pytest.raises(RunError, match=r"x: 20000 bytes needed, more than a file may have here"):
            atomic_bytes(tmp_path / "x", b"0" * 20_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    with atomic_folder(tmp_path / "a" / "run") as place:
        (place / "config").write_text("1")
        assert not (tmp_path / "a" / "run").exists()
    with pytest.raises(ValueError), atomic_folder(tmp_path / "a" / "other"):
        raise ValueError
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["run"]
    assert (tmp_path / "a" / "run" / "config").read_text() == "1"


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_folder_is_not_put_over_another(tmp_path, kind):
    if kind == "file":
        (tmp_path / "run").write_text("mine")
    else:
        atomic_bytes(tmp_path / "run" / "x", b"mine")
    with pytest.raises(FileExistsError), atomic_folder(tmp_path / "run") as place:
        (place / "x").write_text("other")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert (tmp_path / "run" if kind == "file" else tmp_path / "run" / "x").read_text() == "mine"


def test_an_empty_folder_is_replaced(tmp_path):
    (tmp_path / "run").mkdir()
    with atomic_folder(tmp_path / "run") as place:
        (place / "x").touch()
    assert (tmp_path / "run" / "x").exists()


def test_a_folder_where_none_can_be_is_explained(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"cannot be written"), atomic_folder(tmp_path / "file" / "run"):
        pass


def test_removing_a_folder_leaves_nothing(tmp_path):
    atomic_bytes(tmp_path / "run" / "a" / "b", b"")
    remove_folder(tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def age(path):
    then = time.time() - 2 * GRACE
    os.utime(path, (then, then))
    return path


def test_what_killed_processes_left_is_swept(tmp_path):
    code = (
        "import sys; from pathlib import Path\n"
        "from requery.files import atomic_folder, atomic_write; from requery.lock import acquire\n"
        "root = Path(sys.argv[1])\n"
        "with atomic_write(root / 'sub' / 'x') as f, atomic_folder(root / 'run') as place:\n"
        "    f.write('half'); f.flush(); acquire(place); print('ready', flush=True); sys.stdin.read()"
    )
    with another(code, tmp_path) as process:
        left = [*map(age, (tmp_path / "sub").iterdir()), *map(age, tmp_path.glob(".run.*.tmp"))]
        assert len(left) == 2
        sweep(tmp_path)
        assert all(path.exists() for path in left), "their process lives"
        process.kill()
        process.wait()
        for path in left:
            age(path)
        sweep(tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == ["sub"]


def test_only_what_is_old_temporary_and_unlocked_is_swept(tmp_path):
    kept = [".x.12-0123abcd.tmp", ".other.tmp", "x.12-0123abcd.tmp"]  # new, not ours, not hidden
    for name in kept:
        (tmp_path / name).touch()
    for name in kept[1:]:
        age(tmp_path / name)
    dead = tmp_path / ".run.12-0123abcd.tmp"
    mine = tmp_path / ".run.13-0123abcd.tmp"
    for folder in (dead, mine):
        folder.mkdir()
    acquire(mine)
    age(dead), age(mine)
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*kept, mine.name])
    assert (mine / LOCK).exists()


def test_nothing_is_swept_where_there_are_no_locks(tmp_path, monkeypatch):
    left = tmp_path / ".x.12-0123abcd.tmp"
    left.touch()
    age(left)
    monkeypatch.setattr("requery.files.try_lock", lambda handle: None)
    sweep(tmp_path)
    assert left.exists()


def test_a_folder_that_is_absent_is_swept_in_silence(tmp_path):
    sweep(tmp_path / "absent")
    assert list(tmp_path.iterdir()) == []


def test_digests(tmp_path):
    data = os.urandom(3_000_000)
    (tmp_path / "x").write_bytes(data)
    assert sha256_file(tmp_path / "x") == sha256_bytes(data) == hashlib.sha256(data).hexdigest()
    with pytest.raises(RunError, match="absent: cannot be read"):
        sha256_file(tmp_path / "absent")

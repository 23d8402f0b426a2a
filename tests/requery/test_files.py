import errno
import hashlib
import os

import pytest

from requery.errors import RunError
from requery.files import atomic_bytes, atomic_write, ensure_writable, sha256_bytes, sha256_file


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


def test_ensure_writable_leaves_an_empty_folder(tmp_path):
    ensure_writable(tmp_path / "new" / "one")
    assert list((tmp_path / "new" / "one").iterdir()) == []


def test_digests(tmp_path):
    data = os.urandom(3_000_000)
    (tmp_path / "x").write_bytes(data)
    assert sha256_file(tmp_path / "x") == sha256_bytes(data) == hashlib.sha256(data).hexdigest()
    with pytest.raises(RunError, match="absent: cannot be read"):
        sha256_file(tmp_path / "absent")

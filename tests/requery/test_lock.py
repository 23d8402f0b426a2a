import errno
import fcntl
import json
import os
import signal
import socket

import pytest

from requery import lock
from requery.errors import RunError
from requery.lock import LOCK, InUse, acquire, held, locked, release, reserved
from tests.another import another, holding


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "one"
    folder.mkdir()
    yield folder
    release(folder)


def test_the_file_says_who_has_it(folder):
    acquire(folder)
    content = json.loads((folder / LOCK).read_text())
    assert (content["pid"], content["host"]) == (os.getpid(), socket.gethostname())
    assert content["started"][:2] == "20"


def test_the_process_may_take_it_again(folder):
    for _ in range(3):
        acquire(folder)
    with locked(folder):
        pass
    assert held(folder / LOCK), "a block gives back only what it took"
    release(folder)
    release(folder)
    assert not held(folder / LOCK)


def test_another_process_is_refused_and_told_who_has_it(folder):
    with holding(folder) as process:
        with pytest.raises(
            InUse, match=rf"one is in use by process {process.pid} on {socket.gethostname()} .*stop it"
        ):
            acquire(folder)
        assert not held(folder / LOCK)


def test_a_kill_frees_it(folder):
    with holding(folder) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        acquire(folder)
    assert json.loads((folder / LOCK).read_text())["pid"] == os.getpid()


@pytest.mark.parametrize("start", ["subprocess.Popen(['sleep', '60']).pid", "os.fork() or time.sleep(60)"])
def test_children_do_not_keep_it_beyond_their_parent(folder, start):
    code = (
        "import os, subprocess, sys, time; from pathlib import Path; from requery.lock import acquire\n"
        f"acquire(Path(sys.argv[1])); print({start}, flush=True)"
    )
    with another(code, folder) as process:
        child = int(process.ready)
        try:
            with pytest.raises(InUse):
                acquire(folder)
            process.send_signal(signal.SIGKILL)
            process.wait()
            os.kill(child, 0)  # it lives
            acquire(folder)
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_forked_copy_has_no_lock_and_takes_none_away(folder):
    acquire(folder)
    child = os.fork()
    if child == 0:
        os._exit(int(held(folder / LOCK)))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert held(folder / LOCK)
    with another(
        "import sys; from pathlib import Path; from requery.lock import *\n"
        "try: acquire(Path(sys.argv[1]))\nexcept InUse: print('refused', flush=True)",
        folder,
    ) as process:
        assert process.ready == "refused"


def test_it_follows_the_folder_and_ends_with_it(folder):
    acquire(folder)
    moved = folder.rename(folder.with_name("two"))
    assert held(moved / LOCK) and not held(folder / LOCK)
    (moved / LOCK).unlink()
    before = len(lock._held)
    acquire(moved)
    assert held(moved / LOCK) and len(lock._held) == before, "the old one is forgotten"
    release(moved)


def test_a_lock_file_replaced_meanwhile_is_locked_anew(folder, monkeypatch):
    real = lock.try_lock

    def once(handle):
        monkeypatch.setattr(lock, "try_lock", real)
        (folder / LOCK).unlink()
        return real(handle)

    monkeypatch.setattr(lock, "try_lock", once)
    acquire(folder)
    assert held(folder / LOCK)


def test_a_name_is_reserved_before_its_folder_exists(tmp_path):
    with reserved(tmp_path / "arm" / "seed-0"):
        assert held(tmp_path / "arm" / ".seed-0.lock") and not (tmp_path / "arm" / "seed-0").exists()
    assert not held(tmp_path / "arm" / ".seed-0.lock")


def test_a_place_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"\.lock: cannot be opened"):
        acquire(tmp_path / "file")
    with pytest.raises(RunError, match="cannot be made"), reserved(tmp_path / "file" / "seed-0"):
        pass


def test_a_disk_without_locks_is_a_warning(folder, monkeypatch):
    def no_locks(*_):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.warns(UserWarning, match="no locks here"):
        acquire(folder)
    assert held(folder / LOCK)


def test_a_full_disk_is_an_error_and_nothing_is_held(folder, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(RunError, match=r"No space left.*make room"):
        acquire(folder)
    assert not held(folder / LOCK)

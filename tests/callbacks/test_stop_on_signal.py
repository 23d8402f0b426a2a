import os
import signal

import pytest

from callbacks.stop_on_signal import EXIT, StopOnSignal


def test_a_test_stops_at_once_and_leaves_the_handler_as_it_was(tmp_path, capsys):
    before = signal.getsignal(signal.SIGTERM)
    callback = StopOnSignal(tmp_path / "last.ckpt")
    callback.on_test_start(None, None)
    with pytest.raises(SystemExit) as stopped:
        os.kill(os.getpid(), signal.SIGTERM)
        signal.sigtimedwait([], 1)  # the handler runs before the next line
    assert stopped.value.code == EXIT and "--resume" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) == before
    callback.on_test_start(None, None)
    callback.on_test_end(None, None)
    assert signal.getsignal(signal.SIGTERM) == before

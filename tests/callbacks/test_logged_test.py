from types import SimpleNamespace

import pytest

from callbacks.logged_test import LoggedTest
from requery.record import RunFolder


class Logger:
    def __init__(self):
        self.logged = []

    def log_metrics(self, metrics, step):
        self.logged.append((metrics, step))


def log(folder, logged=(), rank_zero=True, logger=None):
    logger = logger or Logger()
    trainer = SimpleNamespace(
        is_global_zero=rank_zero, logger=logger, callback_metrics=dict.fromkeys(logged, 0.5), global_step=7
    )
    LoggedTest(folder).on_test_end(trainer, None)
    return logger.logged


@pytest.fixture
def folder(tmp_path):
    metrics = {name: {"value": value, "low": 0.1} for name, value in (("recall@1", 0.25), ("mrr@5", 0.5))}
    RunFolder(tmp_path).write_json("metrics.json", {"metrics": metrics})
    return tmp_path


def test_what_the_module_has_not_logged_is_logged(folder):
    assert log(folder) == [({"test/recall@1": 0.25, "test/mrr@5": 0.5}, 7)]
    assert log(folder, ["test/recall@1"]) == [({"test/mrr@5": 0.5}, 7)]
    assert log(folder, ["test/recall@1", "test/mrr@5"]) == []


def test_only_the_first_process_logs_and_only_what_is_there(folder, tmp_path):
    assert log(folder, rank_zero=False) == []
    assert log(tmp_path / "no run") == []

import json

import pytest
import torch
from lightning.pytorch import Trainer

from datamodules import QueryShift, QueryShifts, ShapesDataModule
from datamodules.shapes import Families
from experiments.ladder import runner
from experiments.ladder.bench import Bench
from experiments.ladder.command import main
from experiments.ladder.outcome import read_outcome
from lightning_modules import FeedbackModule, RESTModule
from lightning_modules.retrieval import RetrievalModule
from requery.adaptation import REST
from requery.errors import ConfigError
from requery.feedback.rows import AFS, PRF
from requery.generation.caption_source import CaptionSource
from requery.lock import release
from requery.ranking.metrics import per_query
from tests.experiments.ladder.conftest import CHECKPOINTS, SIZES, written

pytestmark = pytest.mark.slow


def result_of(module, data):
    trainer = Trainer(logger=False, enable_checkpointing=False, enable_progress_bar=False, accelerator="cpu")
    trainer.test(module, data, verbose=False)
    return module.tested


def data_of(task, shift=None):
    source = ShapesDataModule(task=task, families=Families(**SIZES))
    side = 224 if task == "composed" else None
    return source if shift is None else QueryShift(source, *shift, reference_side=side)


def cell(folder, task, shift, method):
    return read_outcome(folder / "cells" / task / shift / f"{method}.parquet").values


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("ladder")


@pytest.fixture(scope="module")
def ran(folder):
    main("ladder", written(folder))
    return folder / "runs" / "ladder" / "small"


TASKS = {"text_to_image": ("word_delete", 7), "composed": ("brightness", 3)}
CLIP, BLIP2 = f"{CHECKPOINTS}/shapes_clip", f"{CHECKPOINTS}/shapes_blip2"


def test_cells_of_one_method_are_that_methods_own_test(ran, tmp_path):
    cache = {"cache": str(tmp_path / "other_cache")}
    for task, shift in TASKS.items():
        for under in (None, shift):
            name, data = "clean-0" if under is None else "-".join(map(str, under)), data_of(task, under)
            encoders = {"none": CLIP} | ({"trained": BLIP2} if task == "composed" else {})
            for method, backbone in encoders.items():
                own = result_of(RetrievalModule(backbone, **cache), data)
                for metric, values in cell(ran, task, name, method).items():
                    assert torch.equal(values, per_query(metric, own.ranking, own.task.qrels).float())
            row, rounds = feedback_of(task)
            captions = CaptionSource(f"{CHECKPOINTS}/shapes_captioner", batch_size=32)
            own = result_of(FeedbackModule(CLIP, rows=[row], rounds=rounds, captions=captions, **cache), data)
            for metric in ("recall@1", "recall@5", "recall@10"):
                values = cell(ran, task, name, "feedback")[metric]
                assert torch.equal(values, own.values(metric)[row.name][-1])


def feedback_of(task):
    if task == "composed":
        return PRF(), 2
    heads = {"summarizer": f"{CHECKPOINTS}/shapes_afs", "query_only": f"{CHECKPOINTS}/shapes_query_only"}
    return AFS(**heads), 3


@pytest.mark.parametrize("task", list(TASKS))
def test_a_cell_of_adaptation_is_the_stream_of_restmodule(ran, task, tmp_path):
    kind, severity = TASKS[task]
    side = 224 if task == "composed" else None
    own = result_of(
        RESTModule(CLIP, REST(lr=3e-3), batch_size=12, cache=str(tmp_path / "other_cache")),
        QueryShifts(data_of(task), [kind], severity, orders=1, queries=None, reference_side=side),
    )
    name = f"{kind}-{severity}"
    values, before = (cell(ran, task, name, method) for method in ("adaptation", "none"))
    assert any(not torch.equal(values[metric], before[metric]) for metric in values)
    for number, metric in enumerate(own.task.protocol.metrics):
        assert torch.equal(values[metric], own.values[0, 0, 0, 0, number])


def test_killed_twice_it_ends_as_uninterrupted(folder, ran, monkeypatch):
    left = []
    run = Bench.run

    def dying(self, methods, data):
        if not left:
            raise KeyboardInterrupt
        left.pop()
        return run(self, methods, data)

    monkeypatch.setattr(Bench, "run", dying)
    again = written(folder, runs="again")
    for allowed in (7, 5):
        left.extend([0] * allowed)
        with pytest.raises(KeyboardInterrupt):
            main("ladder", again)
        release(folder / "again" / "ladder" / "small")  # as the end of the process would
    left.extend([0] * 100)
    main("ladder", again)
    assert len(left) == 100 - (24 - 7 - 5)
    place = folder / "again" / "ladder" / "small"
    for name in ("ladder.json", "contributions.json", "left_out.json"):
        assert timeless(place / name) == timeless(ran / name)


def timeless(path):
    rows = json.loads(path.read_text())
    return [{k: v for k, v in row.items() if not k.startswith("ms")} for row in rows]


def test_the_table_says_all(ran):
    rows = json.loads((ran / "ladder.json").read_text())
    assert {
        "method",
        "shift",
        "severity",
        "task",
        "metric",
        "value",
        "low",
        "high",
        "n",
        "ms_per_query",
    } <= set(rows[0])
    assert len({(r["task"], r["shift"], r["method"]) for r in rows}) == 24
    assert all(r["low"] <= r["value"] <= r["high"] and r["ms_per_query"] > 0 for r in rows)
    adds = json.loads((ran / "contributions.json").read_text())
    for task, metric in (("text_to_image", "recall@5"), ("composed", "recall@5")):
        of = {
            r["method"]: r["value"]
            for r in rows
            if (r["task"], r["shift"], r["metric"]) == (task, "clean", metric)
        }
        together = sum(a["shapley"]["value"] for a in adds if (a["task"], a["shift"]) == (task, "clean"))
        assert together == pytest.approx(of[max(of, key=lambda m: m.count("+"))] - of["none"], abs=1e-6)
    page = (ran / "ladder.html").read_text()
    assert "adaptation+feedback+trained" in page and "Worth its time" in page


def test_a_budget_leaves_out_what_tells_least_and_says_so(folder, monkeypatch, capsys):
    clock = iter(range(10_000))
    monkeypatch.setattr(runner.time, "monotonic", lambda: float(next(clock)))
    main("ladder", [*written(folder, runs="hurried"), "--budget", "30s"])
    place = folder / "hurried" / "ladder" / "small"
    left = json.loads((place / "left_out.json").read_text())
    done = json.loads((place / "ladder.json").read_text())
    assert left and done and "left out for want of time" in capsys.readouterr().out
    assert {row["method"] for row in done} >= {"none"}
    assert left[0] in (place / "ladder.html").read_text()


def test_other_settings_need_another_folder(folder, ran):
    with pytest.raises(ConfigError, match="other settings"):
        main("ladder", [*written(folder), "--seed=1"])

import json
import subprocess
import sys
import time

import pytest
import torch

from requery.cost import CostMeter, peak_memory_bytes


def test_stages_add_up_and_may_contain_one_another():
    cost = CostMeter()
    with cost.stage("train", items=10):
        for _ in range(3):
            with cost.stage("definition", items=5):
                time.sleep(0.01)
    with cost.stage("test") as stage:
        stage.items += 7
    record = cost.as_dict()
    definition, train = record["stages"]["definition"], record["stages"]["train"]
    assert definition["items"] == 15 and train["items"] == 10 and record["stages"]["test"]["items"] == 7
    assert 0.03 <= definition["seconds"] <= train["seconds"] <= record["total_seconds"]
    assert definition["items_per_second"] == pytest.approx(15 / definition["seconds"])


def test_an_interrupted_stage_counts_time_and_no_item():
    cost = CostMeter()
    with pytest.raises(ValueError), cost.stage("encode", items=10):
        time.sleep(0.01)
        raise ValueError
    assert cost.stages["encode"].items == 0 and cost.stages["encode"].seconds >= 0.01


def test_a_stage_without_time_has_rate_zero():
    cost = CostMeter()
    cost.add("x", 0.0, 3)
    assert cost.as_dict()["stages"]["x"] == {"seconds": 0.0, "items": 3, "items_per_second": 0.0}


def test_a_later_process_continues_the_cost_once(tmp_path):
    earlier = {
        "total_seconds": 100.0,
        "peak_memory_bytes": 2**60,
        "stages": {"train": {"seconds": 4.0, "items": 8, "items_per_second": 2.0}},
    }
    (tmp_path / "cost.json").write_text(json.dumps(earlier))
    cost = CostMeter()
    cost.add("train", 1.0, 2)
    for _ in range(2):
        cost.resume(tmp_path / "cost.json")
    record = cost.as_dict()
    assert record["stages"]["train"] == {"seconds": 5.0, "items": 10, "items_per_second": 2.0}
    assert 100 < record["total_seconds"] < 150 and record["peak_memory_bytes"] == 2**60


def test_a_meter_does_not_take_its_own_record_for_an_earlier_one(tmp_path):
    cost = CostMeter()
    cost.resume(tmp_path / "cost.json")
    cost.add("train", 1.0, 2)
    (tmp_path / "cost.json").write_text(json.dumps(cost.as_dict()))
    cost.resume(tmp_path / "cost.json")
    assert cost.stages["train"].items == 2


def test_peak_memory_sees_an_allocation():
    before = peak_memory_bytes()
    held = torch.ones(2**26)  # 256 MiB
    assert peak_memory_bytes() - before > 2**27 and held.sum() == 2**26


def test_the_peak_is_not_that_of_the_process_that_started_this_one():
    script = (
        "import subprocess, sys\n"
        "held = bytes(1) * 800_000_000\n"
        "child = 'from requery.cost import peak_memory_bytes; print(peak_memory_bytes())'\n"
        "subprocess.run([sys.executable, '-c', child], check=True)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert 50_000_000 < int(done.stdout) < 700_000_000


def test_the_smallest_block_is_kept_through_a_restart(tmp_path):
    first, second, path = CostMeter(), CostMeter(), tmp_path / "cost.json"
    assert "encode_block" not in first.as_dict()
    for size in (32, 16, 32):
        first.halved(size)
    path.write_text(json.dumps(first.as_dict()))
    second.halved(32)
    second.resume(path)
    assert second.as_dict()["encode_block"] == 16

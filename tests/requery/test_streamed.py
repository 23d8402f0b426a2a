"""What a test of streams leaves behind."""

import json

import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

from requery.adaptation import REST, TCR, NoAdaptation
from requery.adaptation.facts import FACTS
from requery.episodes import Segment, plan_episodes
from requery.ranking.significance import paired_randomisation
from requery.record import RunFolder
from requery.shapes.scene import ShapesConfig
from requery.shapes.tasks import build
from requery.streamed import Streamed, chance, method_name

TASK = build(ShapesConfig(), "image_to_text", "test", 2)
METRICS = TASK.protocol.metrics


def streamed(plan="separate", probe=False):
    episodes = tuple(plan_episodes(plan, [Segment("fog", 5), Segment("snow", 5)], 2, cycles=2))
    shape = (len(episodes), len(episodes[0].segments), 2, 1 + probe, len(METRICS), TASK.n_queries)
    values = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    collapses, facts = torch.ones(len(episodes), 2).long(), torch.zeros(*shape[:3], len(FACTS))
    facts[..., 0, 1], facts[..., 1, 2] = 0.25, torch.nan  # TCR's gap; no queue without adaptation
    methods = {"tcr": TCR(), "none": NoAdaptation()}
    features = {"targets": torch.eye(TASK.n_queries)}
    return Streamed(TASK, methods, episodes, values, collapses, facts, features)


def test_names_say_what_differs_from_the_defaults():
    assert method_name(NoAdaptation()) == "none" and method_name(TCR()) == "tcr"
    assert method_name(REST(decoupling="none", lr=1e-3)) == "rest(lr=0.001, decoupling=none)"
    assert method_name(TCR(terms=("consistency", "gap"))) == "tcr(terms=consistency+gap)"


def test_the_folder_has_every_value_and_the_tables(tmp_path):
    made = streamed()
    made.write(RunFolder(tmp_path))
    table = pq.read_table(tmp_path / "shifts.parquet").to_pylist()
    assert len(table) == 4 * 2 * TASK.n_queries
    row = table[-1]
    assert (row["shift"], row["order"], row["method"], row["query_id"]) == (
        "snow@5",
        1,
        "none",
        TASK.query_ids[-1],
    )
    assert row[METRICS[0]] == pytest.approx(float(made.values[3, 0, 1, 0, 0, -1]))
    whole = json.loads((tmp_path / "shifts.json").read_text())
    assert whole["methods"]["tcr"]["class"] == "TCR" and whole["methods"]["tcr"]["settings"]["lr"] == 3e-4
    assert whole["segments"]["fog@5"] == {"kind": "fog", "severity": 5, "clean": 0.0}
    assert whole["facts"][0]["gap"] == 0.25 and whole["facts"][1]["source_gap"] is None
    assert torch.equal(load_file(tmp_path / "features.safetensors")["targets"], torch.eye(TASK.n_queries))
    record = whole["tables"][0]
    fog = record["rows"][0]
    assert fog["shift"] == "fog@5" and record["collapses"] == {"tcr": 4, "none": 4}
    assert fog["cells"]["tcr"]["value"] == pytest.approx(float(made.values[:2, 0, 0, 0, 0].mean()))
    means = made.values[:, 0, :, 0, 0].double().mean(0)  # of TCR and of the source model
    assert record["p_holm"] == {"tcr": pytest.approx(paired_randomisation(*means))}  # of one
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["notes"]["shifts"] == 2 and metrics["notes"]["orders"] == 2
    both = made.values[:, 0, 0, 0, 0].mean()
    assert metrics["metrics"][METRICS[0]]["value"] == pytest.approx(float(both))


def test_a_shift_that_comes_again_has_rows_of_its_own_and_clean_queries_theirs(tmp_path):
    made = streamed("cyclic", probe=True)
    made.write(RunFolder(tmp_path))
    row = pq.read_table(tmp_path / "shifts.parquet").to_pylist()[0]
    assert row[f"clean {METRICS[0]}"] == pytest.approx(float(made.values[0, 0, 0, 1, 0, 0]))
    names = [row.shift for row in made.rows(METRICS[0])]
    assert names[:4] == ["fog@5", "snow@5", "fog@5 #2", "snow@5 #2"]
    clean = made.rows(METRICS[0], probe=True)
    assert clean[0].shift == "clean after fog@5" and made.probed
    assert clean[0].cells["none"].value == pytest.approx(float(made.values[:, 0, 1, 1, 0].mean()))


def test_chance():
    n = TASK.n_gallery
    assert chance("recall@1", TASK) == 1 / n and chance("recall@5", TASK) == 5 / n
    assert chance("map@10", TASK) == 1 / n

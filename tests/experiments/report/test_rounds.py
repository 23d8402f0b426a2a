import json

import pytest

from experiments.report.rounds import is_feedback_run, rounds_figure, rounds_view
from requery.errors import ConfigError, RunError
from requery.record import RunRecord


def cells(*values, gain=None):
    out = [{"value": v, "low": v - 0.01, "high": v + 0.01, "gain": None, "p_holm": None} for v in values]
    if gain is not None:
        out[-1] |= {"gain": {"value": gain, "low": gain - 0.01, "high": gain + 0.01}, "p_holm": 0.01}
    return out


@pytest.fixture
def folder(tmp_path):
    """A run of three rows in two rounds, made up."""
    rows = {"none": cells(0.3, 0.3), "AFS": cells(0.3, 0.4, gain=0.1), "AFS, query only": cells(0.3, 0.38)}
    difference = {"value": 0.02, "low": 0.01, "high": 0.03}
    contrasts = [{"row": "AFS", "control": "AFS, query only", "rounds": [difference, difference]}]
    content = {
        "protocol": "shapes/text_to_image@1",
        "split": "test",
        "queries": 60,
        "rounds": 2,
        "k": 5,
        "rows": {name: {"class": "Row", "settings": {"exclude_seen": False}} for name in rows},
        "tables": [
            {"metric": m, "rows": rows, "contrasts": contrasts} for m in ("mrr@5", "recall@1", "shown")
        ],
        "changes": {name: {"drift": [1.0, 0.9]} for name in rows},
    }
    path = tmp_path / "feedback" / "one"
    path.mkdir(parents=True)
    (path / "rounds.json").write_text(json.dumps(content))
    return path


def test_a_run_becomes_tables_and_lines(folder):
    assert is_feedback_run(folder) and not is_feedback_run(folder.parent)
    view = rounds_view(RunRecord(folder, {}, {}, None, None, [], None, None))
    first, _, beyond = view.tables
    assert [name for name, _, _ in first.rows] == ["none", "AFS", "AFS, query only"]
    assert first.rows[1][2][1].tint == pytest.approx(1 / 3) and first.rows[2][2][1].tint == 0
    assert beyond.methods == ["round 2"] and beyond.rows[0][0] == "AFS − AFS, query only"
    assert [picture.title for picture in view.pictures] == ["mrr@5 by round, %", "Cosine to the first query"]
    assert [label for _, label in view.pictures[0].legend] == ["none", "AFS", "AFS, query only"]
    assert "dashed" in str(view.pictures[0].legend[2][0])


def test_a_metric_is_chosen_and_damage_named(folder):
    assert rounds_figure(folder, "recall@1").title == "recall@1 by round, %"
    with pytest.raises(ConfigError, match="did you mean recall@1"):
        rounds_figure(folder, "recall@2")
    (folder / "rounds.json").write_text("{}")
    with pytest.raises(RunError, match="damaged"):
        rounds_figure(folder)

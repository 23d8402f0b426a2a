import json

import pytest

from experiments.report.expansion import asked_figure, expansion_view, is_expansion_run
from experiments.report.published import published
from requery.errors import ConfigError, RunError
from requery.record import RunRecord

ANSWERS = ["precision@1", "precision@5", "hit_any@5", "hit_any@10"]


def cell(value, gain=None):
    found = {"value": value, "low": value - 0.01, "high": value + 0.01, "gain": None, "p_holm": None}
    if gain is not None:
        found |= {"gain": {"value": gain, "low": gain - 0.01, "high": gain + 0.01}, "p_holm": 0.01}
    return found


def curve(top):
    points = [
        {
            "share": s,
            "below": s,
            "value": top * s,
            "low": 0.0,
            "high": 1.0,
            "random": s * top,
            "tokens": 50 * s,
            "seconds": s,
        }
        for s in (0.0, 0.5, 1.0)
    ]
    return {"points": points, "area": {"value": 0.01, "low": -0.002, "high": 0.02}}


def row(**outcomes):
    return {"outcomes": outcomes, "cost": {"asked": 1.0, "tokens": 50.0, "seconds": 0.5}}


@pytest.fixture
def write(tmp_path):
    """Writes a run of two rows, made up."""

    def make(protocol="shapes/knowledge@1", gold=("gold/recall@1",), curves=True):
        refine = {"ok": 50, "dropped": 9, "empty": 1}
        rows = {
            "none": row(query={"original": 60}),
            "model": row(query={"expanded": 58, "original": 2}, rewrite={"ok": 60}, refine=refine),
        }
        content = {
            "protocol": protocol,
            "split": "test",
            "queries": 60,
            "n_gallery": 200,
            "main": "model",
            "match": "substring",
            "headline": [*ANSWERS, *gold],
            "rows": rows,
            "tables": [
                {"metric": metric, "rows": {"none": cell(0.3), "model": cell(0.35, 0.05)}}
                for metric in [*ANSWERS, *gold]
            ],
            "gate": {
                "row": "model",
                "curves": {
                    shape: {"precision@5": curve(0.3), "hit_any@5": curve(0.6)}
                    for shape in (("margin", "deviation", "focus") if curves else ())
                },
            },
        }
        path = tmp_path / "query_expansion" / "one"
        path.mkdir(parents=True, exist_ok=True)
        (path / "expansion.json").write_text(json.dumps(content))
        return path

    return make


def view(path):
    return expansion_view(RunRecord(path, {}, {}, None, None, [], None, None))


def test_a_run_becomes_tables_fates_and_curves(write):
    path = write()
    assert is_expansion_run(path) and not is_expansion_run(path.parent)
    found = view(path)
    answers, gold = found.tables
    assert answers.methods == ["P@1", "P@5", "R@5", "R@10"] and gold.methods == ["recall@1"]
    assert [name for name, _, _ in answers.rows] == ["none", "model"] and not answers.published
    assert answers.rows[1][2][0].tint == pytest.approx(0.25) and answers.rows[0][2][0].tint == 0
    assert found.fates[1].unused == "refine: 9 dropped · refine: 1 empty" and found.fates[1].changed == 58
    assert [picture.title[:3] for picture in found.pictures] == ["P@5", "R@5"]
    assert [label for _, label in found.pictures[0].legend] == ["margin", "deviation", "focus", "at random"]
    assert "deviation +1.00 [-0.20, +2.00]" in found.pictures[0].caption


def test_papers_rows_stand_under_their_own_protocol_alone(write):
    protocol = "okvqa/test/gs112k/question_caption/both/substring@1"
    (table,) = view(write(protocol, gold=())).tables
    rows = {(name, source): values for name, source, values in table.published}
    assert rows["QueryFormer+BM25", "QueryFormer, Table 1"] == [None, 0.553, 0.817, 0.876]
    assert len(rows) == 14 == len(published(protocol))
    assert any("cannot be below P@5" in name for name, _ in rows)
    assert not published("shapes/knowledge@1") and not published("okvqa/val/gs112k/x@1")


def test_a_curve_is_chosen_and_damage_named(write):
    path = write()
    assert asked_figure(path, "hit_any@5").title.startswith("R@5")
    with pytest.raises(ConfigError, match="did you mean hit_any@5"):
        asked_figure(path, "hit_any@10")
    with pytest.raises(ConfigError, match="no row is expanded for every question"):
        asked_figure(write(curves=False))
    assert not view(path).pictures
    (path / "expansion.json").write_text("{}")
    with pytest.raises(RunError, match="damaged"):
        view(path)

"""Published tables: every file parses, every config resolves, and a wrong file says where and what to do."""

from pathlib import Path

import pytest
import yaml

from experiments.cli import resolve
from experiments.reproduce.cells import cells_of, needed
from experiments.reproduce.needs import Place, prepare
from experiments.reproduce.table_file import TABLES, read_sources, read_table, table_names
from requery.errors import ConfigError

ROOT = Path(__file__).resolve().parents[3]
EXPECTED = {
    "feedback",
    *(f"qure_t{n}" for n in (2, 3, 4, 5)),
    *(f"tcr_t{n}" for n in (1, 2, 3, 4)),
    *(f"queryformer_t{n}" for n in (1, 2)),
}


def test_every_published_table_is_there():
    assert set(table_names()) == EXPECTED


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_table_parses_and_its_configs_resolve(name, monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("REQUERY_DATA", str(tmp_path))
    monkeypatch.setattr("experiments.reproduce.needs._look", lambda *_: [])  # nothing but the settings
    table, sources, place = read_table(name), read_sources(), Place(tmp_path)
    cells = list(cells_of(table))
    assert cells and all(cell.only_published or cell.parts for cell in cells)
    assert set(needed(table, cells)) == set(table.experiments), "an experiment makes nothing"
    for experiment in table.experiments:
        run = prepare(table, experiment, place, sources).run
        for command in run.commands:
            settings = resolve(command, run.args(command))
            assert settings["experiment"] == experiment
            for key in table.experiments[experiment].weights:
                assert _value(settings, key) == run.arm.overrides[key]


def _value(settings, dotted):
    for key in dotted.split("."):
        settings = settings.get("init_args", settings)[key] if isinstance(settings, dict) else settings
    return settings


def test_averages_of_published_rows_are_the_means_of_their_cells():
    """As far as the papers' own are: a number that was mistyped here would stand out."""
    for name in table_names():
        table = read_table(name)
        for row in table.rows:
            for column in row.values:
                parts = table.columns[column].mean
                values = [row.values.get(part) for part in parts]
                if not parts or None in values or row.values[column] is None or row.notes.get(column):
                    continue
                off = abs(sum(values) / len(values) - row.values[column])
                assert off <= 0.061, f"{name}, {row.name}, {column}: {sum(values) / len(values):.3f}"


def test_numbers_that_cannot_be_right_carry_a_note():
    noted = {
        (name, row.name, column)
        for name in table_names()
        for row in read_table(name).rows
        for column in row.notes
    }
    assert {
        ("queryformer_t2", "w/o query (with caption)", "R@5"),
        ("qure_t2", "CoVR-BLIP", "Avg"),
        ("qure_t3", "CoSMo", "Avg"),
        ("qure_t3", "MGUR", "Avg"),
    } <= noted


GOOD = {
    "title": "one cell",
    "source": "nowhere",
    "made_by": "nobody",
    "tolerance": {"points": 1, "reason": "so"},
    "columns": {"a": {"read": {"metric": "recall@1"}}, "b": {"mean": ["a"]}},
    "experiments": {"one": {"config": "one.yaml"}},
    "rows": [{"name": "mine", "run": "one", "values": [1, [2, None]]}],
}


def changed(path, value):
    content = yaml.safe_load(yaml.safe_dump(GOOD))
    at = content
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return content


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("rows", 0, "run"), "two", r"row mine, a: unknown two: did you mean one\?|known are one"),
        (("rows", 0, "values"), [1], "row 1 .mine.: 1 values for 2 columns"),
        (("rows", 0, "values"), {"c": 1}, "row 1 .mine.: unknown c"),
        (("rows", 0, "values"), ["x", 1], "row 1 .mine., a: 'x' is neither a number nor a range"),
        (("rows", 0, "values"), {"a": [1, 2, 3]}, "neither a number nor a range"),
        (("rows", 0, "vales"), {}, r"unknown vales: did you mean values\?"),
        (
            ("rows", 0, "run"),
            "",
            "row mine, a: give the `run` that makes it, or say why it is `only_published`",
        ),
        (("rows", 0), {"name": "x"}, "row 1: a row needs `name` and `values`"),
        (("columns", "b", "mean"), ["c"], "column b, mean: unknown c"),
        (("columns", "a", "read"), {"metrik": "x"}, r"column a, read: unknown metrik: did you mean metric\?"),
        (("columns", "a", "read"), {}, "row mine, a: nothing says which metric it is"),
        (("experiments", "one", "command"), "fly", "experiment one: command 'fly' is none of"),
        (("experiments", "one"), {}, "experiment one: .*config"),
        (("experiments", "one", "weights"), {"model.backbone": "nothing"}, "experiment one: unknown nothing"),
        (("experiments", "one", "after"), ["one"], "experiment one, of those before it: unknown one"),
        (("tolerance",), {"points": 1}, "tolerance: .*reason"),
        (("tolerance",), None, "tolerance: None is no mapping"),
        (("columns",), [], "`columns` is missing or no dict"),
    ],
)
def test_a_wrong_file_names_file_entry_and_remedy(path, value, message, tmp_path):
    file = tmp_path / "table.yaml"
    file.write_text(yaml.safe_dump(changed(path, value)))
    with pytest.raises(ConfigError, match=message) as caught:
        read_table(str(file))
    assert str(caught.value).startswith(str(file))


def test_a_good_file_and_an_unknown_table(tmp_path):
    file = tmp_path / "table.yaml"
    file.write_text(yaml.safe_dump(GOOD))
    first, second = cells_of(read_table(str(file)))
    assert (first.published, second.published) == (1, (2, None))
    assert [part.reading.metric for part in second.parts] == ["recall@1"]
    with pytest.raises(ConfigError, match=r"unknown table qure_t1: did you mean qure_t\d\?"):
        read_table("qure_t1")
    assert TABLES.is_dir()

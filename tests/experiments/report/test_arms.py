import numpy as np
import pyarrow.parquet as pq

from experiments.report.arms import sections
from experiments.report.load import load


def found(runs):
    loaded = load([runs.root])
    return sections(loaded.tested, loaded.trained)


def test_seeds_are_one_arm_and_average_per_query(runs):
    for seed in range(3):
        runs.run("a", f"s{seed}", seed=seed)
    [section], problems = found(runs)
    [arm] = section.arms
    raw = [
        pq.read_table(runs.root / "a" / f"s{seed}" / "ranks.parquet")["map@10"].to_numpy()
        for seed in range(3)
    ]
    assert arm.name == "a" and len(arm.runs) == 3 and not problems
    np.testing.assert_allclose(arm.values("map@10"), np.mean(raw, axis=0), atol=1e-7)


def test_queries_are_aligned_by_id_not_by_row(runs):
    runs.run("a", "s0", seed=0)
    shuffled = runs.run("a", "s1", seed=1)
    table = pq.read_table(shuffled.file("ranks.parquet"))
    expected = table["recall@1"].to_numpy()
    order = np.random.default_rng(0).permutation(len(table))
    pq.write_table(table.take(order), shuffled.file("ranks.parquet"))
    [section], _ = found(runs)
    np.testing.assert_array_equal(section.arms[0].columns("recall@1")[1], expected)


def test_other_settings_make_another_arm_named_by_them(runs):
    runs.run("a", "one", model={"lr": 0.1, "seed": 3})
    runs.run("a", "two", model={"lr": 0.2, "seed": 4})
    runs.run("b", "one", model={"lr": 0.1})
    [section], _ = found(runs)
    assert [arm.name for arm in section.arms] == ["a (lr=0.1)", "a (lr=0.2)", "b"]


def test_where_it_ran_does_not_make_another_arm(runs):
    here, there = runs.config(), runs.config()
    there["trainer"]["devices"] = 4
    there["seed_everything"] = 1
    there["runs_root"] = "elsewhere"
    runs.run("a", "one", config=here)
    runs.run("a", "two", config=there, seed=1)
    [section], _ = found(runs)
    assert [len(arm.runs) for arm in section.arms] == [2]


def test_two_worlds_are_two_arms(runs):
    other = runs.config()
    other["data"]["init_args"]["world"] = {"seed": 5}
    runs.run("a", "one")
    runs.run("a", "two", config=other, data="e" * 64)
    first, second = found(runs)[0]
    assert (first.data, second.data) == ("d" * 64, "e" * 64)
    assert first.arms[0].name != second.arms[0].name


def test_protocols_splits_data_and_queries_are_never_mixed(runs, writer):
    runs.run("a")
    runs.run("b", protocol="shapes/composed@2")
    runs.run("c", split="val")
    runs.run("d", data="e" * 64)
    writer(runs.root, families=10).run("e")
    keys = [
        (section.protocol, section.split, [arm.name for arm in section.arms]) for section in found(runs)[0]
    ]
    assert sorted(keys) == [
        ("shapes/composed@1", "test", ["a"]),
        ("shapes/composed@1", "test", ["d"]),
        ("shapes/composed@1", "test", ["e"]),
        ("shapes/composed@1", "val", ["c"]),
        ("shapes/composed@2", "test", ["b"]),
    ]


def test_a_repeated_seed_counts_once_and_says_so(runs):
    runs.run("a", "2026-01-01")
    runs.run("a", "2026-01-02", strength=2.0)
    [section], [problem] = found(runs)
    assert [run.name for run in section.arms[0].runs] == ["2026-01-02"]
    assert problem.path.name == "2026-01-01" and "older repeat of seed 0; 2026-01-02 counts" in problem.reason


def test_a_fit_lends_its_curves_to_the_test_of_its_settings(runs):
    runs.run("a", "fit", tested=False)
    runs.run("a", "test", trained=False)
    [section], _ = found(runs)
    [arm] = section.arms
    assert [run.name for run in arm.trained] == ["fit"] and [run.name for run in arm.runs] == ["test"]


def test_a_fit_without_a_test_has_a_section_of_its_own(runs):
    runs.run("a")
    runs.run("b", tested=False)
    tested, alone = found(runs)[0]
    assert tested.protocol == "shapes/composed@1" and alone.protocol is None
    assert [arm.name for arm in alone.arms] == ["b"]


def test_experiments_of_one_name_are_told_apart(runs, writer):
    writer(runs.root / "x").run("a")
    writer(runs.root / "y").run("a")
    [section], _ = found(runs)
    assert [arm.name for arm in section.arms] == ["x/a", "y/a"]

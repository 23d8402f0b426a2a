import pytest

from experiments.report.lines import lines_along
from experiments.report.streams import read_streams
from requery.errors import ConfigError, RunError
from tests.experiments.report import synthetic

LEVELS = {f"{kind}@{level}": (kind, level, 0.0) for kind in ("fog", "snow") for level in (1, 5)}


@pytest.fixture
def run(tmp_path):
    """Writes and reads a run."""

    def make(**made):
        return read_streams(synthetic.write(tmp_path / "rest" / "one", **made))

    return make


def along(run, x, shift=None, tied=()):
    found = lines_along(run, x, "recall@1", shift, tied)
    return {line.label: (line.varied, {v: p.method for v, p in line.places.items()}) for line in found}


def test_methods_alike_in_all_else_are_one_line(run):
    found = along(run(), "batch_size")
    names = {None: "tcr", 4: "tcr(batch_size=4)", 1: "tcr(batch_size=1)", 16: "tcr(batch_size=16)"}
    assert found["tcr"] == (True, names)
    assert set(found["tcr(steps=5)"][1]) == {1, 16}
    assert found["none"] == (False, {None: "none"}) and list(found)[-1] == "none"


def test_the_mean_leaves_out_shifts_set_apart(run):
    found = lines_along(run(), "batch_size", "recall@1")
    assert found[0].places[4].shifts == ("fog@5", "jpeg@5")
    (shift,) = lines_along(run(), "batch_size", "recall@1", "snow@5")[0].places[4].shifts
    assert shift == "snow@5"


def test_a_method_with_another_value_of_its_own_keeps_its_place(run):
    methods = dict([*(synthetic.method(f"tcr(lr={lr})", lr=lr) for lr in (0.1, 0.2)), synthetic.NONE])
    methods |= dict([synthetic.method("tent", "Tent")])
    found = along(run(methods=methods), "lr")
    assert found["tent"] == (True, {3e-4: "tent"}) and found["none"][0] is False


def test_tied_settings_may_differ_along_a_line(run):
    pairs = ((1, 9), (2, 8), (4, 7), (1, 7))
    methods = dict(
        synthetic.method(f"tcr(batch_size={n}, steps={steps})", batch_size=n, steps=steps)
        for n, steps in pairs
    )
    found = along(run(methods=methods), "batch_size", tied=["steps"])
    assert set(found["tcr"][1]) == {1, 2, 4}
    assert found["tcr(batch_size=1, steps=7)"] == (True, {1: "tcr(batch_size=1, steps=7)"})
    assert set(along(run(methods=methods), "batch_size")["tcr(steps=7)"][1]) == {1, 4}


def test_lists_and_switches_are_names(run):
    terms = (["gap"], ["gap", "entropy"])
    methods = dict(synthetic.method(f"tcr(terms={'+'.join(t)})", terms=t) for t in terms)
    assert set(along(run(methods=methods), "terms")["tcr"][1]) == {"gap", "gap+entropy"}
    methods = dict(synthetic.method(f"tcr(deduplicate={t})", deduplicate=t) for t in (True, False))
    assert set(along(run(methods=methods), "deduplicate")["tcr"][1]) == {"True", "False"}


def test_along_the_shifts_a_point_holds_every_kind_that_leaves_something(run):
    levels = {**LEVELS, "jpeg@1": ("jpeg", 1, 0.0), "jpeg@5": ("jpeg", 5, 0.0), "clean": ("clean", 0, 0.0)}
    found = lines_along(run(shifts=levels), "severity", "recall@1")
    assert [line.label for line in found] == list(synthetic.SIZES)
    assert found[0].places[1].shifts == ("fog@1", "jpeg@1") and set(found[0].places) == {1, 5}
    (fog,) = lines_along(run(shifts=levels), "severity", "recall@1", "fog")[0].places[5].shifts
    assert fog == "fog@5"


def test_a_kind_set_apart_at_some_values_only_is_not_cut_short(run):
    content = synthetic.record(shifts=LEVELS)
    for table in content["tables"]:
        table["rows"][1]["apart"] = True  # fog@5
    found = lines_along(run(content=content), "severity", "recall@1")
    assert found[0].places[5].shifts == ("fog@5",)


def test_a_shift_that_comes_back_is_part_of_the_mean(run):
    again = {**LEVELS, "fog@1 #2": ("fog", 1, 0.0)}
    content = synthetic.record(shifts=again)
    del content["segments"]["fog@1 #2"]  # written once
    assert lines_along(run(content=content), "severity", "recall@1")[0].places[1].shifts == (
        "fog@1",
        "fog@1 #2",
    )


@pytest.mark.parametrize(
    "asked,words",
    [
        (("batchsize",), "no setting 'batchsize': did you mean batch_size?"),
        (("batch_size", None, ("step",)), "no setting 'step': did you mean steps?"),
        (("lr",), "lr is not varied between methods alike in all else; varied so are batch_size, steps"),
        (("batch_size", "fogg@5"), "no shift 'fogg@5': did you mean fog@5?"),
        (("severity",), "severity of the shifts is 5; test with data.severity varied"),
        (("clean", "rain"), "no shift 'rain'; there are fog@5, snow@5, jpeg@5"),
    ],
)
def test_what_was_not_tested_is_said(run, asked, words):
    with pytest.raises(ConfigError) as error:
        along(run(), *asked)
    assert words in str(error.value)


def test_kinds_that_miss_a_value_cannot_be_averaged(run):
    with pytest.raises(ConfigError, match="no kind of shift was tested with all of them"):
        along(run(shifts={"fog@1": ("fog", 1, 0.0), "jpeg@5": ("jpeg", 5, 0.0)}), "severity")


def test_nothing_to_average_and_old_runs_are_said(run):
    for x, shifts in (("batch_size", {"snow@5": ("snow", 5, 0.0)}), ("severity", LEVELS)):
        snow = {name: shift for name, shift in shifts.items() if shift[0] == "snow"}
        with pytest.raises(RunError, match="near chance; choose one by --shift"):
            along(run(shifts=snow), x)
    with pytest.raises(RunError, match="did not record settings and shifts yet; test the run again"):
        along(run(content={"tables": synthetic.record()["tables"]}), "batch_size")

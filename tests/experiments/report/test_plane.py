import re

import numpy as np
import pytest
from safetensors.numpy import save_file

from experiments.report.plane import POINTS, SIDE, feature_plane
from experiments.report.streams import read_streams
from requery.errors import ConfigError, RunError
from tests.experiments.report import synthetic

FEW = dict([synthetic.method("tcr"), synthetic.NONE])


@pytest.fixture
def run(tmp_path):
    """Writes and reads a run with embeddings; `found` replaces them."""

    def make(found=None, **made):
        folder = synthetic.write(tmp_path / "rest" / "one", methods=FEW, features=True, **made)
        if found is not None:
            save_file(found, folder / "features.safetensors")
        return read_streams(folder)

    return make


def clouds(figure):
    """Colour and `(points, 2)` of each cloud, in the order drawn."""
    paths = re.findall(r'class="cloud c(\d)" d="([^"]+)"', str(figure.body))
    return [(int(c), np.array(re.findall(r"M(\S+) (\S+?)h0", d), float)) for c, d in paths]


def test_a_row_per_shift_and_a_column_per_method_after_the_clean_queries(run):
    figure = feature_plane(run(), ["jpeg@5", "fog@5"])
    body = str(figure.body)
    assert body.count('class="frame"') == 2 * 3 and body.index("jpeg@5") < body.index("fog@5")
    assert body.index("clean queries") < body.index(">tcr<") < body.index(">none<")
    assert len(clouds(figure)) == 2 * 6 and "snow@5" not in body
    assert str(feature_plane(run()).body).count('class="frame"') == 9
    assert str(feature_plane(run(), limit=1).body).count('class="frame"') == 3


def test_dots_are_the_projections_on_the_first_two_components(run):
    made = run()
    rows = {name: x.astype(float) for name, x in synthetic.embeddings(FEW).items()}
    both = np.concatenate([rows["clean"], rows["targets"]])
    _, sizes, axes = np.linalg.svd(both - both.mean(0))
    drawn = [xy for _, xy in clouds(feature_plane(made, ["fog@5"]))[2:4]]
    flat = [(rows[name] - both.mean(0)) @ axes[:2].T for name in ("targets", "fog@5/tcr")]
    drawn, flat = np.concatenate(drawn), np.concatenate(flat)
    assert all(abs(np.corrcoef(drawn[:, axis], flat[:, axis])[0, 1]) > 0.9999 for axis in (0, 1))
    scale = np.ptp(drawn, 0) / np.ptp(flat, 0)
    assert scale[0] == pytest.approx(scale[1], rel=0.01)  # a distance is the same in both directions
    share = 100 * sizes**2 / (sizes**2).sum()
    assert f"({share[0]:.0f} % and {share[1]:.0f} % of" in feature_plane(made).caption


def test_axes_are_the_same_everywhere_and_hold_every_dot(run):
    drawn = clouds(feature_plane(run()))
    targets = [xy for colour, xy in drawn if colour == 7]
    assert len(targets) == 9 and all(np.array_equal(xy, targets[0]) for xy in targets)
    assert all((xy >= 0).all() and (xy <= SIDE).all() for _, xy in drawn)


def test_numbers_are_the_facts_of_the_first_order_and_the_clean_queries_own(run):
    import torch

    from requery.adaptation import modality_gap, query_uniformity

    texts = re.findall(r'text-anchor="end">([^<]+)', str(feature_plane(run(), ["fog@5"]).body))
    rows = synthetic.embeddings(FEW)
    clean, targets = (torch.from_numpy(rows[name].astype(np.float32)) for name in ("clean", "targets"))
    nearest = targets[(clean @ targets.T).argmax(1)]
    own = [float(query_uniformity(clean)), float(modality_gap(clean, nearest))]
    assert [float(text) for text in texts[:2]] == pytest.approx(own, abs=2e-3)
    assert texts[2:] == ["0.950", "0.600"] * 2


def test_many_queries_are_thinned_out(run):
    rows = synthetic.embeddings(FEW, queries=2 * POINTS + 1)
    figure = feature_plane(run(found=rows), ["fog@5"])
    assert {len(xy) for _, xy in clouds(figure)} == {-(-len(rows["clean"]) // 3)}
    assert "One query in 3 of 801 is shown." in figure.caption


def test_what_is_missing_or_damaged_is_said(run):
    with pytest.raises(ConfigError, match="no embeddings under 'fog': did you mean fog@5"):
        feature_plane(run(), ["fog"])
    rows = synthetic.embeddings(FEW)
    with pytest.raises(RunError, match="has no fog@5/none; test the run again"):
        feature_plane(run({name: x for name, x in rows.items() if name != "fog@5/none"}))
    for wrong in ({"clean": rows["clean"]}, {**rows, "clean": rows["clean"][:3]}):
        with pytest.raises(RunError, match="does not hold clean, targets and streams"):
            feature_plane(run(wrong))
    made = run()
    (made.path / "features.safetensors").write_bytes(b"no")
    with pytest.raises(RunError, match="is damaged"):
        feature_plane(made)
    (made.path / "features.safetensors").unlink()
    with pytest.raises(RunError, match=r"test the run again with model\.features: true"):
        feature_plane(made)

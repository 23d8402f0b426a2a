import numpy as np
import pytest

from experiments.report.arms import sections
from experiments.report.examples import Illustrator, choose
from experiments.report.load import load
from experiments.report.pictures import Album, load_task
from requery.errors import DataError


@pytest.fixture
def arms(runs):
    runs.run("weak", strength=0.3, trained=False)
    runs.run("strong", strength=2.0)
    return {arm.name: arm for arm in sections(load([runs.root]).tested)[0][0].arms}


def places(arm):
    ranks = arm.runs[0].ranks
    return dict(zip(ranks["query_id"], ranks["target_rank"], strict=True))


def test_wins_come_first_then_losses_then_others(arms):
    ours, theirs = places(arms["strong"]), places(arms["weak"])
    wins, losses, sample = choose(arms["strong"], arms["weak"], 4)
    visible = [q for q in ours if ours[q] <= 5]
    assert wins.queries[0] == max(visible, key=lambda q: theirs[q] - ours[q])
    assert all(ours[q] < theirs[q] for q in wins.queries) and len(wins.queries) == 4
    assert all(ours[q] > theirs[q] for q in losses.queries)
    assert not set(sample.queries) & {*wins.queries, *losses.queries}
    assert choose(arms["strong"], arms["weak"], 4)[2].queries == sample.queries


def test_an_arm_against_itself_has_only_a_sample(arms):
    [sample] = choose(arms["weak"], arms["weak"], 3)
    assert sample.title == "A random sample" and len(sample.queries) == 3


def test_example_shows_the_truth(arms, runs):
    arm = arms["strong"]
    task = load_task(arm.runs[0])
    album = Album()
    illustrator = Illustrator([arm], task, album)
    ranks = arm.runs[0].ranks
    for row, query in enumerate(ranks["query_id"][:10]):
        example = illustrator.example(query)
        at = list(task.query_ids).index(query)
        assert example.text == task.query_text[at] and example.target.name == ranks["target_id"][row]
        assert example.reference.name == task.images.ids[int(task.query_image[at])]
        right = {task.gallery_ids[int(j)] for j in task.qrels.relevant[at]}
        for item in example.answers[0].top:
            expected = (
                "target" if item.name == ranks["target_id"][row] else "relevant" if item.name in right else ""
            )
            assert item.truth == expected and item.picture in album.uris
        assert [item.name for item in example.answers[0].top] == list(ranks["top_ids"][row][:5])
    assert len(set(album.uris.values())) == len(album.uris)


def test_a_spent_budget_shows_names(arms):
    arm = arms["strong"]
    album = Album(budget=1500)
    illustrator = Illustrator([arm], load_task(arm.runs[0]), album)
    example = illustrator.example(arm.runs[0].ranks["query_id"][0])
    assert album.refused and sum(map(len, album.uris.values())) <= 1500
    assert example.answers[0].top[-1].picture is None


def test_a_target_outside_the_gallery_comes_last(arms):
    arm = arms["strong"]
    arm.runs[0].ranks["target_rank"] = np.zeros_like(arm.runs[0].ranks["target_rank"])
    losses, _ = choose(arm, arms["weak"], 2)
    assert losses.title == "strong loses to weak"
    query = arm.runs[0].ranks["query_id"][0]
    arm.runs[0].ranks["target_id"][0] = ""
    example = Illustrator([arm], None, Album()).example(query)
    assert example.answers[0].rank is None and example.target.text == "not in the gallery"


@pytest.mark.parametrize(
    "data,reason",
    [
        (None, "it has no `data`"),
        ({"class_path": "datamodules.none.Nothing"}, "none"),
        (
            {"class_path": "datamodules.shapes.ShapesDataModule", "init_args": {"families": {"test": 3}}},
            "no longer",
        ),
        (
            {"class_path": "datamodules.shapes.ShapesDataModule", "init_args": {"task": "text_to_image"}},
            "serve",
        ),
    ],
)
def test_data_that_cannot_be_loaded_are_an_error_that_says_why(runs, data, reason):
    config = runs.config()
    config["data"] = data
    runs.run("a", config=config)
    with pytest.raises(DataError, match=reason):
        load_task(load([runs.root]).tested[0])

import json

import pytest
import torch

from datamodules.cirr import CIRRDataModule
from datamodules.doctor.examine import examine
from datamodules.hp_fashioniq import HPFashionIQDataModule
from datamodules.layouts.hp_fashioniq import read_judgements
from requery.errors import ConfigError, DataError
from requery.ranking.preference import evaluate_preference
from tests.datamodules.composed import judged, shown, write_judged


def test_judgements_become_a_task_and_preferences(tmp_path):
    data = HPFashionIQDataModule(str(write_judged(tmp_path)))
    task, preferences = data.task("test"), data.preferences("test")
    assert task.protocol.key == "hp_fashioniq/preference@1"
    assert task.query_ids == [
        "user_1/question_set_1/0",
        "user_1/question_set_1/1",
        "user_2/question_set_1/0",
    ]
    assert task.query_text == ["is red  dotmark", "is blue", "is red  dotmark"]
    assert task.gallery_ids == ["shirt/C", "shirt/D", "shirt/E", "shirt/F"]
    assert preferences.lists.tolist() == [[[0, 1], [1, 2]], [[1, 2], [0, 3]], [[0, 1], [1, 2]]]
    assert preferences.preferred.tolist() == [1, 2, 1]
    assert [task.images.ids[i] for i in task.query_image] == [
        f"image_data/shirt/{asin}.jpg" for asin in ("A", "B", "A")
    ]
    assert task.images.load(int(task.gallery_image[3])).size == (8, 8)


def test_rankings_of_it_are_not_scored(tmp_path):
    data = HPFashionIQDataModule(str(write_judged(tmp_path)))
    with pytest.raises(DataError, match=r"not what counts.*the module of the benchmark's own config"):
        data.task("test").require_truth()
    with pytest.raises(DataError, match="HP-FashionIQ has no train split; train on FashionIQ"):
        data.task("train")
    with pytest.raises(ConfigError, match="CIRRDataModule has no lists that people judged"):
        CIRRDataModule().preferences("test")


def test_missing_images_name_the_judgements(tmp_path):
    write_judged(tmp_path)
    (tmp_path / "image_data" / "shirt" / "F.jpg").unlink()
    message = r"images missing: 1 of 6 .*F\.jpg.*affected: 1 \(user_1/question_set_1/1\)"
    with pytest.raises(DataError, match=message):
        HPFashionIQDataModule(str(tmp_path)).task("test")
    data = HPFashionIQDataModule(str(tmp_path), on_bad="skip")
    task = data.task("test")
    assert task.query_ids == ["user_1/question_set_1/0", "user_2/question_set_1/0"]
    assert task.notes == {"images_skipped": 1, "queries_dropped": 1}
    assert task.gallery_ids == ["shirt/C", "shirt/D", "shirt/E"]
    assert data.preferences("test").lists.tolist() == [[[0, 1], [1, 2]]] * 2


def only(column, value):
    content = judged()
    content["user_1"]["question_set_1"][column][1] = value
    return content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "expected an object of persons, found list"),
        ({"user_1": {"question_set_1": {}}}, "the field 'ref_img_paths' is missing"),
        ({"user_3": {"question_set_1": {**judged()["user_1"]["question_set_1"], "sentences": []}}},
         "user_3, question_set_1: .* differ in length"),
        (only("preferred set", "3"), r"question_set_1/1: 'preferred set' is '3', not 1 to 2"),
        (only("retrieved_set1", shown("DE", 6)), "'user_score' is '6', not 1 to 5"),
        (only("retrieved_set1", shown("DEF", 1)), r"lists of \[2, 3\] images"),
        (only("sentences", None), "'sentences' must be str, found NoneType"),
        (only("ref_img_paths", "A.jpg"), r"'A\.jpg' is no path …/category/asin\.jpg"),
    ],
)  # fmt: skip
def test_malformed_judgements_are_named(tmp_path, content, message):
    write_judged(tmp_path, content)
    with pytest.raises(DataError, match=rf"hpfiq\.json.*{message}"):
        HPFashionIQDataModule(str(tmp_path)).task("test")


@pytest.mark.data
class TestRealData:
    def test_what_people_said_is_what_they_prefer(self, data_root, judged_fixtures):
        judgements = read_judgements(data_root / "hp_fashioniq")
        ratings = torch.tensor([judgement.ratings for judgement in judgements])
        preferred = torch.tensor([judgement.preferred for judgement in judgements])
        expected = json.loads((judged_fixtures / "hp_preference_expected.json").read_text())
        found = evaluate_preference(ratings.float(), preferred, ("preference_rate", "preference_accuracy"))
        assert len(judgements) == expected["n"] == 3050
        assert found["preference_rate"].value == pytest.approx(expected["user_score"])
        assert found["preference_accuracy"].value == pytest.approx(
            expected["extra_symmetric_accuracy_nontied"]["user_score"]
        )
        assert found["preference_accuracy"].n == 3050 - 774

    def test_images_are_missing(self, data_root):
        data = HPFashionIQDataModule(str(data_root / "hp_fashioniq"))
        sources = data.sources("test")
        assert (len(sources.queries), sources.n_gallery, len(sources.names)) == (3050, 5353, 5505)
        (finding,) = examine(data, ["test"], lambda items, n: items).findings
        assert finding.check == "images missing" and len(finding.items) == 5505
        assert json.loads((data_root / "hp_fashioniq" / "hpfiq.json").read_text()).keys() == {
            f"user_{i}" for i in range(1, 62)
        }

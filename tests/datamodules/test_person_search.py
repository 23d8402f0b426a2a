from copy import deepcopy

import pytest
import torch

from datamodules.person_search import PersonSearchDataModule
from requery.errors import ConfigError, DataError
from requery.ranking.metrics import per_query
from requery.ranking.ranks import rank
from tests.datamodules.small import PERSONS, write_persons


def module(root, content=PERSONS, **settings):
    return PersonSearchDataModule(root=str(write_persons(root, content)), **settings)


def test_every_image_of_the_person_is_right(tmp_path):
    task = module(tmp_path).task("test")
    assert task.protocol.key == "cuhk_pedes/test/text_to_image@1"
    assert task.protocol.metrics == ("hit_any@1", "hit_any@5", "hit_any@10", "map@100000")
    assert task.gallery_ids == ["cam_a/4.png", "cam_b/5.png", "cam_b/6.png"]
    assert task.query_ids == ["cam_a/4.png#0", "cam_a/4.png#1", "cam_b/5.png#0", "cam_b/6.png#0"]
    assert task.query_text[2] == "a girl running"
    assert task.qrels.target.tolist() == [0, 0, 1, 2]
    assert [row.tolist() for row in task.qrels.relevant] == [[0, 2], [0, 2], [1], [0, 2]]
    assert task.qrels.grades.tolist() == [2, 1, 2, 1, 2, 1, 2]


def test_another_image_of_the_person_is_a_hit(tmp_path):
    task = module(tmp_path).task("test")
    gallery = torch.eye(3)
    queries = torch.tensor([[0.1, 0.2, 0.9], [0.9, 0.1, 0.2], [0.9, 0.2, 0.1], [0.1, 0.9, 0.2]])
    ranking = rank(queries, gallery, task.qrels)
    assert per_query("hit_any@1", ranking, task.qrels).tolist() == [1, 1, 0, 0]
    average = per_query(task.protocol.metrics[-1], ranking, task.qrels)
    assert average.tolist() == pytest.approx([(1 + 2 / 3) / 2, 1, 1 / 2, (1 / 2 + 2 / 3) / 2])


def test_icfg_pedes_has_a_file_of_its_own_and_no_val(tmp_path):
    root = str(write_persons(tmp_path, PERSONS, "ICFG-PEDES.json"))
    assert PersonSearchDataModule(root, name="icfg_pedes").task("train").n_queries == 4
    with pytest.raises(DataError, match=r"no image of split 'val'; its splits are train \(3\), test \(3\)"):
        PersonSearchDataModule(root, name="icfg_pedes").task("val")
    val = PersonSearchDataModule(root, name="icfg_pedes", val_split="test").task("val")
    assert val.protocol.key == "icfg_pedes/test/text_to_image@1" and val.n_gallery == 3


def test_another_benchmark_names_its_file(tmp_path):
    root = str(write_persons(tmp_path, PERSONS, "mine.json"))
    with pytest.raises(ConfigError, match=r"data\.annotations.*cuhk_pedes or icfg_pedes"):
        PersonSearchDataModule(root, name="mine")
    task = PersonSearchDataModule(root, name="mine", annotations="mine.json").task("test")
    assert task.protocol.name == "mine/test/text_to_image"


def test_missing_images(tmp_path):
    data = module(tmp_path)
    (tmp_path / "imgs" / "cam_b" / "6.png").unlink()
    with pytest.raises(DataError, match=r"images missing: 1 of 3 \(cam_b/6\.png\); queries affected: 3 \("):
        data.task("test")


def test_skipping_keeps_the_other_images_of_a_person(tmp_path):
    data = module(tmp_path, on_bad="skip")
    (tmp_path / "imgs" / "cam_a" / "4.png").unlink()
    (tmp_path / "imgs" / "cam_b" / "5.png").write_bytes(b"x")
    (tmp_path / "imgs" / "Market" / "3.png").unlink()
    task, train = data.task("test"), data.task("train")
    assert task.gallery_ids == ["cam_b/6.png"]
    assert task.qrels.target.tolist() == [0, 0, -1, 0]
    assert task.notes == {"images_skipped": 2, "targets_outside_gallery": 1, "relevant_sets_reduced": 3}
    assert train.query_text == ["a man in red", "red coat", "a red back"]
    assert train.notes == {"images_skipped": 1, "queries_dropped": 1}


def test_pairs_for_pre_training(tmp_path):
    pairs = module(tmp_path).pairs("train")
    assert pairs == [(0, ("a man in red", "red coat")), (1, ("a red back",)), (2, ("a woman with a bag",))]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c[4].pop("id"), "image 4: the field 'id' is missing"),
        (lambda c: c[4].update(id=None), "image 4: 'id' must be int or str, found NoneType"),
        (lambda c: c[4].update(split="tset"), "image 4: 'split' is 'tset', not one of train, val, test"),
        (lambda c: c[4].update(captions=[]), r"image 4 \(cam_b/5\.png\): has no caption"),
        (lambda c: c[4].update(captions="a man"), "image 4: 'captions' must be list"),
        (lambda c: c[4].update(file_path="cam_b/6.png"), r"1 file names occur more than once: cam_b/6\.png"),
    ],
)
def test_malformed_records_are_named(tmp_path, change, message):
    content = deepcopy(PERSONS)
    change(content)
    with pytest.raises(DataError, match=rf"reid_raw\.json.*{message}"):
        module(tmp_path, content).task("test")


def test_not_a_list_and_absent(tmp_path):
    with pytest.raises(DataError, match=r"reid_raw\.json: expected a list of images, found dict"):
        module(tmp_path, {"images": []}).task("test")
    with pytest.raises(DataError, match=r"other\.json: no such file; both come from their authors"):
        module(tmp_path, annotations="other.json").task("test")

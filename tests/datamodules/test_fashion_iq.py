import json
from collections import Counter

import pytest
import torch

from datamodules.doctor.examine import examine
from datamodules.fashion_iq import FashionIQDataModule
from datamodules.layouts.fashion_iq import Triplet
from requery.errors import ConfigError, DataError
from requery.negatives import UniformNegatives
from requery.ranking.metrics import per_query
from requery.ranking.qrels import Qrels
from requery.ranking.ranks import rank
from tests.datamodules.composed import fashion_captions, write_fashion_iq


def module(root, **settings):
    return FashionIQDataModule(str(write_fashion_iq(root)), **settings)


def change(root, category, split, edit):
    path = root / "captions" / f"cap.{category}.{split}.json"
    records = json.loads(path.read_text())
    edit(records)
    path.write_text(json.dumps(records))


def test_one_category_over_its_whole_split(tmp_path):
    task = module(tmp_path, category="dress").task("val")
    assert task.protocol.key == "fashion_iq/val/original/dress@1"
    assert task.protocol.metrics == ("recall@10", "recall@50")
    assert task.query_ids == ["dress-0", "dress-1", "dress-2"]
    assert task.gallery_ids == ["dress/A", "dress/B", "dress/C", "dress/D"]
    assert task.query_text[0] == "Is ab and has more of it"
    assert task.query_image.tolist() == [0, 1, 2] and task.qrels.target.tolist() == [1, 2, 0]
    assert task.qrels.excluded.values.numel() == 0  # the reference stays
    assert task.images.load(3).getpixel((0, 0)) == (ord("D") * 9 % 256, ord("D"), 0)
    assert (task.has_truth, task.notes) == (True, {})


def test_the_val_gallery_is_references_and_targets(tmp_path):
    task = module(tmp_path, category="dress", gallery="val").task("val")
    assert task.protocol.key == "fashion_iq/val/val/dress@1"
    assert sorted(task.gallery_ids) == ["dress/A", "dress/B", "dress/C"]
    assert [task.gallery_ids[i] for i in task.qrels.target] == ["dress/B", "dress/C", "dress/A"]


def test_all_categories_rank_each_query_in_its_own(tmp_path):
    whole = module(tmp_path).task("val")
    assert whole.protocol.key == "fashion_iq/val/original@1"
    assert (whole.n_queries, whole.n_gallery, len(whole.images)) == (6, 11, 10)  # S is one image, two items
    generator = torch.Generator().manual_seed(0)
    embedded = dict(zip(whole.images.ids, torch.randn(10, 4, generator=generator), strict=True))
    asked = torch.randn(6, 4, generator=generator)

    def ranks(task, queries):
        gallery = torch.stack([embedded[task.images.ids[i]] for i in task.gallery_image])
        return rank(queries, gallery, task.qrels).target_rank.tolist()

    parts = [module(tmp_path, category=category).task("val") for category in ("dress", "shirt", "toptee")]
    alone = [r for task, rows in zip(parts, asked.split([3, 1, 2]), strict=True) for r in ranks(task, rows)]
    assert ranks(whole, asked) == alone
    assert [len(row) for row in whole.qrels.excluded] == [7, 7, 7, 8, 7, 7]


def test_training_draws_from_the_targets_of_the_category(tmp_path):
    task = module(tmp_path).task("train")
    assert task.protocol.key == "fashion_iq/train/targets@1"
    assert task.gallery_ids == ["dress/B", "dress/C", "dress/A", "shirt/P", "toptee/S", "toptee/U"]
    assert task.query_group.tolist() == task.gallery_group.tolist() == [0, 0, 0, 1, 2, 2]
    assert [row.tolist() for row in task.qrels.excluded] == [[2], [0], [1], [], [5], []]
    kept = torch.tensor([0, 1, 2, 4, 5])  # the only shirt has no negative
    negatives = UniformNegatives(
        task.n_gallery,
        task.qrels.target[kept],
        query_group=task.query_group[kept],
        corpus_group=task.gallery_group,
    )
    drawn = {int(i) for e in range(9) for i in negatives.sample(torch.tensor([3]), 1, seed=0, epoch=e)}
    assert drawn == {5}


def test_unpublished_targets_can_be_predicted(tmp_path):
    task = module(tmp_path, test_split="test").task("test")
    assert not task.has_truth and task.qrels.target.tolist() == [-1] * 6
    assert module(tmp_path).task("test").protocol.name == "fashion_iq/val/original"
    with pytest.raises(DataError, match=r"gallery val is made of targets; set gallery: original"):
        module(tmp_path, test_split="test", gallery="val").task("test")
    with pytest.raises(DataError, match=r"fashion_iq/test/all: targets not published"):
        module(tmp_path, train_split="test").task("train")


def test_skipping_counts_what_it_affects(tmp_path):
    data = module(tmp_path, category="dress", on_bad="skip")
    (tmp_path / "images" / "A.png").write_bytes(b"no image")
    task, train = data.task("val"), data.task("train")
    assert task.query_ids == ["dress-1", "dress-2"] and task.qrels.target.tolist() == [1, -1]
    assert task.notes == {"images_skipped": 1, "queries_dropped": 1, "targets_outside_gallery": 1}
    assert train.query_ids == ["dress-1"] and train.notes == {"images_skipped": 1, "queries_dropped": 2}


def test_images_lie_where_the_template_says(tmp_path):
    write_fashion_iq(tmp_path)
    (tmp_path / "images").rename(tmp_path / "dress")
    settings = {"category": "dress", "image_root": str(tmp_path)}
    task = FashionIQDataModule(str(tmp_path), images="{category}/{asin}.png", **settings).task("val")
    assert task.images.ids[0] == "dress/A.png" and task.images.load(0).size == (8, 8)
    with pytest.raises(DataError, match=r"images missing: 4 of 4 \(images/A\.png.*affected: 3 \(dress-0"):
        FashionIQDataModule(str(tmp_path), **settings).task("val")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"images": "{name}.png"}, r"images '\{name\}\.png'.*asin"),
        ({"images": "{category}.png"}, r"one file for all products"),
        ({"gallery": "all"}, r"gallery 'all' is none of original, val"),
        ({"category": "skirt"}, r"category 'skirt' is none of dress, shirt, toptee, all"),
    ],
)
def test_wrong_settings_are_refused_at_once(settings, message):
    with pytest.raises(ConfigError, match=message):
        FashionIQDataModule(**settings)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            lambda r: r[1].pop("candidate"),
            r"record 1: the field 'candidate' is missing.*affected: 1 \(dress-1\)",
        ),
        (lambda r: r[1].update(captions=["one"]), r"record 1: 1 captions instead of 2"),
        (lambda r: r[1].update(captions=["one", 2]), r"'captions' must be a list of strings"),
        (lambda r: r[1].pop("target"), r"1 of 3 lack a target: dress-1"),
        (lambda r: r[1].update(candidate="X"), r"image names unknown: 1 \(images/X\.png\).*\(dress-1\)"),
        (lambda r: r[1].update(target="X"), r"image names unknown: 1 \(images/X\.png\).*\(dress-1\)"),
        (lambda r: r.clear(), r"there is no query"),
    ],
)
def test_malformed_captions_are_named(tmp_path, edit, message):
    data = module(tmp_path, category="dress")
    change(tmp_path, "dress", "val", edit)
    with pytest.raises(DataError, match=message):
        data.task("val")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"A": 1}, "expected a list of ASINs, found dict"),
        (["A", 7], "must be a list of strings"),
        (["A", "B", "A"], "1 ASINs occur more than once: A"),
    ],
)
def test_malformed_splits_are_named(tmp_path, content, message):
    data = module(tmp_path, category="dress")
    (tmp_path / "image_splits" / "split.dress.val.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=rf"split\.dress\.val\.json.*{message}"):
        data.task("val")
    (tmp_path / "image_splits" / "split.dress.val.json").unlink()
    with pytest.raises(DataError, match=r"no such file; .*github\.com/XiaoxiaoGuo/fashion-iq"):
        data.task("val")


@pytest.mark.parametrize(
    ("captions", "text"),  # what the official expression gave
    [
        ((" yello and more flowing", "short and black"), "Yello and more flowing and short and black"),
        (
            ("is the same.", "appears to be exactly the same?"),
            "Is the same and appears to be exactly the same",
        ),
        (
            ("is less fitted & brighter.. ?", "Is More Colorful ,"),
            "Is less fitted & brighter and Is More Colorful",
        ),
        (("", "is darker"), " and is darker"),
    ],
)
def test_captions_are_joined_as_officially(captions, text):
    assert Triplet("", ("dress", "A"), None, captions).text == text


def test_doctor_on_a_sound_folder_names_what_splits_share(tmp_path):
    data = module(tmp_path, category="dress")
    change(tmp_path, "dress", "train", lambda r: r.__setitem__(slice(None), fashion_captions(["BD"])))
    found = examine(data, ["val"], lambda items, n: items)
    assert (found.findings, found.splits[0].digest is None) == ([], False)
    (shared,) = [f for f in examine(data, ["train", "val"], lambda i, n: i).findings]
    assert shared.check == "images in both splits" and set(shared.items) == {"images/B.png", "images/D.png"}


@pytest.mark.data
class TestRealData:
    def test_counts(self, data_root):
        found = {}
        for category in ("dress", "shirt", "toptee", "all"):
            data = FashionIQDataModule(str(data_root / "fashion_iq"), category=category)
            for split in ("train", "val"):
                sources = data.sources(split)
                assert not sources.problems and sources.has_truth
                found[category, split] = len(sources.queries), sources.n_gallery, len(sources.names)
        assert found == {
            ("dress", "train"): (5985, 5985, 7757),
            ("dress", "val"): (2017, 3817, 3817),
            ("shirt", "train"): (5988, 5988, 8988),
            ("shirt", "val"): (2038, 6346, 6346),
            ("toptee", "train"): (6027, 6027, 8695),
            ("toptee", "val"): (1961, 5373, 5373),
            ("all", "train"): (18000, 18000, 25136),
            ("all", "val"): (6016, 15536, 15415),
        }

    def test_images_are_missing_and_splits_of_two_categories_share_some(self, data_root):
        data = FashionIQDataModule(str(data_root / "fashion_iq"))
        found = examine(data, ["train", "val"], lambda items, n: items).findings
        checks = {(f.where.rpartition(" ")[2], f.check): len(f.items) for f in found}
        assert checks == {
            ("fashion_iq/train/all", "images missing"): 25136,
            ("fashion_iq/val/all", "images missing"): 15415,
            ("fashion_iq/val/all", "images in both splits"): 400,
            ("fashion_iq/val/all", "queries in both splits (reference and text)"): 3,
        }
        alone = FashionIQDataModule(str(data_root / "fashion_iq"), category="dress")
        assert Counter(f.check for f in examine(alone, ["train", "val"], lambda i, n: i).findings) == {
            "images missing": 2
        }

    def test_all_categories_together_score_like_each_alone(self, data_root, monkeypatch):
        monkeypatch.setattr("datamodules.fashion_iq.quick", lambda *_, **__: [])  # no photographs at hand
        task = FashionIQDataModule(str(data_root / "fashion_iq"), gallery="val").task("val")
        task = task.select(torch.arange(0, task.n_queries, 12))
        generator = torch.Generator().manual_seed(0)
        queries, gallery = (torch.randn(n, 4, generator=generator) for n in (task.n_queries, task.n_gallery))
        ranking = rank(queries, gallery, task.qrels, top_k=50)
        for group in range(3):
            rows, items = task.query_group == group, (task.gallery_group == group).nonzero().flatten()
            alone = Qrels.from_targets(torch.searchsorted(items, task.qrels.target[rows]))
            expected = rank(queries[rows], gallery[items], alone)
            assert torch.equal(ranking.target_rank[rows], expected.target_rank)
        assert per_query("recall@50", ranking, task.qrels).mean() < 0.1  # chance is 0.017

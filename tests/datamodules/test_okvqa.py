import json

import pytest
from PIL import Image

from datamodules import OkvqaDataModule
from datamodules.doctor.examine import examine
from datamodules.doctor.quick import quick
from datamodules.layouts.corpus import HubCorpus, PassageColumns
from datamodules.okvqa import held_out
from requery.errors import ConfigError, DataError
from requery.ranking.pseudo_relevance import pseudo_relevance
from tests.datamodules.questions import TRAIN, write_okvqa


def module(root, **settings):
    return OkvqaDataModule(str(write_okvqa(root)), **settings)


def test_questions_captions_answers_and_corpus(tmp_path):
    data = module(tmp_path)
    task = data.task("test")
    assert task.protocol.key == "okvqa/test/gs112k/question_caption/both/substring@1"
    assert task.query_ids == ["71", "81"] and task.query_image is None and not task.has_truth
    assert task.query_text[0] == "What sport is this? a picture of 7."
    assert task.gallery_ids == ["g0", "g1", "g2"]
    assert task.gallery_text[0] == "Motocross is, of course,\na sport"
    assert task.qrels.target.tolist() == [-1, -1]
    assert data.answers("test") == [("racing", "motocross", "race"), ("deer",)]


@pytest.mark.parametrize(
    ("answers", "expected", "first"),
    [
        ("raw", ("racing", "motocross"), 50.0),
        ("stemmed", ("race", "motocross"), 100.0),
        ("both", ("racing", "motocross", "race"), 100.0),
    ],
)
def test_what_counts_as_an_answer_is_another_protocol(tmp_path, answers, expected, first):
    data = module(tmp_path, answers=answers, captions="none", match="word")
    task = data.task("test")
    assert task.protocol.name == f"okvqa/test/gs112k/question/{answers}/word"
    assert data.answers("test")[0] == expected and task.query_text[1] == "Which animal?"
    retrieved = [[task.gallery_text[1]], [task.gallery_text[2]]]
    assert pseudo_relevance(data.answers("test"), retrieved, [1])["P@1"] == first


def test_official_annotations_come_first(tmp_path):
    data = module(tmp_path)
    given = [
        {"raw_answer": raw, "answer": stem} for raw, stem in [("cats", "cat"), ("cats", "cat"), ("", "")]
    ]
    annotations = [{"question_id": name, "answers": given} for name in (71, 81)]
    (tmp_path / "mscoco_val2014_annotations.json").write_text(json.dumps({"annotations": annotations}))
    assert data.answers("test") == [("cats", "cat")] * 2


def test_val_and_train_share_no_image(tmp_path):
    data = module(tmp_path)
    val, train = data.task("val").query_ids, data.task("train").query_ids
    assert [name for name in val if held_out(int(name) // 10)] == val
    assert len(val) > 0 and not set(val) & set(train) and len(val) + len(train) == len(TRAIN)


def test_queries_have_images_where_they_are_asked_for(tmp_path):
    data = module(tmp_path, image_root="coco")
    with pytest.raises(DataError, match=r"images missing: 2 of 2 \(COCO_val2014_000000000007\.jpg"):
        data.task("test")
    folder = tmp_path / "coco/val2014"
    folder.mkdir(parents=True)
    for image in (7, 8):
        Image.new("RGB", (8, 8)).save(folder / f"COCO_val2014_{image:012d}.jpg")
    task = data.task("test")
    assert task.query_image.tolist() == [0, 1] and task.images.load(1).size == (8, 8)


def test_a_corpus_through_datasets(tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    rows = [{"passage_id": f"h{i}", "passage": f"text {i}"} for i in range(3)]
    (copy / "passages_train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    columns = PassageColumns("passage_id", "passage")
    hub = HubCorpus(str(copy), columns=columns)
    task = module(tmp_path, hub=hub, corpus_name="m2kr").task("test")
    assert task.gallery_ids == ["h0", "h1", "h2"] and task.gallery_text[2] == "text 2"
    assert "/m2kr/" in task.protocol.name
    for changed, message in (
        ({"split": "test"}, "no split 'test'; its splits are train"),
        ({"columns": PassageColumns()}, "no column id, text; its columns are passage_id, passage"),
    ):
        wrong = HubCorpus(str(copy), **{"columns": columns, **changed})
        with pytest.raises(DataError, match=message):
            module(tmp_path, hub=wrong).task("test")
    with pytest.raises(ConfigError, match="needs its commit"):
        module(tmp_path, hub=HubCorpus("owner/name", name="OKVQA_passages")).task("test")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id,text\n", r"first line must be kid,text, not id, text"),
        ("kid,text\na,b,c\n", r"line 2: 3 columns instead of kid,text"),
        ('kid,text\na,"b\n', r"not valid CSV"),
        ("kid,text\n", r"holds no passage"),
        ("kid,text\na,b\na,c\n", r"1 passage ids occur more than once: a"),
    ],
)
def test_a_malformed_corpus_is_named(tmp_path, content, message):
    data = module(tmp_path)
    (tmp_path / "okvqa_train_corpus.csv").write_text(content)
    with pytest.raises(DataError, match=rf"okvqa_train_corpus\.csv.*{message}"):
        data.task("test")


def test_what_is_missing_is_told_together(tmp_path):
    data = module(tmp_path)
    for name in ("okvqa_train_corpus.csv", "VinVL_base_val2014.tsv"):
        (tmp_path / name).unlink()
    (finding,) = quick(data.sources("test"))
    corpus, captions = sorted(finding.items, reverse=True)
    assert "okvqa_train_corpus.csv: no such file; GS112K is on the Google Drive of github.com" in corpus
    assert "captions: none" in captions
    (tmp_path / "testdev.json").unlink()
    with pytest.raises(DataError, match=r"testdev\.json: no such file; nor is there mscoco_val2014"):
        data.task("test")


@pytest.mark.parametrize("line", ["7", "x\t[]", '7\t[{"conf": 1}]', "7\t[]"])
def test_a_malformed_caption_is_named(tmp_path, line):
    data = module(tmp_path)
    (tmp_path / "VinVL_base_val2014.tsv").write_text(line)
    with pytest.raises(DataError, match=r"VinVL_base_val2014\.tsv, line 1"):
        data.task("test")


def test_an_image_without_caption_and_a_question_without_answer(tmp_path):
    data = module(tmp_path)
    (tmp_path / "VinVL_base_val2014.tsv").write_text('7\t[{"caption": "a"}]\n')
    soft = json.loads((tmp_path / "testdev.json").read_text())
    (tmp_path / "testdev.json").write_text(json.dumps([{**soft[0], "label": {}}, soft[1]]))
    with pytest.raises(DataError, match=r"1 questions have no answer: 71") as error:
        data.task("test")
    assert "no caption of image 8" in str(error.value)


@pytest.mark.data
def test_the_official_files(data_root):
    data = OkvqaDataModule(str(data_root / "okvqa"))
    sources = data.sources("test")
    assert len(sources.queries) == len(data.answers("test")) == 5046
    assert sources.queries[0].text == (
        "What sport can you use this for? a black motorcycle parked in a parking lot."
    )
    assert data.answers("test")[0] == ("racing", "motocross", "riding", "race", "ride")
    assert [len(data.sources(split).queries) for split in ("train", "val")] == [8504, 505]
    (finding,) = examine(data, ["test"], lambda items, n: items).findings
    (missing,) = finding.items
    assert "okvqa_train_corpus.csv: no such file; GS112K is on" in missing

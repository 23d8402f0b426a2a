import json
import re
from html.parser import HTMLParser

import pytest

from experiments.report.command import main
from requery.errors import ConfigError, RunError


class Tags(HTMLParser):
    """Tags with attributes, and a check that what is opened is closed."""

    VOID = ("meta", "link", "img", "br", "hr", "input")

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.text = [], [], []
        self.feed(page)
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style",):
            self.text.append(data)

    def words(self):
        return re.sub(r"\s+", " ", " ".join(self.text))


def report(runs, *options):
    output = runs.root.parent / "out" / "report.html"
    main("report", [str(runs.root), "--output", str(output), *options])
    return output.read_text()


def test_whole_page(runs, capsys):
    runs.run("sum", strength=0.5, trained=False)
    runs.run("info_nce", strength=2.5, notes={"queries_with_unreadable_images": 2})
    for seed in range(2):
        runs.run("two_drop", f"s{seed}", strength=3.0, seed=seed)
    runs.run("two_drop", "broken").file("metrics.json").write_text("{")
    page = report(runs)
    tags, words = Tags(page), Tags(page).words()
    assert len(page) < 3_000_000
    for tag, attrs in tags.tags:
        assert tag not in ("script", "link", "iframe", "img", "object")
        assert all(attrs.get(name, "#").startswith("#") for name in ("href", "src"))
    assert "http:" not in page and "https:" not in page and "@import" not in page
    assert all(url.startswith("data:image/webp;base64,") for url in re.findall(r"url\(([^)]*)\)", page))
    titles = ["recall@K, %", "Training loss", "Validation recall@1, %", "Size of the hard-negative sets"]
    for text in [*titles, "Offset of the first hard negative", "False negatives among the sampled, %"]:
        assert text in words
    for text in (
        "shapes/composed@1",
        "queries with unreadable images: 2",
        "dddddddddddd",
        "ceiling (oracle) 51.0",
    ):
        assert text in words
    assert "two_drop wins over sum" in words and "200 items/s" in words and "1.50 GiB" in words
    assert "broken" in words and "metrics.json is damaged" in words
    value = json.loads((runs.root / "info_nce" / "first" / "metrics.json").read_text())["metrics"]["recall@1"]
    assert f"[{100 * value['low']:.1f}, {100 * value['high']:.1f}]" in words
    assert "▲" in words and '<span class="mark better"' in page
    assert "4 tested runs" in capsys.readouterr().out


def test_pictures_are_embedded_once_and_shown_often(runs):
    runs.run("sum", strength=0.5, trained=False)
    runs.run("info_nce", strength=2.5)
    page = report(runs)
    rules = re.findall(r"^\.(p\d+)\{background-image:url\((.*)\)\}", page, flags=re.M)
    shown = re.findall(r'class="pic (p\d+) ', page)
    assert len(rules) == len({uri for _, uri in rules}) and {name for name, _ in rules} == set(shown)
    assert len(shown) > len(rules) > 15


def test_open_examples(runs):
    runs.run("sum", strength=0.5, trained=False)
    runs.run("info_nce", strength=0.6)
    for count in (0, 2):
        page = report(runs, "--open-examples", str(count), "--examples", "3")
        tags = [attrs for tag, attrs in Tags(page).tags if tag == "details"]
        details = [attrs for attrs in tags if "example" in attrs["class"]]
        assert len(details) == 9 and sum("open" in attrs for attrs in details) == 3 * count


def test_texts_are_escaped(runs):
    evil = '<script>alert("x")</script>'
    runs.run("<b>arm", notes={evil: 1})
    runs.run("other", "odd", tested=False, status="failed").write_status("failed", [], evil)
    page = report(runs)
    assert "<script>" not in page and "<b>arm" not in page
    assert "&lt;script&gt;" in page and "&lt;b&gt;arm" in page
    Tags(page)


def test_captions_that_hold_markup_are_escaped(runs, monkeypatch):
    runs.run("a")
    from experiments.report import section

    load_task = section.load_task

    def with_markup(run):
        task = load_task(run)
        object.__setattr__(task, "query_text", ["<i>red</i> & 'blue'"] * task.n_queries)
        return task

    monkeypatch.setattr(section, "load_task", with_markup)
    page = report(runs)
    assert "<i>red" not in page and "&lt;i&gt;red&lt;/i&gt; &amp; &#39;blue&#39;" in page


def test_each_protocol_has_its_own_table(runs):
    runs.run("a")
    runs.run("b", protocol="shapes/composed@2")
    runs.run("c", split="val")
    page = report(runs)
    sections = re.split(r'<section class="protocol"', page)[1:]
    arms = [re.findall(r'<span class="arm">(.*?)</span>', part) for part in sections]
    assert [[name for name in names if "ceiling" not in name] for names in arms] == [["a"], ["c"], ["b"]]
    assert "shapes/composed@2" in sections[2] and "shapes/composed@2" not in sections[0]


def test_pages_without_pictures_say_why(runs):
    config = runs.config()
    config["data"] = {"class_path": "datamodules.gone.GoneDataModule"}
    runs.run("a", config=config)
    words = Tags(report(runs)).words()
    assert "No pictures: " in words and "config.yaml cannot be loaded" in words
    assert "A random sample" in words and re.search(r"test-q\d{6}", words)


def test_differing_environments_are_shown(runs):
    runs.run("a")
    other = runs.run("b")
    environment = json.loads(other.file("environment.json").read_text())
    environment["packages"]["torch"] = "1.0.odd"
    environment["git"] = {"commit": "c0ffee" * 6, "dirty": True}
    other.write_json("environment.json", environment)
    words = Tags(report(runs)).words()
    assert "packages.torch" in words and "1.0.odd b/first" in words and "c0ffeec0ff + changes" in words


def test_the_baseline_can_be_chosen(runs):
    runs.run("a", strength=0.5)
    runs.run("b", strength=3.0)
    assert "against b" in Tags(report(runs, "--baseline", "b")).words()
    with pytest.raises(ConfigError, match="no arm is called 'c'; choose one of a, b"):
        report(runs, "--baseline", "c")


def test_a_training_run_alone_is_reported(runs):
    runs.run("a", tested=False)
    words = Tags(report(runs)).words()
    assert "Trained, not tested" in words and "Training loss" in words


def test_no_run_is_an_error(runs, tmp_path):
    (tmp_path / "runs" / "a" / "dead").mkdir(parents=True)
    with pytest.raises(RunError, match=r"no run to report below .*runs; fit and test one first\n.*dead"):
        report(runs)


def test_a_negative_number_of_examples_is_refused(runs, capsys):
    with pytest.raises(SystemExit) as stop:
        report(runs, "--open-examples", "-1")
    assert stop.value.code == 2 and "-1 is negative" in capsys.readouterr().err

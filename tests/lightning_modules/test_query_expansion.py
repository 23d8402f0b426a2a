"""Query expansion through a real Trainer: a rule in the model's place, a tiny CLIP as the encoder."""

import json

import lightning as L
import pyarrow.parquet as pq
import pytest
import torch

from callbacks.run_record import RunRecord
from datamodules import ShapesDataModule
from datamodules.shapes import Families
from experiments.cli import resolve
from lightning_modules import QueryExpansionModule
from requery.errors import ConfigError, DataError
from requery.expansion import ExpansionSettings
from requery.expansion.row import BASELINE, ExpansionRow
from requery.generation import Answer, RuleGenerator, Store, caption_requests, generate, source
from requery.generation.caption_source import CaptionSource
from requery.generation.source import GeneratorSource
from requery.ranking.pseudo_relevance import KS, pseudo_relevance
from requery.shapes.tasks import captions
from tests.requery.expansion.conftest import reader

SIZES = Families(train=4, val=3, test=8)
QUESTIONS = SIZES.test * 6
FILES = ("expansion.json", "expansion.parquet", "metrics.json", "run.trec")


class Model:
    """The reader in batches of eight, whose base model knows nothing; counts, and may be killed."""

    takes_prompts, batch_size = True, 8
    loaded, batches, fatal = [], 0, None

    def __init__(self, adapter):
        self.name, self.adapted = "reader", adapter is not None
        self.identity = {"kind": "rule", "model": "reader", "adapter": adapter}
        Model.loaded.append(adapter)

    def answer(self, prompts, sampling):
        if Model.batches == Model.fatal:
            raise KeyboardInterrupt
        Model.batches += 1
        texts = [reader(prompt) if self.adapted else "a thing" for prompt in prompts]
        return [Answer(text, len(text.split()), 0.25) for text in texts]


@pytest.fixture(autouse=True)
def model(monkeypatch):
    Model.loaded, Model.batches, Model.fatal = [], 0, None
    monkeypatch.setattr(source, "load_generator", lambda folder, revision, adapter, *_: Model(adapter))


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """A store with the truth as the captioner's captions."""
    folder, data = tmp_path_factory.mktemp("said"), ShapesDataModule("knowledge", families=SIZES)
    images = data.task("test").images
    texts = {images.digest(i): one.text for i, one in enumerate(captions(data.world, "test", len(images)))}
    truth = iter(texts.values())
    teller = RuleGenerator(lambda prompt: next(truth), "truth@1")
    teller.batch_size = 1
    limit = CaptionSource().max_new_tokens
    generate(teller, caption_requests(images), max_new_tokens=limit, store=Store(folder))
    return CaptionSource(store=str(folder))


ROWS = (
    ExpansionRow(by="rules"),
    ExpansionRow(by="none", search="dense"),
    ExpansionRow(lora=False),
    ExpansionRow(label="expanded"),
    ExpansionRow(change={"image": False}),
    ExpansionRow(change={"fusion": "rrf"}),
    ExpansionRow(label="both", search="hybrid"),
)


@pytest.fixture
def tested(checkpoints, said, tmp_path):
    def test(name="run", rows=ROWS, store="store", data=None, **options):
        generator = GeneratorSource("reader", adapter="adapter", store=str(tmp_path / store))
        settings = {"captions": said, "cache": str(tmp_path / "cache"), "encoder": str(checkpoints / "clip")}
        made = QueryExpansionModule(generator, rows, **{**settings, **options})
        L.Trainer(
            accelerator="cpu",
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
            use_distributed_sampler=False,
            callbacks=[RunRecord(tmp_path / name)],
        ).test(made, data or ShapesDataModule("knowledge", families=SIZES), verbose=False)
        return made.tested, tmp_path / name

    return test


def contents(folder):
    """All that must not depend on the run."""
    return {
        path.name: path.read_bytes()
        for path in [*(folder / "traces").iterdir(), *map(folder.joinpath, FILES)]
    }


def test_rows_side_by_side(tested):
    found, folder = tested()
    names = [BASELINE, "rules", "none, dense", "model(lora=False)", "expanded", "model(image=False)"]
    assert list(found.rows) == [*names, "model(fusion=rrf)", "both"]
    assert Model.loaded == [None, "adapter"]  # the base model, then the adapted one, once each
    values = found.values["hit_any@5"]
    assert float(values["expanded"].mean()) > float(values[BASELINE].mean()) + 0.1
    assert torch.equal(values[BASELINE], values["model(lora=False)"])  # it says nothing that is in a passage
    for name, items in found.lists.items():
        assert items.shape == (QUESTIONS, 100)
        real = [row[row >= 0].tolist() for row in items]
        assert all(len(set(row)) == len(row) for row in real), name
    assert not torch.equal(found.lists["both"], found.lists["expanded"])
    content = json.loads((folder / "expansion.json").read_text())
    assert content["main"] == found.gated == "expanded" and content["rows"]["expanded"]["cost"]["asked"] == 1
    assert content["rows"]["expanded"]["outcomes"]["query"] == {"expanded": QUESTIONS}
    assert content["rows"]["both"]["traces"] == content["rows"]["expanded"]["traces"]
    cost = json.loads((folder / "cost.json").read_text())["stages"]
    # five rows search by terms of their own, two by vectors; `both` fuses what is there
    assert cost["search_bm25"]["items"] == 6 * QUESTIONS and cost["search_dense"]["items"] == 2 * QUESTIONS
    assert cost["expand_expanded"]["items"] == QUESTIONS
    columns = pq.read_table(folder / "expansion.parquet").to_pydict()
    assert len(columns["row"]) == len(found.rows) * QUESTIONS
    at = columns["row"].index("expanded")
    trace = found.traces_of("expanded")[0]
    assert (columns["tokens"][at], columns["seconds"][at]) == (trace.tokens, 0.25 * len(trace.steps))


def test_the_numbers_are_those_of_the_lists(tested):
    found, _ = tested(rows=(ExpansionRow(), ExpansionRow(by="none", search="dense")))
    corpus = found.task.gallery_text
    for name, items in found.lists.items():
        passages = [[corpus[i] for i in row if i >= 0] for row in items.tolist()]
        expected = pseudo_relevance(found.answers, passages, KS)
        for k in KS:
            assert float(found.values[f"precision@{k}"][name].mean()) == pytest.approx(
                expected[f"P@{k}"] / 100, abs=1e-15
            )
            assert float(found.values[f"hit_any@{k}"][name].mean()) == pytest.approx(
                expected[f"R@{k}"] / 100, abs=1e-15
            )
    ranks = found.first_right(BASELINE)
    assert torch.equal((ranks > 0) & (ranks <= 5), found.values["hit_any@5"][BASELINE].bool())
    target = found.task.qrels.target
    gold = (found.lists[BASELINE][:, :5] == target[:, None]).any(1).double()
    assert torch.equal(found.values["gold/recall@5"][BASELINE], gold)


def test_two_runs_with_one_store_write_the_same(tested):
    _, first = tested("first")
    batches = Model.batches
    _, second = tested("second")
    assert Model.batches == batches  # all was in the store
    _, third = tested("third", store="another")
    made = contents(first)
    for other in (second, third):
        again = contents(other)
        assert again.keys() == made.keys()
        for name in made:
            same = (
                made[name]
                if name != "run.trec"
                else made[name].replace(b" first\n", f" {other.name}\n".encode())
            )
            assert again[name] == same, name


def test_a_kill_costs_one_batch(tested):
    whole, _ = tested("whole", store="whole")
    needed = Model.batches
    Model.batches, Model.fatal = 0, needed // 2
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        tested("killed")
    assert Model.batches == needed // 2
    Model.fatal = None
    resumed, _ = tested("resumed")
    assert Model.batches == needed  # the batch that was killed had given nothing, and no other is made twice
    for name in whole.lists:
        assert torch.equal(resumed.lists[name], whole.lists[name])


def test_without_a_model_nothing_is_loaded(tested):
    found, folder = tested(rows=(ExpansionRow(by="rules"),), encoder=None)
    assert Model.loaded == [] and list(found.rows) == [BASELINE, "rules"] and found.main == "rules"
    assert json.loads((folder / "metrics.json").read_text())["protocol"].endswith("expanded (rules)")
    assert found.gated == "rules"


def test_a_gate_spares_queries(tested):
    rows = (ExpansionRow(change={"gate.shape": "margin", "gate.below": 0.05}),)
    found, folder = tested(rows=rows, encoder=None)
    name = list(found.rows)[1]
    asked, tokens, _ = found.spent(name)
    assert torch.equal(asked, found.sharp[:, 0] < 0.05) and 0 < int(asked.sum()) < QUESTIONS
    assert torch.equal(tokens > 0, asked)
    assert torch.equal(found.lists[name][~asked], found.lists[BASELINE][~asked])
    assert found.gated is None and json.loads((folder / "expansion.json").read_text())["gate"]["curves"] == {}


def test_wrong_uses_are_named(tested, said):
    with pytest.raises(ConfigError, match="two rows have one name"):
        tested(rows=(ExpansionRow(by="none"),))
    with pytest.raises(ConfigError, match=r"set model\.encoder"):
        tested(rows=(ExpansionRow(search="hybrid"),), encoder=None)
    with pytest.raises(ConfigError, match=r"set model\.generator\.adapter"):
        QueryExpansionModule(rows=(ExpansionRow(lora=False),))
    with pytest.raises(ConfigError, match="questions are asked in knowledge"):
        tested(data=ShapesDataModule("text_to_image", families=SIZES))
    with pytest.raises(DataError, match="generators fit"):
        QueryExpansionModule(GeneratorSource(store="nowhere")).generator.load(Store("nowhere"))
    with pytest.raises(ConfigError, match="depths of at least 1"):
        QueryExpansionModule(ks=())


def test_settings_survive_a_checkpoint_as_plain_values():
    made = QueryExpansionModule(settings=ExpansionSettings(prompts="short@1"))
    kept = made.hparams["settings"]
    assert kept["prompts"] == "short@1" and kept["weighting"]["caption"] == 0.5
    assert QueryExpansionModule(settings=kept).settings == made.settings
    given = {"class_path": "lightning_modules.QueryExpansionModule", "init_args": dict(made.hparams)}
    args = ["--model", json.dumps(given), "--data=datamodules.ShapesDataModule"]
    assert resolve("test", args)["model"]["init_args"]["settings"]["prompts"] == "short@1"

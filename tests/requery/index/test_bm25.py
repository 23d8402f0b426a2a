import math
import random
from collections import Counter

import bm25s
import pytest
import torch

from requery.errors import ConfigError, DataError
from requery.index import Analyser, Bm25, Bm25Index
from requery.index.text_query import counted, merged
from requery.ragged import Ragged
from requery.ranking.qrels import Qrels

PLAIN = Analyser(stop_words="none", stemmer="none")
WORDS = [f"w{i}" for i in range(40)] + ["5", "a"]


def texts(n, seed=0, longest=30):
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=draw.randint(1, longest))) for _ in range(n)]


def built(corpus, **settings):
    index = Bm25Index(Bm25(**{"analyser": PLAIN, **settings}))
    index.add(corpus)
    return index


def naive(corpus, terms, k1=0.9, b=0.4):
    """The formula, passage by passage."""
    counts = [Counter(text.split()) for text in corpus]
    mean = sum(sum(count.values()) for count in counts) / len(counts)
    scores = []
    for count in counts:
        length = sum(count.values())
        score = 0.0
        for term, weight in terms.items():
            n = sum(term in other for other in counts)
            idf = math.log(1 + (len(corpus) - n + 0.5) / (n + 0.5))
            saturated = count[term] + k1 * (1 - b + b * length / mean)
            score += weight * idf * count[term] / saturated if count[term] else 0
        scores.append(score)
    return torch.tensor(scores)


@pytest.mark.parametrize(("k1", "b"), [(0.9, 0.4), (1.5, 0.75), (0.0, 0.0)])
def test_scores_are_the_formula(k1, b):
    corpus = texts(50)
    queries = [{"w1": 1.0, "w3": 0.3, "5": 2.0}, {"w7": 1.0, "unknown": 4.0}, {}]
    found = built(corpus, k1=k1, b=b).scores(queries)
    for row, terms in zip(found, queries, strict=True):
        torch.testing.assert_close(row, naive(corpus, terms, k1, b), rtol=1e-5, atol=1e-6, check_dtype=False)


def test_bm25s_finds_the_same_passages():
    corpus, asked = texts(80), texts(9, seed=1, longest=6)
    index = built(corpus)
    theirs = bm25s.BM25(k1=0.9, b=0.4)
    theirs.index([text.split() for text in corpus], show_progress=False)
    expected = torch.stack([torch.from_numpy(theirs.get_scores(text.split())) for text in asked])
    scores, items = index.search(asked, 10)
    torch.testing.assert_close(scores, expected.sort(descending=True).values[:, :10])
    torch.testing.assert_close(scores, expected.gather(1, items))


def test_one_digit_is_a_query():
    index = built(["gate 4 is shut", "gate 5 is open", "no gate"])
    scores, items = index.search(["5"], 3)
    assert items.tolist() == [[1, -1, -1]] and scores[0, 0] > 0 and scores[0, 1] == -torch.inf


def test_passages_without_a_term_are_not_retrieved():
    index = built(["a b", "c d", "a e"])
    qrels = Qrels.from_targets(torch.tensor([1, 2]))
    ranking = index.rank([{"a": 1.0}, {"a": 1.0}], qrels)
    assert ranking.target_rank.tolist() == [0, 2]  # 0 and 2 tie: the smaller number comes first
    assert ranking.top_index.tolist() == [[0, 2, -1]] * 2
    assert index.search(["", "unknown"], 5)[1].tolist() == [[-1] * 3] * 2
    assert index.search_terms([{"a": 1.0}], 2, Ragged.from_rows([[0]]))[1].tolist() == [[2, -1]]


def test_expansions_merged_score_their_sum():
    corpus = texts(60)
    index = built(corpus)
    expansions = [counted(text.split(), 0.5 + i) for i, text in enumerate(texts(12, seed=2, longest=6))]
    one, each = index.scores([merged(expansions)])[0], index.scores(expansions)
    torch.testing.assert_close(one, each.sum(0), rtol=1e-5, atol=1e-6)
    weights = [0.1 * i for i in range(12)]
    weighted = index.scores([merged(expansions, weights)])[0]
    torch.testing.assert_close(weighted, torch.tensor(weights) @ each, rtol=1e-5, atol=1e-6)


def test_bits_depend_neither_on_the_order_of_words_nor_on_the_batch():
    corpus, asked = texts(70), texts(9, seed=3, longest=8)
    index, small = built(corpus), built(corpus)
    small.memory_budget = 1  # one query at a time
    backwards = [" ".join(reversed(text.split())) for text in asked]
    expected = index.search(asked, 20)
    for other in (index.search(backwards, 20), small.search(asked, 20)):
        assert torch.equal(other[0], expected[0]) and torch.equal(other[1], expected[1])


def test_passages_without_any_term_keep_their_numbers():
    index = Bm25Index()
    index.add(["the", "", "deer", "…"])
    assert len(index) == 4 and index.search(["deer"], 4)[1].tolist() == [[2, -1, -1, -1]]


def test_stop_words_and_stems_are_the_corpus_own():
    index = Bm25Index()
    index.add(["The racing cars", "A red deer"])
    assert index.tokens("the races of cars") == ["race", "car"]
    assert index.search(["who races?"], 2)[1].tolist() == [[0, -1]]
    assert index.search(["the"], 2)[1].tolist() == [[-1, -1]]
    assert index.idf("deer") == pytest.approx(math.log(1 + 1.5 / 1.5))
    assert index.idf("unknown") == pytest.approx(math.log(1 + 2.5 / 0.5))


def test_an_index_comes_back_from_its_file(tmp_path):
    index = built(texts(50), k1=1.2, b=0.7)
    index.save(path := tmp_path / "a" / "bm25")
    again = Bm25Index.load(path)
    asked = texts(5, seed=4)
    assert again.settings == index.settings and len(again) == 50
    assert all(torch.equal(a, b) for a, b in zip(again.search(asked, 7), index.search(asked, 7), strict=True))
    assert [found.name for found in path.parent.iterdir()] == ["bm25"]


def test_bad_files_are_named(tmp_path):
    path = tmp_path / "index"
    with pytest.raises(DataError, match="not a readable index"):
        Bm25Index.load(path)
    built(texts(20)).save(path)
    whole = path.read_bytes()
    for at in [*range(0, 400, 7), *range(400, len(whole), 53)]:
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        with pytest.raises(DataError, match=r"index: .*build it again"):
            Bm25Index.load(path)


def test_bad_use_is_refused(tmp_path):
    index = built(texts(5))
    with pytest.raises(DataError, match="holds 5 passages; make another"):
        index.add(["more"])
    for call in (lambda i: i.search(["a"], 1), lambda i: i.save(tmp_path / "x")):
        with pytest.raises(DataError, match="corpus is empty"):
            call(Bm25Index())
    with pytest.raises(DataError, match="none of 2 passages holds a term"):
        Bm25Index().add(["the", "…"])
    for weight in (-1.0, math.nan, math.inf):
        with pytest.raises(ConfigError, match="weights of terms"):
            index.search_terms([{"w1": weight}], 1)
    with pytest.raises(ConfigError, match="top_k"):
        index.search(["a"], 0)
    with pytest.raises(DataError, match="no query"):
        index.search([], 1)
    for settings in ({"k1": -1}, {"b": 1.1}):
        with pytest.raises(ConfigError, match="BM25 with"):
            Bm25(**settings)

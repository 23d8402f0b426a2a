"""What a search found, without what fills its rows; and the index that these tests search."""

import pytest

from requery.expansion import Corpus, Expander, ExpansionSettings, Found, Weighting
from requery.index.bm25 import Bm25Index
from tests.requery.expansion.conftest import TinyIndex, corpus_of


def test_rows_end_where_nothing_more_is_found():
    corpus = corpus_of("red deer", "deer", "car")
    one, none = corpus.find(["deer", "boat"], 3)
    assert one.items == (0, 1) and one.scores == pytest.approx((corpus.index.idf["deer"],) * 2)
    assert none == Found((), ())
    assert corpus.find([], 3) == corpus.find_terms([], 3) == []


def test_passages_are_quoted_on_one_line_and_cut():
    assert corpus_of("a b\nc  d", "e").quoted([1, 0], 3) == ["e", "a b c"]


def test_the_tiny_index_is_a_sum_over_terms():
    index = TinyIndex(["red deer", "deer", "car"])
    scores, items = index.search_terms([{"deer": 2.0, "red": 1.0, "boat": 9.0}], 3)
    assert items.tolist() == [[0, 1, -1]]
    assert scores[0, 0] == pytest.approx(2 * index.idf["deer"] + index.idf["red"])


def test_over_bm25_with_equal_weights_the_original_query_is_a_plain_search(knowledge, model):
    corpus, queries, _ = knowledge
    index = Bm25Index()
    index.add(corpus.texts)
    settings = ExpansionSettings(rewrite=False, expand=False, weighting=Weighting(caption=1.0))
    expander = Expander(model, Corpus(index, corpus.texts), settings)
    traces = expander.expand(queries)
    scores, items = index.search([f"{query.question} {query.caption}" for query in queries], 10)
    found = expander.search(traces, 10)
    assert [f.items for f in found] == [tuple(i for i in row if i >= 0) for row in items.tolist()]
    assert [f.scores[0] for f in found] == scores[:, 0].tolist()

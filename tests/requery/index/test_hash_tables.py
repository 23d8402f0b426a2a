import pytest
import torch

from requery.errors import ConfigError
from requery.index.hash_tables import HashTables, found_probability


def unit(*shape, seed=0):
    return torch.nn.functional.normalize(
        torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1
    )


def test_dictionaries_of_buckets_find_the_same():
    gallery, queries = unit(200, 8), unit(12, 8, seed=1)
    tables = HashTables(tables=3, bits=4, seed=5)
    tables.add(3 * gallery)
    item_keys, query_keys = tables.keys(gallery), tables.keys(queries)
    scores, items = tables.search(queries, 5)
    for q, query in enumerate(queries):
        buckets = [{i for i in range(200) if item_keys[i, t] == query_keys[q, t]} for t in range(3)]
        near = sorted(set().union(*buckets), key=lambda i: (-float(gallery[i] @ query), i))
        assert tables.candidates(queries)[q].tolist() == sorted(near)
        assert [i for i in items[q].tolist() if i >= 0] == near[:5]
        assert float(scores[q, 0]) == pytest.approx(float(gallery[near[0]] @ query), abs=1e-6)


def test_a_query_whose_buckets_are_empty_finds_nothing():
    tables = HashTables(tables=1, bits=1)
    tables.add(unit(1, 8))
    opposite = tables.search(-unit(1, 8), 2)
    assert opposite[1].tolist() == [[-1]] and opposite[0].tolist() == [[-torch.inf]]


@pytest.mark.parametrize(("cosine", "expected"), [(0.8, 0.879), (0.5, 0.219), (1.0, 1.0)])
def test_how_likely_an_item_is_found(cosine, expected):
    assert found_probability(cosine, tables=32, bits=12) == pytest.approx(expected, abs=1e-3)


def test_the_formula_holds():
    cosine, n = 0.7, 4000
    query = unit(1, 16)
    across = unit(n, 16, seed=1)
    across = torch.nn.functional.normalize(across - (across @ query.T) * query, dim=1)
    found = []
    for seed in range(20):
        tables = HashTables(tables=8, bits=6, seed=seed)
        tables.add(cosine * query + (1 - cosine**2) ** 0.5 * across)
        found.append(len(tables.candidates(query)[0]) / n)
    assert sum(found) / len(found) == pytest.approx(found_probability(cosine, 8, 6), abs=0.03)


def test_bad_settings():
    for tables, bits in ((0, 1), (1, 0), (1, 63)):
        with pytest.raises(ConfigError, match=f"{tables} tables of {bits} bits"):
            HashTables(tables, bits)
    filled = HashTables()
    filled.add(unit(3, 8))
    with pytest.raises(ConfigError, match="tables are filled"):
        filled.add(unit(3, 8))

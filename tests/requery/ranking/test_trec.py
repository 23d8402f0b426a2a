import pytest
import torch

from requery.errors import DataError
from requery.ragged import Ragged
from requery.ranking.qrels import Qrels
from requery.ranking.trec import (
    NOT_IN_GALLERY,
    read_qrels,
    read_run,
    write_qrels,
    write_qrels_graded,
    write_run,
)


def truth():
    return Qrels(
        torch.tensor([1, -1, 2]),
        Ragged.from_rows([[0, 1], [], [2]]),
        torch.tensor([1, 2, 2]),
        excluded=Ragged.from_rows([[2], [], [2]]),
    )


def test_a_run_is_written_and_read(tmp_path):
    path = tmp_path / "deep" / "run.trec"
    write_run(path, ["q", "r"], ["a", "b", "c"], torch.tensor([[2, 0, -1], [1, 0, 2]]), "mine")
    assert path.read_text() == (
        "q Q0 c 1 -1 mine\nq Q0 a 2 -2 mine\nr Q0 b 1 -1 mine\nr Q0 a 2 -2 mine\nr Q0 c 3 -3 mine\n"
    )
    assert read_run(path) == {"q": {"c": -1.0, "a": -2.0}, "r": {"b": -1.0, "a": -2.0, "c": -3.0}}


def test_truth_keeps_every_query(tmp_path):
    ids, names = ["q", "r", "s"], ["a", "b", "c"]
    write_qrels(tmp_path / "binary", ids, names, truth())
    assert read_qrels(tmp_path / "binary") == {"q": {"b": 1}, "r": {NOT_IN_GALLERY: 1}, "s": {"c": 1}}
    write_qrels_graded(tmp_path / "graded", ids, names, truth())
    assert read_qrels(tmp_path / "graded") == {
        "q": {"a": 1, "b": 2},
        "r": {NOT_IN_GALLERY: 1},
        "s": {NOT_IN_GALLERY: 1},  # its only relevant item is excluded
    }


@pytest.mark.parametrize("name", ["two words", "", "tab\t", "line\nbreak", "no\u00a0break"])
def test_ids_with_white_space_are_named(tmp_path, name):
    path, top = tmp_path / "run", torch.tensor([[0]])
    for ids, names, tag in (([name], ["a"], "t"), (["q"], [name], "t"), (["q"], ["a"], name)):
        with pytest.raises(DataError) as caught:
            write_run(path, ids, names, top, tag)
        assert repr(name) in str(caught.value)
    with pytest.raises(DataError, match="white space"):
        write_qrels(path, [name], ["a"], Qrels.from_targets(torch.tensor([0])))
    assert not path.exists()


def test_damaged_files_are_named(tmp_path):
    path = tmp_path / "file"
    with pytest.raises(DataError, match="cannot be read"):
        read_run(path)
    path.write_text("q Q0 a 1 -1 t\nq Q0 b 2\n")
    with pytest.raises(DataError, match="line 2: 4 columns where TREC has 6"):
        read_run(path)
    path.write_text("q 0 a many\n")
    with pytest.raises(DataError, match="line 1: 'many' is not a number"):
        read_qrels(path)

import pytest

from datamodules.cirr import CIRRDataModule
from datamodules.pairs import PairsDataModule
from datamodules.shapes import Families, ShapesDataModule
from datamodules.sources import of_task


def test_affected_queries_by_role(cirr_folder):
    sources = CIRRDataModule(root=str(cirr_folder.write()), image_root="pictures").sources("val")
    assert sources.affected({"val-0"}) == {"reference": ["3"], "target": ["23"]}
    assert sources.affected({"val-4"}) == {"member": ["3", "13"]}
    assert sources.affected({"train-0"}) == {}


def test_a_built_task_of_files_says_the_same(cirr_folder):
    data = CIRRDataModule(root=str(cirr_folder.write()), image_root="pictures")
    read, built = data.sources("val"), of_task(data.task("val"))
    assert (list(built.names), dict(built.paths), built.n_gallery) == (read.names, read.paths, read.n_gallery)
    for one, other in zip(read.queries, built.queries, strict=True):
        assert (one.query_id, one.text) == (other.query_id, other.text)
        assert {role: one.images[role] for role in ("reference", "target")} == other.images


@pytest.mark.parametrize(
    ("kind", "roles"),
    [("composed", {"reference", "target"}), ("text_to_image", {"target"}), ("image_to_text", {"reference"})],
)
def test_a_generated_task_has_no_files(kind, roles):
    sources = of_task(ShapesDataModule(task=kind, families=Families(2, 2, 2)).task("test"))
    assert sources.paths == {} and len(sources.names) == 12
    assert all(set(query.images) == roles for query in sources.queries)


def test_pairs_have_the_files_of_their_source(cirr_folder):
    data = CIRRDataModule(root=str(cirr_folder.write()), image_root="pictures")
    assert PairsDataModule(data).sources("val") == data.sources("val")
    assert PairsDataModule(ShapesDataModule("text_to_image")).sources("train") is None

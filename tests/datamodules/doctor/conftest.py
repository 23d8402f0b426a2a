import pytest
from PIL import Image

from datamodules.sources import Query, Sources


@pytest.fixture
def split(tmp_path):
    """Makes a split of pictures, a colour each, in which query i asks with picture i for picture i + 1."""

    def make(where, colours):
        paths = {}
        for number, colour in enumerate(colours):
            name = f"{where}-{number}"
            paths[name] = tmp_path / f"{name}.png"
            Image.new("RGB", (9, 9), colour).save(paths[name])
        names = list(paths)
        queries = [
            Query(f"{where}-q{i}", {"reference": (names[i],), "target": (names[i + 1],)}, f"make it {colour}")
            for i, colour in enumerate(colours[1:])
        ]
        return Sources(where, names, queries, len(names), paths=paths)

    return make

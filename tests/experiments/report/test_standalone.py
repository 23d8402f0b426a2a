import xml.etree.ElementTree as ElementTree

from markupsafe import Markup

from experiments.report.standalone import Figure, document

LEGEND = [(Markup('<path class="line c3" d="M0 0"/>'), f"method {n} <with settings>") for n in range(6)]


def made(**changed):
    parts = {"title": "A & B", "subtitle": "of a run", "legend": LEGEND, "body": Markup('<path id="body"/>')}
    parts |= {"width": 460, "height": 200, "caption": "word " * 60}
    return ElementTree.fromstring(document(Figure(**{**parts, **changed})))


def texts(root):
    return [(e.text, float(e.get("x")), float(e.get("y"))) for e in root.findall(".//{*}text")]


def test_a_file_holds_title_legend_picture_and_caption_inside_its_edges():
    root = made()
    width, height = float(root.get("width")), float(root.get("height"))
    found = texts(root)
    assert [text for text, _, _ in found[:2]] == ["A & B", "of a run"]
    labels = [(text, x, y) for text, x, y in found if text.startswith("method")]
    assert len(labels) == 6 and len({y for _, _, y in labels}) == 3  # two in a line
    assert all(x + 6 * len(text) < width for text, x, _ in found)
    assert max(y for _, _, y in found) < height - 20 and len(found) > 2 + 6 + 3
    assert root.get("viewBox") == f"0 0 {width:.0f} {height:.0f}" and root.get("aria-label") == "A & B"


def test_its_colours_are_written_out_light_and_dark():
    style = made().find("{*}style").text
    light, _, dark = style.partition("@media (prefers-color-scheme:dark)")
    assert "var(" not in style and ".paper{fill:#fff}" in light and ".paper{fill:#171a1f}" in dark
    assert all(f".c{number}.line{{" in light for number in range(8))
    assert ".c3.dot{fill:#c13c79;stroke:#fff" in light and style.count("{") == style.count("}")

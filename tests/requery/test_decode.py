import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from requery.decode import MAX_SIDE, load_rgb
from requery.errors import DataError


def rainbow(width=40, height=30):
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def encoded(image, kind="PNG", **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def png(width, height, rows=b"\0", depth=8, extra=b""):
    """A PNG of RGB rows as they stand, which may be fewer than its size claims."""

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0))
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(extra)) if extra else b""
    data = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + header + text + data + chunk(b"IEND", b"")


@pytest.fixture
def save(tmp_path):
    def write(data, name="picture.png"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"<html>404</html>", "not an image"),
        (b"\0" * 2000, "not an image"),
        (encoded(rainbow())[:500], "truncated or damaged"),
        (encoded(rainbow(), "JPEG")[:600], "truncated or damaged"),
        (encoded(rainbow(), "GIF")[:1200], "truncated or damaged"),
        (png(50_000, 50_000), "above the limit"),
        (png(20_000, 20_000), "above the limit"),
        (png(9_600, 9_600), "above the limit"),
        (png(10, MAX_SIDE + 1), "above the limit"),
        (png(1, 1, b"\0\1\2\3", extra=b"\0" * 2**21), "truncated or damaged .*too large"),
        (encoded(Image.fromarray(np.zeros((2, 2), np.float32)), "TIFF"), "floating-point"),
    ],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_unusable_files_are_named(save, data, message):
    path = save(data)
    with pytest.raises(DataError, match=message) as error:
        load_rgb(path)
    assert str(path) in str(error.value)


def test_missing_file_and_folder_are_named(tmp_path):
    for path in (tmp_path / "absent.png", tmp_path):
        with pytest.raises(DataError, match=r"cannot be read.*image_root"):
            load_rgb(path)


def test_plain_rgb_is_untouched(save):
    image = rainbow()
    assert np.array_equal(np.asarray(load_rgb(save(encoded(image)))), np.asarray(image))


def test_one_pixel(save):
    image = load_rgb(save(encoded(Image.new("RGB", (1, 1), (9, 8, 7)))))
    assert (image.mode, image.size, image.getpixel((0, 0))) == ("RGB", (1, 1), (9, 8, 7))


def test_cmyk_and_grey_and_palette(save):
    cmyk = load_rgb(save(encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "TIFF")))
    assert cmyk.getpixel((4, 4)) == (255, 0, 0)
    assert load_rgb(save(encoded(Image.new("L", (8, 8), 77)))).getpixel((0, 0)) == (77, 77, 77)
    palette = Image.new("RGB", (8, 8), (10, 200, 30)).quantize(4)
    assert palette.mode == "P"
    assert load_rgb(save(encoded(palette))).getpixel((0, 0)) == (10, 200, 30)


def test_cmyk_jpeg_as_printers_store_it(save):
    cmyk = Image.new("CMYK", (8, 8), (0, 255, 255, 0))  # Pillow writes it inverted, as Photoshop does
    red, green, blue = load_rgb(save(encoded(cmyk, "JPEG"))).getpixel((4, 4))
    assert red > 240 and green < 15 and blue < 15


def test_bilevel_and_grey_with_alpha(save):
    assert load_rgb(save(encoded(Image.new("1", (8, 8), 1)))).getpixel((3, 3)) == (255, 255, 255)
    assert load_rgb(save(encoded(Image.new("LA", (8, 8), (50, 0))))).getpixel((3, 3)) == (50, 50, 50)


def test_16_bit_colour_keeps_its_high_bytes(save):
    row = b"\0" + struct.pack(">6H", 0x1234, 0xFF00, 0, 0x8000, 0x00FF, 0xFFFF)
    image = load_rgb(save(png(2, 1, row, depth=16)))
    assert [image.getpixel((x, 0)) for x in (0, 1)] == [(0x12, 0xFF, 0), (0x80, 0, 0xFF)]


def test_16_bit_grey_keeps_its_range(save):
    grey = np.linspace(0, 65_535, 256).astype(np.uint16).reshape(16, 16)
    for kind in ("PNG", "TIFF", "PPM"):
        pixels = np.asarray(load_rgb(save(encoded(Image.fromarray(grey), kind))))
        assert np.abs(pixels[..., 0].astype(int) - np.arange(256).reshape(16, 16)).max() <= 1, kind


def test_transparency(save):
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    image.putpixel((1, 1), (200, 0, 0, 255))
    image.putpixel((2, 2), (0, 0, 0, 128))
    path = save(encoded(image))
    stored, white = load_rgb(path), load_rgb(path, "white")
    assert np.array_equal(np.asarray(stored), np.asarray(image.convert("RGB")))
    assert [white.getpixel(p) for p in ((0, 0), (1, 1), (2, 2))] == [(255,) * 3, (200, 0, 0), (127,) * 3]


@pytest.mark.filterwarnings("error")
def test_transparent_palette(save):
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    image.paste((0, 90, 0, 255), (0, 0, 2, 4))
    path = save(encoded(image.quantize(4)))
    with Image.open(path) as stored:
        assert stored.mode == "P"
    assert load_rgb(path, "white").getpixel((3, 0)) == (255, 255, 255)
    assert load_rgb(path, "white").getpixel((0, 0)) == (0, 90, 0)
    assert load_rgb(path).getpixel((3, 0)) == (0, 0, 0)


# Where the first pixel of a stored image of 4 x 2 belongs when it is shown, by the standard's table.
CORNERS = {1: (0, 0), 2: (3, 0), 3: (3, 1), 4: (0, 1), 5: (0, 0), 6: (1, 0), 7: (1, 3), 8: (0, 3)}


@pytest.mark.parametrize(("orientation", "corner"), CORNERS.items())
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_exif_rotation_is_applied(save, kind, orientation, corner):
    image = Image.new("RGB", (4, 2))
    image.putpixel((0, 0), (255, 255, 255))
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    turned = load_rgb(save(encoded(image, kind, exif=exif, **options)))
    assert turned.size == ((4, 2) if orientation < 5 else (2, 4))
    assert turned.getpixel(corner) == (255, 255, 255)


def test_damaged_exif_does_not_cost_the_image(save):
    data = encoded(rainbow(), exif=b"Exif\0\0garbage")
    assert load_rgb(save(data)).size == (40, 30)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_animation_gives_its_first_frame(save, kind):
    frames = [Image.new("RGB", (6, 6), colour) for colour in ("red", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    path = save(encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options))
    with Image.open(path) as stored:
        assert stored.n_frames == 2
    assert load_rgb(path).getpixel((3, 3)) == (255, 0, 0)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP"]),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=6),
    st.floats(0, 1),
)
@pytest.mark.filterwarnings("ignore")
def test_any_damage_ends_in_an_image_or_a_named_error(tmp_path_factory, kind, changes, kept):
    data = bytearray(encoded(rainbow(9, 7), kind))
    for where, value in changes:
        data[int(where * (len(data) - 1))] = value
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(data[: round(kept * len(data))] if kept < 0.5 else data)
    try:
        assert load_rgb(path).mode == "RGB"
    except DataError as error:
        assert str(path) in str(error)

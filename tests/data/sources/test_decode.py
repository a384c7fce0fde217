import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile

from gan_jax.common.errors import RequestError
from gan_jax.data import images
from gan_jax.data.sources.decode import (
    UnreadableError,
    channels_of,
    fit,
    open_image,
    read_header,
)

RANDOM = np.random.default_rng(0)
GREY = RANDOM.integers(0, 256, (12, 12), dtype=np.uint8)
COLOUR = RANDOM.integers(0, 256, (12, 12, 3), dtype=np.uint8)


def test_right_size_keeps_every_byte():
    assert (fit(Image.fromarray(GREY), 12, 1)[..., 0] == GREY).all()
    assert (fit(Image.fromarray(COLOUR), 12, 3) == COLOUR).all()


def test_grey_is_repeated_for_colour():
    assert (fit(Image.fromarray(GREY), 12, 3) == GREY[..., None]).all()


def test_colour_becomes_luminance():
    expected = COLOUR @ np.array([0.299, 0.587, 0.114])  # ITU-R 601-2
    assert abs(fit(Image.fromarray(COLOUR), 12, 1)[..., 0] - expected).max() <= 1


@pytest.mark.parametrize(("height", "width"), [(12, 31), (31, 12), (12, 13)])
def test_longer_side_is_cropped_at_the_centre_without_resampling(height, width):
    image = RANDOM.integers(0, 256, (height, width, 3), dtype=np.uint8)
    top, left = (height - 12) // 2, (width - 12) // 2
    assert (fit(Image.fromarray(image), 12, 3) == image[top : top + 12, left : left + 12]).all()


@pytest.mark.parametrize(("width", "height"), [(64, 64), (96, 64), (64, 96), (16, 16), (24, 16)])
def test_shorter_side_is_scaled_and_the_centre_kept(width, height):
    """Against scaling the whole image first, on a smooth one where half a pixel hardly matters."""
    y, x = np.mgrid[0:height, 0:width]
    smooth = Image.fromarray((127 + 60 * np.sin(x / 15) + 60 * np.cos(y / 15)).astype(np.uint8))
    scale = 32 / min(width, height)
    whole = smooth.resize((round(width * scale), round(height * scale)), Image.Resampling.LANCZOS)
    left, top = (whole.width - 32) // 2, (whole.height - 32) // 2
    expected = np.asarray(whole.crop((left, top, left + 32, top + 32))).astype(int)
    assert abs(fit(smooth, 32, 1)[..., 0] - expected).max() <= 2


def test_shrinking_is_antialiased():
    checks = np.indices((64, 64)).sum(axis=0) % 2 * 255
    shrunk = fit(Image.fromarray(checks.astype(np.uint8)), 8, 1)
    assert abs(shrunk.astype(int) - 127).max() <= 3


def test_sixteen_bits_are_scaled_to_eight():
    deep = np.array([[0, 128, 129, 257], [32768, 65535, 65407, 65406]] * 2, np.uint16)
    expected = np.round(deep / 257)
    assert (fit(Image.fromarray(deep), 4, 1)[..., 0] == expected).all()


def test_palette_is_resolved():
    palette = Image.new("P", (2, 2))
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.putdata([0, 1, 1, 0])
    assert fit(palette, 2, 3).reshape(4, 3).tolist() == [
        [255, 0, 0],
        [0, 0, 255],
        [0, 0, 255],
        [255, 0, 0],
    ]


def test_one_bit_is_black_and_white():
    assert fit(Image.fromarray(GREY > 127), 12, 1)[..., 0].tolist() == ((GREY > 127) * 255).tolist()


def test_transparent_parts_are_white():
    image = Image.fromarray(np.array([[[9, 9, 9, 0], [9, 9, 9, 255]]] * 2, np.uint8), "RGBA")
    assert fit(image, 2, 3)[0].tolist() == [[255, 255, 255], [9, 9, 9]]
    assert fit(image.convert("LA"), 2, 1)[0, :, 0].tolist() == [255, 9]


def test_a_transparent_palette_colour_is_white():
    palette = Image.new("P", (2, 2))
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.putdata([0, 1, 1, 0])
    palette.info["transparency"] = 1
    assert fit(palette, 2, 3)[0].tolist() == [[255, 0, 0], [255, 255, 255]]


def test_cmyk_becomes_colour():
    assert fit(Image.new("CMYK", (3, 3), (0, 255, 255, 0)), 3, 3)[0, 0].tolist() == [255, 0, 0]


def png(width, height, data=b"", depth=8, colour=6, hidden=b""):
    """A PNG file whose header says what is given, whatever the data are."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    transparent = [(b"tRNS", hidden)] if hidden else []
    chunks = ((b"IHDR", header), *transparent, (b"IDAT", data), (b"IEND", b""))
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("name", ["x.png", "x.jpg"])
@pytest.mark.parametrize("limit", [95, 96])
def test_more_pixels_than_the_limit_are_not_decoded(tmp_path, monkeypatch, name, limit):
    Image.new("RGB", (12, 8)).save(tmp_path / name)
    if limit == 96:
        assert open_image(tmp_path / name, limit).size == (12, 8)
        return
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("was decoded"))
    with pytest.raises(UnreadableError, match=r"12 x 8 pixels, more than most_pixels = 95: "):
        open_image(tmp_path / name, limit)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("width", "height"), [(9500, 9500), (2**31 - 1, 2**31 - 1)])
def test_a_bomb_is_refused_by_its_header_and_in_our_words(tmp_path, width, height):
    (tmp_path / "x.png").write_bytes(png(width, height))
    with pytest.raises(UnreadableError, match=rf"x.png \({width} x {height} pixels, more than"):
        open_image(tmp_path / "x.png")
    with pytest.raises(RequestError, match=r"unreadable image .*more than most_pixels = 67108864"):
        images.mnist_sample().read([tmp_path / "x.png"])


@pytest.mark.filterwarnings("error")
def test_a_raised_limit_is_the_only_one(tmp_path, monkeypatch):
    """Pillow's own, which holds for the whole process, is left alone and does not count."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    Image.new("L", (8, 8), 7).save(tmp_path / "x.png")
    assert open_image(tmp_path / "x.png", 64).getpixel((0, 0)) == 7


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"text", "not of the formats PNG, JPEG, WEBP, GIF, BMP, TIFF, AVIF, JPEG2000, PPM"),
        (b"GIF89a" + bytes(20), "x.png"),
        (b"RIFF....WEBPVP8 ", "x.png"),
        (b"II*\0", "x.png"),
        (b"....ftypavif", "x.png"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "not of the formats"),
        (b"\x89PNG\r\n\x1a\n", "x.png"),
        (b"\xff\xd8\xff", "x.png"),
        (png(0, 0), "x.png"),
        (png(64, 64), "truncated"),
        (png(64, 64, zlib.compress(bytes(100))), "truncated"),
        (png(64, 64, b"not compressed"), "x.png"),
    ],
)
def test_damaged_files_are_named(tmp_path, content, message):
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(UnreadableError, match=message):
        open_image(tmp_path / "x.png")


def test_of_several_frames_the_first_is_read(tmp_path):
    frames = [Image.new("L", (4, 4), grey) for grey in (10, 20, 30)]
    frames[0].save(tmp_path / "x.png", save_all=True, append_images=frames[1:])
    assert fit(open_image(tmp_path / "x.png"), 4, 1).max() == 10


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("x.png", {}),
        ("x.jpg", {"quality": 95}),
        ("x.webp", {"lossless": True}),
        ("x.gif", {}),
        ("x.bmp", {}),
        ("x.tif", {"compression": "tiff_lzw"}),
        ("x.avif", {"quality": 95}),
        ("x.jp2", {}),
        ("x.ppm", {}),
    ],
)
def test_the_formats_of_common_pictures_are_read_whatever_the_suffix(tmp_path, name, options):
    gradient = np.broadcast_to(np.arange(12, dtype=np.uint8)[:, None, None] * 20, (12, 12, 3))
    Image.fromarray(gradient).save(tmp_path / name, **options)
    (tmp_path / name).rename(tmp_path / "x")
    image = open_image(tmp_path / "x")
    assert abs(fit(image, 12, 3).astype(int) - gradient).max() <= 3
    header = read_header(tmp_path / "x")
    assert (header.size, channels_of(header)) == ((12, 12), 3)


@pytest.mark.parametrize("mode", ["F", "I", "LAB"])
def test_numbers_without_a_range_of_grey_levels_are_refused(tmp_path, mode):
    Image.new(mode, (2, 2)).save(tmp_path / "x.tif")
    with pytest.raises(UnreadableError, match=f"mode {mode}: not grey levels or colours"):
        open_image(tmp_path / "x.tif")


@pytest.mark.parametrize("most", [1023, 65535])
def test_deep_portable_greymaps_use_their_whole_range(tmp_path, most):
    levels = struct.pack(">HHHH", 0, most // 2, most, most)
    (tmp_path / "x.pgm").write_bytes(f"P5 2 2 {most}\n".encode() + levels)
    assert fit(open_image(tmp_path / "x.pgm"), 2, 1).ravel().tolist() == [0, 127, 255, 255]


@pytest.mark.parametrize(
    ("depth", "colour", "pixels", "hidden", "expected"),
    [
        (1, 0, bytes([0b01000000]), struct.pack(">H", 0), [255, 255]),
        (2, 0, bytes([0b01100000]), struct.pack(">H", 2), [85, 255]),
        (4, 0, bytes([0x3F]), struct.pack(">H", 3), [255, 255]),
        (8, 0, bytes([3, 9]), struct.pack(">H", 3), [255, 9]),
        (16, 0, struct.pack(">HH", 3000, 50000), struct.pack(">H", 3000), [255, 195]),
        (
            16,
            2,
            struct.pack(">6H", *[2570] * 3, *[0] * 3),
            struct.pack(">3H", *[2570] * 3),
            [255, 0],
        ),
    ],
)
def test_a_transparent_level_or_colour_is_white_at_any_depth(
    tmp_path, depth, colour, pixels, hidden, expected
):
    content = png(2, 2, zlib.compress(2 * (b"\0" + pixels)), depth, colour, hidden)
    (tmp_path / "x.png").write_bytes(content)
    assert fit(open_image(tmp_path / "x.png"), 2, 1)[0, :, 0].tolist() == expected

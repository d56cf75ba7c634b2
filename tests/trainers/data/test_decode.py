"""decode_image on real files of every colour mode, orientation, proportion and kind of damage."""

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from trainers.data import SkippedError, SkipReason, decode_image, find_files
from trainers.errors import UserError

RED, WHITE, BLACK = (255, 0, 0), (255, 255, 255), (0, 0, 0)


def save(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


def middle(path: Path) -> tuple[int, ...]:
    return tuple(decode_image(path, 16, "stretch")[:, 8, 8].tolist())


def reason_of(path: Path) -> SkipReason:
    with pytest.raises(SkippedError) as caught:
        decode_image(path, 16, "pad")
    assert caught.value.detail
    return caught.value.reason


def png_claiming(width: int, height: int) -> bytes:
    header, data = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), b"IDAT" + zlib.compress(bytes(999))
    chunks = (struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (header, data))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def noise(height: int, width: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


# Geometry


@pytest.mark.parametrize(
    ("size", "rows", "columns"),
    [
        ((40, 20), (8, 24), (0, 32)),
        ((20, 40), (0, 32), (8, 24)),
        ((64, 64), (0, 32), (0, 32)),
        ((32, 15), (8, 23), (0, 32)),  # an odd rest: the extra black row is below, as in the Zalo motorbike article
        ((1000, 1), (15, 16), (0, 32)),  # never thinner than a pixel
        ((5, 10), (0, 32), (8, 24)),  # small images are enlarged
        ((400, 299), (4, 27), (0, 32)),  # 23.92 rows: truncated, not rounded
        ((49, 49), (0, 31), (0, 31)),  # 49 * (32 / 49) is a little less than 32
    ],
)
def test_pad_centres_between_black_bars(
    tmp_path: Path, size: tuple[int, int], rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    image = decode_image(save(tmp_path / "a.png", Image.new("RGB", size, (10, 200, 90))), 32, "pad")
    expected = np.zeros((3, 32, 32), np.uint8)
    expected[:, slice(*rows), slice(*columns)] = np.array([10, 200, 90])[:, None, None]
    np.testing.assert_array_equal(image, expected)


def test_stretch_fills_the_square(tmp_path: Path) -> None:
    image = decode_image(save(tmp_path / "a.png", Image.new("RGB", (40, 10), RED)), 32, "stretch")
    np.testing.assert_array_equal(image, np.broadcast_to(np.array(RED)[:, None, None], (3, 32, 32)))


def test_result_is_contiguous_uint8_channels_first(tmp_path: Path) -> None:
    image = decode_image(save(tmp_path / "a.png", noise(20, 30)), 24, "pad")
    assert image.dtype == np.uint8 and image.shape == (3, 24, 24) and image.flags.c_contiguous


def test_pixels_stay_in_their_places(tmp_path: Path) -> None:
    picture = noise(32, 32)
    image = decode_image(save(tmp_path / "a.png", picture), 32, "pad")
    np.testing.assert_array_equal(image.transpose(1, 2, 0), np.asarray(picture))


@pytest.mark.parametrize("fit", ["pad", "stretch"])
def test_enlarging_is_bilinear(tmp_path: Path, fit: str) -> None:
    picture = noise(8, 8)
    image = decode_image(save(tmp_path / "a.png", picture), 32, fit)
    small = torch.from_numpy(np.asarray(picture).transpose(2, 0, 1).astype(np.float32))[None]
    expected = F.interpolate(small, size=(32, 32), mode="bilinear", align_corners=False)[0].numpy()
    np.testing.assert_allclose(image.astype(float), expected, atol=1)


def test_downscale_does_not_alias(tmp_path: Path) -> None:
    stripes = np.zeros((512, 512), np.uint8)
    stripes[:, ::2] = 255
    image = decode_image(save(tmp_path / "a.png", Image.fromarray(stripes)), 32, "pad")
    assert np.abs(image.astype(int) - 127).max() <= 10


@pytest.mark.parametrize("size", [(400, 300), (1607, 1201), (1201, 1607)])
def test_big_jpeg_shortcut_gives_the_picture_of_the_full_decode(tmp_path: Path, size: tuple[int, int]) -> None:
    picture = noise(24, 32).resize(size, Image.Resampling.BICUBIC)
    jpeg = decode_image(save(tmp_path / "a.jpg", picture, quality=97, subsampling=0), 64, "pad")
    png = decode_image(save(tmp_path / "a.png", picture), 64, "pad")
    assert np.abs(jpeg.astype(int) - png).max() <= 6


@pytest.mark.parametrize("fmt", ["png", "jpg", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("fit", ["pad", "stretch"])
def test_exif_orientation(tmp_path: Path, fmt: str, orientation: int, fit: str) -> None:
    stored = np.full((40, 60, 3), 90, np.uint8)  # no symmetry: reddish top left, greenish top right, blueish below
    stored[:20, :30], stored[:20, 30:], stored[20:, :30] = (170, 90, 90), (90, 170, 90), (90, 90, 170)
    upright = {
        1: stored,
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: stored.transpose(1, 0, 2),
        6: np.rot90(stored, -1),
        7: stored[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(stored, 1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"jpg": {"quality": 100, "subsampling": 0}, "webp": {"lossless": True}}.get(fmt, {})
    turned = save(tmp_path / f"turned.{fmt}", Image.fromarray(stored), exif=exif, **options)
    plain = save(tmp_path / "plain.png", Image.fromarray(np.ascontiguousarray(upright)))
    difference = decode_image(turned, 32, fit).astype(int) - decode_image(plain, 32, fit)
    assert np.abs(difference).max() <= (6 if fmt == "jpg" else 1)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize("fmt", ["jpg", "png", "webp"])
@pytest.mark.parametrize("exif", [b"MM\0*\xff\xff\xff\xff", b"MM\0*", b"neither MM nor II"])
def test_damaged_exif_does_not_cost_the_photograph(tmp_path: Path, fmt: str, exif: bytes) -> None:
    path = save(tmp_path / f"a.{fmt}", Image.new("RGB", (30, 30), RED), exif=b"Exif\0\0" + exif)
    assert np.abs(np.array(middle(path)) - RED).max() <= 6


# Colour


@pytest.mark.parametrize(
    ("mode", "colour", "fmt", "expected"),
    [
        ("L", 77, "png", (77, 77, 77)),
        ("1", 1, "png", WHITE),
        ("1", 0, "tif", BLACK),
        ("LA", (0, 0), "png", WHITE),
        ("LA", (100, 255), "png", (100, 100, 100)),
        ("RGBA", (255, 0, 0, 0), "png", WHITE),
        ("RGBA", (255, 0, 0, 255), "png", RED),
        ("RGBA", (255, 0, 0, 51), "png", (255, 204, 204)),
        ("RGBA", (255, 0, 0, 0), "webp", WHITE),
        ("CMYK", (0, 255, 255, 0), "tif", RED),
        ("CMYK", (0, 0, 0, 255), "tif", BLACK),
        ("CMYK", (0, 0, 0, 0), "jpg", WHITE),
        ("CMYK", (0, 255, 255, 0), "jpg", RED),
        ("HSV", (0, 255, 255), None, RED),
        ("RGB", (12, 34, 56), "bmp", (12, 34, 56)),
        ("RGB", (12, 34, 56), "gif", (12, 34, 56)),
        ("RGB", (12, 34, 56), "ppm", (12, 34, 56)),
        ("RGB", (12, 34, 56), "tga", (12, 34, 56)),
    ],
)
def test_colour_modes(
    tmp_path: Path, mode: str, colour: int | tuple[int, ...], fmt: str | None, expected: tuple[int, ...]
) -> None:
    image = Image.new(mode, (20, 20), colour)
    path = save(tmp_path / f"a.{fmt or 'tif'}", image.convert("RGB") if fmt is None else image)
    assert np.abs(np.array(middle(path)) - expected).max() <= (2 if fmt == "jpg" else 0)


def test_adobe_cmyk_jpeg_is_not_inverted(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", Image.new("CMYK", (20, 20), (0, 255, 255, 0)), quality=100)
    assert b"Adobe" in path.read_bytes()[:200]
    assert np.abs(np.array(middle(path)) - RED).max() <= 2


def test_palette_and_its_transparency(tmp_path: Path) -> None:
    image = Image.new("P", (20, 20), 1)
    image.putpalette([0, 0, 255, 255, 0, 0])
    assert middle(save(tmp_path / "opaque.png", image)) == RED
    assert middle(save(tmp_path / "index.png", image, transparency=1)) == WHITE
    assert middle(save(tmp_path / "index.gif", image, transparency=1)) == WHITE
    assert middle(save(tmp_path / "alpha.png", image, transparency=bytes([255, 51]))) == (255, 204, 204)


def test_one_transparent_colour(tmp_path: Path) -> None:
    assert middle(save(tmp_path / "rgb.png", Image.new("RGB", (20, 20), RED), transparency=RED)) == WHITE
    assert middle(save(tmp_path / "l.png", Image.new("L", (20, 20), 9), transparency=9)) == WHITE
    assert middle(save(tmp_path / "l2.png", Image.new("L", (20, 20), 9), transparency=8)) == (9, 9, 9)


@pytest.mark.parametrize("fmt", ["png", "tif", "pgm"])
@pytest.mark.parametrize(("value", "expected"), [(0, 0), (257, 1), (0x8080, 128), (40000, 156), (65535, 255)])
def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path: Path, fmt: str, value: int, expected: int) -> None:
    path = save(tmp_path / f"a.{fmt}", Image.fromarray(np.full((20, 20), value, np.uint16)))
    assert middle(path) == (expected,) * 3


def test_sixteen_bit_grey_big_endian(tmp_path: Path) -> None:
    image = Image.frombytes("I;16B", (20, 20), struct.pack(">H", 0x8080) * 400)
    assert middle(save(tmp_path / "a.tif", image)) == (128, 128, 128)


def test_sixteen_bit_grey_with_a_transparent_value(tmp_path: Path) -> None:
    for value, expected in ((500, 255), (501, 2)):
        picture = Image.fromarray(np.full((20, 20), value, np.uint16))
        assert middle(save(tmp_path / f"{value}.png", picture, transparency=500)) == (expected,) * 3


@pytest.mark.parametrize("values", [np.full((9, 9), 0.5, np.float32), np.full((9, 9), 70_000, np.int32)])
def test_pixels_without_an_agreed_range_are_skipped(tmp_path: Path, values: np.ndarray) -> None:
    assert reason_of(save(tmp_path / "a.tif", Image.fromarray(values))) is SkipReason.UNDECODABLE


# Damage


@pytest.mark.parametrize("fmt", ["gif", "webp", "png"])
def test_animations_are_skipped_and_single_frames_are_not(tmp_path: Path, fmt: str) -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in (RED, BLACK)]
    many = save(tmp_path / f"many.{fmt}", frames[0], save_all=True, append_images=frames[1:], duration=100)
    one = save(tmp_path / f"one.{fmt}", frames[0], save_all=True)
    assert reason_of(many) is SkipReason.ANIMATED
    assert np.abs(np.array(middle(one)) - RED).max() <= 6


@pytest.mark.parametrize("fmt", ["tif", "mpo"])
def test_pages_are_not_animation(tmp_path: Path, fmt: str) -> None:
    pages = [Image.new("RGB", (20, 20), colour) for colour in (RED, BLACK)]
    path = save(tmp_path / f"a.{fmt}", pages[0], save_all=True, append_images=pages[1:])
    with Image.open(path) as image:
        assert image.n_frames == 2
    assert np.abs(np.array(middle(path)) - RED).max() <= 2


@pytest.mark.parametrize("fmt", ["jpeg", "png", "gif", "bmp", "tiff", "qoi"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_truncated(tmp_path: Path, fmt: str, share: float) -> None:
    whole = io.BytesIO()
    noise(80, 80).save(whole, fmt)
    path = tmp_path / "a"
    path.write_bytes(whole.getvalue()[: int(len(whole.getvalue()) * share)])
    assert reason_of(path) is SkipReason.TRUNCATED


def test_empty_and_text_and_garbage(tmp_path: Path) -> None:
    for name, content, reason in (
        ("empty.jpg", b"", SkipReason.EMPTY),
        ("text.jpg", b"404 Not Found", SkipReason.NOT_AN_IMAGE),
        ("garbage.png", bytes(range(256)) * 9, SkipReason.NOT_AN_IMAGE),
    ):
        (tmp_path / name).write_bytes(content)
        assert reason_of(tmp_path / name) is reason


def test_corrupt_png_data_is_undecodable(tmp_path: Path) -> None:
    whole = io.BytesIO()
    noise(80, 80).save(whole, "png")
    content = bytearray(whole.getvalue())
    content[len(content) // 2 : len(content) // 2 + 64] = bytes(64)
    (tmp_path / "a.png").write_bytes(content)
    assert reason_of(tmp_path / "a.png") is SkipReason.UNDECODABLE


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("size", [(60_000, 60_000), (10_000, 9_000)])  # Pillow's error, and its mere warning
def test_bombs_are_known_by_their_header(tmp_path: Path, size: tuple[int, int]) -> None:
    (tmp_path / "a.png").write_bytes(png_claiming(*size))
    assert reason_of(tmp_path / "a.png") is SkipReason.TOO_LARGE


@pytest.mark.filterwarnings("error")
def test_bomb_when_warnings_are_errors(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png_claiming(10_000, 9_000))
    assert reason_of(tmp_path / "a.png") is SkipReason.TOO_LARGE


def test_what_is_no_regular_file_is_unreadable_and_never_opened(tmp_path: Path) -> None:
    (tmp_path / "dangling.jpg").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.jpg")  # opening it would wait for a writer
    for name in ("dangling.jpg", "pipe.jpg", "missing.jpg"):
        assert reason_of(tmp_path / name) is SkipReason.UNREADABLE


def test_postscript_is_not_run(tmp_path: Path) -> None:
    save(tmp_path / "a.eps", Image.new("RGB", (20, 20), RED))
    with pytest.raises(SkippedError, match="undecodable: EPS is a program"):
        decode_image(tmp_path / "a.eps", 16, "pad")


def test_nothing_is_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    whole = io.BytesIO()
    noise(80, 80).save(whole, "jpeg")
    (tmp_path / "a.jpg").write_bytes(whole.getvalue()[:900])
    reason_of(tmp_path / "a.jpg")
    assert capfd.readouterr() == ("", "")


# Finding


def test_find_files_is_sorted_and_keeps_out_of_hidden_places(tmp_path: Path) -> None:
    for name in ("b.jpg", "a/z.png", "a/B.txt", "a.jpg", ".hidden.jpg", ".git/x.jpg", "c/.d/y.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert find_files(tmp_path) == ["a.jpg", "a/B.txt", "a/z.png", "b.jpg"]


def test_find_files_follows_links_but_not_in_circles(tmp_path: Path) -> None:
    photos, other = tmp_path / "photos", tmp_path / "other"
    (photos / "sub").mkdir(parents=True)
    other.mkdir()
    (photos / "sub" / "a.jpg").touch()
    (other / "b.jpg").touch()
    (photos / "linked").symlink_to(other)
    (photos / "sub" / "up").symlink_to(photos)
    (other / "back").symlink_to(photos)
    assert find_files(photos) == ["linked/b.jpg", "sub/a.jpg"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_find_files_names_a_closed_folder(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    with pytest.raises(UserError, match="closed"):
        find_files(tmp_path)

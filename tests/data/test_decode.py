from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from ganetics._check import InputError
from ganetics.data.decode import png, read_image, with_16_bits, with_channels

Pixels = npt.NDArray[np.uint8]
ORIENTATION = 274
"""The EXIF tag."""


def noise(*shape: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".tiff", ".PNG"])
@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 3)], ids=["gray", "RGB"])
def test_formats_without_loss_are_read_exactly(suffix: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    pixels = noise(*shape)
    Image.fromarray(pixels).save(tmp_path / f"i{suffix}")
    found = read_image(tmp_path / f"i{suffix}")
    np.testing.assert_array_equal(found, pixels[None] if len(shape) == 2 else pixels.transpose(2, 0, 1))
    assert found.flags.c_contiguous


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg"])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpeg_is_read_closely(suffix: str, mode: str, tmp_path: Path) -> None:
    smooth = Image.fromarray(np.linspace(0, 255, 32 * 32).reshape(32, 32).astype(np.uint8)).convert(mode)
    smooth.save(tmp_path / f"i{suffix}", quality=95)
    found = read_image(tmp_path / f"i{suffix}").astype(int)
    assert found.shape == (1 if mode == "L" else 3, 32, 32)
    assert np.abs(found - np.asarray(smooth.convert("RGB")).transpose(2, 0, 1)).max() <= 4


def test_what_is_transparent_becomes_white(tmp_path: Path) -> None:
    pixels = noise(6, 5, 4)
    pixels[0, 0, 3], pixels[0, 1, 3] = 0, 255
    color, alpha = pixels[..., :3].astype(float), pixels[..., 3:] / 255.0
    expected = (alpha * color + (1 - alpha) * 255).transpose(2, 0, 1)
    Image.fromarray(pixels).save(tmp_path / "rgba.png")
    found = read_image(tmp_path / "rgba.png")
    assert np.abs(found - expected).max() <= 1
    assert found[:, 0, 0].tolist() == [255, 255, 255]
    assert found[:, 0, 1].tolist() == pixels[0, 1, :3].tolist()
    Image.fromarray(pixels[..., 2:]).save(tmp_path / "la.png")
    gray = read_image(tmp_path / "la.png")
    assert gray.shape == (1, 6, 5)
    assert np.abs(gray - expected[2]).max() <= 1


def test_palettes_become_their_colours(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1, 2]], dtype=np.uint8)).convert("P")
    image.putpalette([10, 20, 30, 200, 100, 50, 7, 7, 7])
    image.save(tmp_path / "p.png")
    image.save(tmp_path / "transparent.png", transparency=bytes([255, 0, 255]))
    assert read_image(tmp_path / "p.png")[:, 0].T.tolist() == [[10, 20, 30], [200, 100, 50], [7, 7, 7]]
    assert read_image(tmp_path / "transparent.png")[:, 0].T.tolist() == [[10, 20, 30], [255, 255, 255], [7, 7, 7]]


def test_black_and_white_is_gray(tmp_path: Path) -> None:
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "1.png")
    assert read_image(tmp_path / "1.png").tolist() == [[[255, 0]]]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bit_gray_keeps_its_values(suffix: str, tmp_path: Path) -> None:
    wide = np.array([[0, 128, 129, 257], [4095, 32896, 65278, 65535]], dtype=np.uint16)
    Image.fromarray(wide).save(tmp_path / f"wide{suffix}")
    found = read_image(tmp_path / f"wide{suffix}")
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, wide[None])
    Image.fromarray(wide[:1]).save(tmp_path / f"dark{suffix}")  # not by its own brightest value
    assert read_image(tmp_path / f"dark{suffix}").tolist() == [[[0, 128, 129, 257]]]


def test_16_bit_gray_is_resized_as_finely_as_it_is(tmp_path: Path) -> None:
    wide = np.linspace(0, 65535, 64 * 64).reshape(64, 64).round().astype(np.uint16)
    Image.fromarray(wide).save(tmp_path / "i.png")
    found = read_image(tmp_path / "i.png", 16)
    expected = wide.reshape(16, 4, 16, 4).mean(axis=(1, 3))
    assert found.dtype == np.uint16
    assert np.abs(found[0, 3:-3, 3:-3] - expected[3:-3, 3:-3]).max() <= 2  # of 65535; 8 bits are 257 apart
    edge = np.zeros((64, 64), dtype=np.uint16)
    edge[:, 32:] = 65535
    Image.fromarray(edge).save(tmp_path / "edge.png")
    overshooting = read_image(tmp_path / "edge.png", 48)[0]
    assert (overshooting.min(), overshooting.max()) == (0, 65535)  # clipped, not wrapped around


def test_depth_and_channels_are_raised_exactly(tmp_path: Path) -> None:
    gray = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    wide = with_16_bits(gray)
    assert (wide.dtype, int(wide.min()), int(wide.max())) == (np.uint16, 0, 65535)
    np.testing.assert_array_equal(wide / 65535.0, gray / 255.0)
    np.testing.assert_array_equal(with_channels(with_channels(wide, 3), 1), wide)
    colour = np.array([65535, 0, 65535], dtype=np.uint16).reshape(3, 1, 1)
    assert with_channels(colour, 1).tolist() == [[[round((0.299 + 0.114) * 65535)]]]  # ITU-R 601


def test_a_picture_for_a_page_is_small_and_of_8_bits() -> None:
    wide = np.full((1, 200, 100), 32896, dtype=np.uint16)
    picture = Image.open(io.BytesIO(png(wide, 96)))
    assert (picture.format, picture.mode, picture.size) == ("PNG", "L", (48, 96))
    assert np.unique(np.asarray(picture)).tolist() == [128]


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.array([[-1, 5]], dtype=np.int32), "cannot be read: 16-bit values must be 0 to 65535, got -1 to 5"),
        (np.array([[0, 65536]], dtype=np.int32), "got 0 to 65536"),
        (np.array([[0.5]], dtype=np.float32), "cannot be read: floating-point pixels have no known range"),
    ],
)
def test_pixels_without_a_known_range_are_refused(
    pixels: npt.NDArray[np.generic], message: str, tmp_path: Path
) -> None:
    Image.fromarray(pixels).save(tmp_path / "i.tif")
    with pytest.raises(InputError, match=message):
        read_image(tmp_path / "i.tif")


UPRIGHT: dict[int, Callable[[Pixels], Pixels]] = {
    1: lambda stored: stored,
    2: np.fliplr,
    3: lambda stored: np.rot90(stored, 2),
    4: np.flipud,
    5: np.transpose,
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: np.rot90(np.transpose(stored), 2),
    8: np.rot90,
}
"""EXIF's orientation → what has to be done to the stored rows (EXIF 2.32, table 6)."""


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize(
    ("suffix", "options"),
    [(".png", {}), (".tif", {}), (".tif", {"compression": "tiff_lzw"})],
    ids=["PNG", "TIFF", "LZW"],
)
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_images_are_turned_as_their_camera_says(
    kind: type[np.unsignedinteger], suffix: str, options: dict[str, str], orientation: int, tmp_path: Path
) -> None:
    stored = noise(4, 7)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    scale = 257 if kind is np.uint16 else 1
    Image.fromarray(stored.astype(kind) * kind(scale)).save(tmp_path / f"i{suffix}", exif=exif, **options)
    found = read_image(tmp_path / f"i{suffix}")[0]
    assert found.dtype == kind
    np.testing.assert_array_equal(found, UPRIGHT[orientation](stored) * kind(scale))


def test_an_image_size_cuts_the_middle_and_reduces_without_aliasing(tmp_path: Path) -> None:
    pixels = np.zeros((40, 100), dtype=np.uint8)
    pixels[:, 30:70] = np.indices((40, 40)).sum(axis=0) % 2 * 255  # a chessboard in the middle, black at both sides
    Image.fromarray(pixels).save(tmp_path / "i.png")
    found = read_image(tmp_path / "i.png", 10)
    assert found.shape == (1, 10, 10)
    assert np.abs(found[:, 2:-2, 2:-2].astype(int) - 127).max() <= 3


@pytest.mark.parametrize(
    ("suffix", "damage"),
    [
        *((suffix, lambda whole: whole[: len(whole) * 2 // 3]) for suffix in (".png", ".jpg", ".tif", ".bmp")),
        (".png", lambda whole: whole[:60] + bytes(40) + whole[100:]),
        (".png", lambda whole: b""),
        (".png", lambda whole: b"no image at all"),
    ],
    ids=["PNG cut", "JPEG cut", "TIFF cut", "BMP cut", "zeros inside", "empty", "text"],
)
def test_a_damaged_image_is_refused_in_one_line(suffix: str, damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    file = tmp_path / f"i{suffix}"
    Image.fromarray(noise(30, 30)).save(file)
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(InputError, match=r"^cannot be read: [^\n]+$") as caught:
        read_image(file)
    assert str(tmp_path) not in str(caught.value)  # reasons are part of a run's configuration


def test_a_closed_image_is_refused_without_its_path(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(InputError, match=r"^cannot be read: Is a directory$"):
        read_image(tmp_path / "folder.png")


@pytest.mark.parametrize("side", [11, 16], ids=["above the limit", "above twice the limit"])
def test_a_decompression_bomb_is_refused(side: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("L", (side, side)).save(tmp_path / "bomb.png")
    assert read_image(tmp_path / "bomb.png").shape == (1, side, side)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(InputError, match=r"^cannot be read: Image size \(\d+ pixels\) exceeds limit"):
        read_image(tmp_path / "bomb.png")

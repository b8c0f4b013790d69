from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from ganetics._check import MissingDependencyError
from ganetics.data.load import listed
from ganetics.data.measure import MEASURES, MIRRORED, difference_hashes, measure, measure_all

Values = npt.NDArray[Any]


def smooth(seed: int, *, side: int = 96, channels: int = 3) -> Values:
    """Return an image ``[c, side, side]`` with the rough structure of a photograph."""
    coarse = np.random.default_rng(seed).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
    array = np.asarray(picture).transpose(2, 0, 1)
    return np.ascontiguousarray(array[:channels])


def row(pixels: Values, size: int = -1) -> np.void:
    found = np.zeros(1, MEASURES)
    found[0] = measure(pixels, size)
    result: np.void = found[0]
    return result


def distance(a: int, b: int) -> int:
    return (a ^ b).bit_count()


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_measures_are_what_they_say(channels: int, kind: type[np.unsignedinteger[Any]]) -> None:
    top = np.iinfo(kind).max
    pixels = np.random.default_rng(1).integers(0, top + 1, (channels, 40, 60), dtype=kind)
    pixels[:, :2] = pixels[:, -2:] = 0
    pixels[:, :, :2] = pixels[:, :, -2:] = 0  # 5 % of the shorter side
    found = row(pixels, 1234)
    shares = pixels / float(top)
    gray = shares[0] if channels == 1 else np.tensordot([0.299, 0.587, 0.114], shares, axes=1)
    expected = {
        "height": 40,
        "width": 60,
        "channels": channels,
        "bits": 8 * pixels.itemsize,
        "bytes": 1234,
        "brightness": gray.mean(),
        "red": shares[0].mean(),
        "green": shares[channels // 2].mean(),
        "blue": shares[-1].mean(),
        "border": 0.0,
        "spread": gray.std(),
        "brightest": shares.max(),
    }
    assert {name: float(found[name]) for name in expected} == pytest.approx(expected, abs=1e-4)
    thumbnail = Image.fromarray((shares[0] * 255).round().astype(np.uint8)).resize((16, 16), Image.Resampling.BOX)
    assert np.abs(found["thumbnail"][..., 0].astype(int) - np.asarray(thumbnail)).max() <= 1


def test_the_digest_tells_apart_what_is_not_equal() -> None:
    pixels = smooth(0)
    other = pixels.copy()
    other[2, 95, 95] ^= 1
    digests = {bytes(row(image)["sha256"]) for image in (pixels, other, pixels[:1], pixels.reshape(3, 48, 192))}
    assert len(digests) == 4
    black = (np.zeros((1, 2, 4), np.uint8), np.zeros((1, 2, 2), np.uint16))  # the same bytes
    assert bytes(row(black[0])["sha256"]) != bytes(row(black[1])["sha256"])
    assert row(pixels)["sha256"] == row(pixels.copy())["sha256"]


def test_a_hash_says_where_it_grows_brighter_to_the_right() -> None:
    gray = np.random.default_rng(0).integers(0, 256, (8, 9), dtype=np.uint8)
    bits = "".join(str(int(gray[y, x + 1] > gray[y, x])) for y in range(8) for x in range(8))
    assert difference_hashes(gray)[0] == int(bits, 2)
    assert difference_hashes(np.zeros((5, 5), np.uint8)) == [0] * MIRRORED


def test_the_eight_hashes_are_those_of_the_image_turned_and_mirrored() -> None:
    gray = smooth(3, channels=1)[0]
    turned = [np.ascontiguousarray(np.rot90(view, k)) for view in (gray, gray.T) for k in range(4)]
    hashes = [difference_hashes(view)[0] for view in turned]
    found = difference_hashes(gray)
    for value in hashes:  # reducing a mirrored image is not mirroring a reduced one to the last bit
        assert min(distance(value, other) for other in found) <= 1
    assert all(min(distance(value, other) for value in hashes) <= 1 for other in found)


def test_hashes_survive_what_copies_go_through_and_tell_images_apart() -> None:
    images = [smooth(seed)[0] for seed in range(30)]
    for gray in images:
        picture = Image.fromarray(gray)
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=60)
        copies = [
            np.asarray(Image.open(file)),
            np.asarray(picture.resize((61, 61), Image.Resampling.BICUBIC)),
            (gray * 0.7 + 20).astype(np.uint8),
        ]
        assert max(distance(difference_hashes(copy)[0], difference_hashes(gray)[0]) for copy in copies) <= 4
    hashes = [difference_hashes(gray)[0] for gray in images]
    assert min(distance(a, b) for i, a in enumerate(hashes) for b in hashes[:i]) > 8


def write(folder: Path, count: int) -> Path:
    folder.mkdir(exist_ok=True)
    for number in range(count):
        Image.fromarray(smooth(number).transpose(1, 2, 0)).save(folder / f"{number:02d}.png")
    return folder


def test_what_was_measured_is_kept_until_a_file_changes(tmp_path: Path, cache: Path) -> None:
    folder = write(tmp_path / "images", 5)
    (folder / "03.png").write_bytes(b"not an image")
    calls: list[tuple[int, int]] = []
    first = measure_all(listed(str(folder)), lambda done, total: calls.append((done, total)))
    assert calls == [(done, 5) for done in range(1, 6)]
    assert first.unreadable == {3: "cannot be read: it is no image of a known format"}
    assert first.rows["height"].tolist() == [96, 96, 96, 0, 96]
    assert first.rows["bytes"].tolist()[:3] == [(folder / f"{n:02d}.png").stat().st_size for n in range(3)]
    again = measure_all(listed(str(folder)), lambda *_: pytest.fail("it was measured again"))
    assert again.unreadable == first.unreadable
    assert again.rows.tobytes() == first.rows.tobytes()
    (kept,) = (cache / "audit").iterdir()
    whole = kept.read_bytes()
    for damaged in (whole[:-20], b"", b"PK\x03\x04"):
        kept.write_bytes(damaged)
        assert measure_all(listed(str(folder))).rows.tobytes() == first.rows.tobytes()
    Image.fromarray(smooth(9)[0]).save(folder / "03.png")
    assert measure_all(listed(str(folder))).rows["channels"].tolist() == [3, 3, 3, 1, 3]


def test_a_missing_decoder_is_no_unreadable_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path / "images", 2)

    def missing(file: Path) -> Values:
        raise MissingDependencyError("pydicom is not installed")

    monkeypatch.setattr("ganetics.data.listing.read_image", missing)
    with pytest.raises(MissingDependencyError, match=rf"^{folder}: 00.png: pydicom is not installed$"):
        measure_all(listed(str(folder)))


def test_an_identity_is_of_the_pixels_and_of_nothing_else(tmp_path: Path) -> None:
    folder = write(tmp_path / "images", 1)
    Image.open(folder / "00.png").save(folder / "00.bmp")
    rows = measure_all(listed(str(folder))).rows
    assert rows["sha256"][0] == rows["sha256"][1]
    expected = hashlib.sha256(b"uint8(3, 96, 96)" + smooth(0).tobytes()).hexdigest()
    assert rows["sha256"][0].decode() == expected

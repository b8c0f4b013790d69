from __future__ import annotations

import os
import stat
from pathlib import Path

import numpy as np
import platformdirs
import pytest
import torch

from ganetics.data import ImageSet, Skipped, cache_folder
from ganetics.data.cache import Decoded, cached
from ganetics.data.imageset import hash_of, image_set

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 3, 5, 4), dtype=np.uint8)
LABELS = np.arange(40, dtype=np.int64) % 3
SKIPPED = (Skipped("a/ü.png", "cannot be read: why"),)


class Decoder:
    """Counts how often it is asked."""

    def __init__(self, labels: bool = True) -> None:
        self.calls, self.labels = 0, LABELS if labels else None

    def __call__(self) -> Decoded:
        self.calls += 1
        return PIXELS, self.labels, SKIPPED


def opened(decoder: Decoder, split: str = "all", **key: object) -> ImageSet:
    return cached("set", split, {"size": None, **key}, decoder)


def assert_whole(found: ImageSet, labels: bool = True) -> None:
    np.testing.assert_array_equal(found.images.numpy(), PIXELS)
    assert found.skipped == SKIPPED
    assert found.identity == image_set("set", "all", PIXELS, None).identity
    if labels:
        assert found.labels is not None
        np.testing.assert_array_equal(found.labels.numpy(), LABELS)
    else:
        assert found.labels is None


@pytest.mark.parametrize("labels", [True, False])
def test_the_second_time_nothing_is_decoded(labels: bool) -> None:
    decoder = Decoder(labels)
    for _ in range(2):
        assert_whole(opened(decoder, labels=labels), labels)
    assert decoder.calls == 1


def test_another_key_or_split_is_another_entry() -> None:
    decoder = Decoder()
    for options in ({}, {"size": 8}, {"split": "train"}, {"files": [["a", 1, 2]]}, {"files": [["a", 1, 3]]}):
        opened(decoder, **options)  # type: ignore[arg-type]
    assert decoder.calls == 5


def files(cache: Path) -> dict[str, Path]:
    return {"".join(path.suffixes): path for path in (cache / "data").iterdir()}


@pytest.mark.parametrize("suffix", [".json", ".npy", ".labels.npy"])
@pytest.mark.parametrize("damage", ["absent", "empty", "cut", "text", "zip", "other"])
def test_a_damaged_entry_is_decoded_again(suffix: str, damage: str, cache: Path) -> None:
    decoder = Decoder()
    opened(decoder)
    before = {name: path.read_bytes() for name, path in files(cache).items()}
    assert set(before) == {".json", ".npy", ".labels.npy"}
    path, whole = files(cache)[suffix], before[suffix]
    path.unlink()
    if damage == "other":  # whole files, but not those that belong together
        np.save(cache / "other.npy", PIXELS[:3])
        content = b"[]" if suffix == ".json" else (cache / "other.npy").read_bytes()
    else:
        content = {"empty": b"", "cut": whole[:-7], "text": b"x" * 200, "zip": b"PK\x03\x04" * 9}.get(damage, b"")
    if damage != "absent":
        path.write_bytes(content)
    assert_whole(opened(decoder))
    assert decoder.calls == 2
    assert {name: path.read_bytes() for name, path in files(cache).items()} == before
    assert_whole(opened(decoder))
    assert decoder.calls == 2


@pytest.mark.parametrize("suffix", [".npy", ".labels.npy"])
def test_no_flipped_bit_of_a_header_gives_other_images(suffix: str, cache: Path) -> None:
    decoder = Decoder()
    opened(decoder)
    whole = files(cache)[suffix].read_bytes()
    for place in range(whole.index(b"}") + 1):
        for bit in (1, 16):  # of the header's length the latter moves all that follows
            files(cache)[suffix].write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
            assert_whole(opened(decoder))
    assert decoder.calls > 50


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GANETICS_CACHE", str(tmp_path / "file"))
    decoder = Decoder()
    for _ in range(2):
        assert_whole(opened(decoder))
    assert decoder.calls == 2
    assert (tmp_path / "file").read_bytes() == b""


@pytest.mark.parametrize("after", [0, 1])
def test_a_full_disk_leaves_no_torn_entry(after: int, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save, left = np.save, [after]

    def full(file: object, array: object, **options: object) -> None:
        if left[0] == 0:
            file.write(b"torn")  # type: ignore[attr-defined]
            raise OSError(28, "No space left on device")
        left[0] -= 1
        save(file, array, **options)  # type: ignore[call-overload]

    decoder = Decoder()
    with monkeypatch.context() as patch:
        patch.setattr(np, "save", full)
        assert_whole(opened(decoder))
    assert not any(path.name.startswith(".part") or path.suffix == ".json" for path in (cache / "data").iterdir())
    assert_whole(opened(decoder))
    assert decoder.calls == 2
    assert_whole(opened(decoder))
    assert decoder.calls == 2


@pytest.mark.skipif(os.name != "posix", reason="other systems have other permissions")
def test_nobody_else_may_look_into_it(cache: Path) -> None:
    (cache / "data").mkdir(parents=True, mode=0o755)  # of a version before
    opened(Decoder())
    assert stat.S_IMODE((cache / "data").stat().st_mode) == 0o700


def test_what_is_written_to_the_images_stays_in_this_process() -> None:
    found = opened(Decoder())
    found.images.zero_()
    assert_whole(opened(Decoder()))


def test_the_folder_is_the_chosen_one_or_the_users(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_folder() == cache
    monkeypatch.setenv("GANETICS_CACHE", "")
    assert cache_folder() == Path(platformdirs.user_cache_dir("ganetics", appauthor=False))


def test_the_hash_is_of_shape_and_values() -> None:
    many = np.zeros((2500, 1, 2, 2), dtype=np.uint8)
    assert hash_of(many) == hash_of(many.copy(order="F"))
    others = [many.reshape(2500, 1, 4, 1), many[:-1], many.copy()]
    others[-1][2100, 0, 1, 1] = 1
    assert len({hash_of(pixels) for pixels in (many, *others)}) == 4
    assert image_set("n", "s", many, None).identity.sha256 == hash_of(many)
    assert torch.equal(image_set("n", "s", many, None).images, torch.zeros(2500, 1, 2, 2, dtype=torch.uint8))

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image

from ganetics._check import InputError
from ganetics.anomaly.images import files_in, list_of, masked, normalised, read_images, read_one, seen_in
from ganetics.anomaly.settings import Preprocessing
from ganetics.data.groups import FIRST_FOLDER

from .conftest import Folder, textures


def mixed(folder: Path) -> Path:
    """A folder of images of several kinds."""
    folder.mkdir()
    random = np.random.default_rng(0)
    Image.fromarray(random.integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(folder / "p1_wide.png")
    Image.fromarray(random.integers(0, 256, (33, 20, 3), dtype=np.uint8)).save(folder / "p2_high.jpg")
    Image.fromarray(random.integers(0, 256, (40, 40), dtype=np.uint8)).save(folder / "p3_gray.png")
    Image.fromarray(random.integers(0, 65536, (24, 24), dtype=np.uint16)).save(folder / "p4_deep.png")
    return folder


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("changed", [False, True])
def test_one_image_is_read_as_a_folder_of_them_is(tmp_path: Path, channels: int, changed: bool) -> None:
    folder = mixed(tmp_path / "mixed")
    how = Preprocessing(image_size=16, channels=channels, normalise_colour=changed, mask_border=changed)
    found = read_images(list_of(str(folder), r"p\d", "normal"), how)
    assert found.groups == ("p1", "p2", "p3", "p4")
    assert found.images.shape == (4, channels, 16, 16)
    for place, file in enumerate(found.files):
        one, _ = read_one(file, how)
        assert torch.equal(one, found.images[place]), file


def test_normalised_images_have_one_mean_and_deviation_a_channel() -> None:
    images = textures(5, 0)
    found = normalised(images).double()
    assert found.mean(dim=(2, 3)) == pytest.approx(np.full((5, 3), 127.5), abs=0.5)
    assert found.std(dim=(2, 3), correction=0) == pytest.approx(np.full((5, 3), 50.0), abs=1)
    # what is brighter and of more contrast is the same image
    brighter = (images.double() * 0.5 + 100).round().to(torch.uint8)
    assert (normalised(brighter).int() - normalised(images).int()).abs().max() <= 4
    flat = torch.full((1, 3, 4, 4), 9, dtype=torch.uint8)
    assert (normalised(flat) == 128).all()


def test_masked_images_are_gray_outside_of_the_circle_alone() -> None:
    images = torch.full((1, 3, 16, 16), 200, dtype=torch.uint8)
    found = masked(images)
    assert found[0, :, 0, 0].tolist() == [127] * 3
    assert found[0, :, 8, 8].tolist() == [200] * 3
    assert found[0, 0, 0, 8] == found[0, 0, 8, 0] == 200  # the circle touches the sides
    assert float((found == 127).float().mean()) == pytest.approx(1 - np.pi / 4, abs=0.03)
    assert torch.equal(images, torch.full_like(images, 200))


def test_sizes_and_kind_are_noted_and_others_are_told(tmp_path: Path, image_folder: Folder) -> None:
    folder = image_folder("normal", range(3))
    how = seen_in(sorted(folder.iterdir()), Preprocessing(image_size=16))
    assert (how.sizes, how.gray) == (("16×16",), False)
    other = mixed(tmp_path / "mixed")
    assert read_one(other / "p1_wide.png", how)[1] == ("is 50×40, fitted on 16×16",)
    assert read_one(other / "p3_gray.png", how)[1] == (
        "is gray, fitted on images in colour",
        "is 40×40, fitted on 16×16",
    )
    assert read_one(folder / "p000_a.png", how)[1] == ()
    assert seen_in(sorted(other.iterdir()), how).gray is None


def test_sizes_are_those_of_turned_images_from_all_over_the_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    files = [tmp_path / f"{number}.jpg" for number in range(8)]
    for number, file in enumerate(files):
        Image.new("RGB", (40, 30) if number < 6 else (24, 24)).save(file, exif=exif)
    monkeypatch.setattr("ganetics.anomaly.images.LOOKED_AT", 4)
    how = seen_in(files, Preprocessing(image_size=16))
    assert how.sizes == ("30×40", "24×24")
    assert [read_one(file, how)[1] for file in files] == [()] * 8
    (tmp_path / "0.jpg").write_bytes(b"DICOM, perhaps")
    assert seen_in(files, how).sizes == ()


def test_files_come_in_order_and_hidden_or_other_ones_do_not(tmp_path: Path) -> None:
    for name in ("b/2.png", "a/1.png", "a.png", "a/.hidden.png", ".git/x.png", "notes.txt", "a/deep/3.JPG"):
        file = tmp_path / "root" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    (tmp_path / "root" / "loop").symlink_to(tmp_path / "root")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "4.png").touch()
    for name in ("linked", "twice"):
        (tmp_path / "root" / name).symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "root")
    found = [name for _, name in files_in([tmp_path / "root"])]
    assert found == ["a/1.png", "a/deep/3.JPG", "a.png", "b/2.png", "linked/4.png"]
    single = tmp_path / "root" / "a.png"
    assert list(files_in([single])) == [(single, str(single))]
    with pytest.raises(InputError, match=r"absent: must be an image or a folder of images, got nothing there$"):
        list(files_in([tmp_path / "absent"]))


def test_groups_must_be_known(image_folder: Folder, tmp_path: Path) -> None:
    folder = image_folder("normal", range(3))
    with pytest.raises(InputError, match=r"^normal: .* cannot be split honestly: give --groups REGEX"):
        list_of(str(folder), None, "normal")
    with pytest.raises(InputError, match=r"^normal: groups: 'x' must match every file name, got 'p000_a.png'$"):
        list_of(str(folder), "x", "normal")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"^normal: .*empty: must hold at least 2 images .*, got 0$"):
        list_of(str(tmp_path / "empty"), "p", "normal")
    image_folder("both/normal", range(2))
    image_folder("both/sick", range(2))
    with pytest.raises(InputError, match=r"must hold images of one kind, got classes normal, sick: name one of them$"):
        list_of(str(tmp_path / "both"), "p", "normal")
    for patient in range(7):
        image_folder(f"eyes/anna{patient}", range(2))
    with pytest.raises(InputError, match=r"give --groups REGEX, what finds it in a file's name \('\^\(\[\^/\]\+\)/'"):
        list_of(str(tmp_path / "eyes"), None, "normal")
    with pytest.raises(InputError, match=r"got classes anna0, anna1, anna2, anna3, anna4, …: name one of them$"):
        list_of(str(tmp_path / "eyes"), "p", "normal")
    assert len(set(list_of(str(tmp_path / "eyes"), FIRST_FOLDER, "normal").groups or ())) == 7
    table = tmp_path / "list.csv"
    table.write_text("path,group\n" + "".join(f"normal/p00{i}_a.png,eye {i}\n" for i in range(3)))
    assert read_images(list_of(str(table), None, "normal"), Preprocessing(image_size=16)).groups == (
        "eye 0", "eye 1", "eye 2",
    )  # fmt: skip

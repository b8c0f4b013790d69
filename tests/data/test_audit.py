from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageOps

from ganetics.data.audit import Audit, audit
from ganetics.data.facts import LISTED, Finding
from ganetics.data.groups import FIRST_FOLDER
from ganetics.data.load import listed
from ganetics.data.measure import measure_all
from ganetics.data.splits import SHARES, split_indices
from ganetics.records import from_json, to_json

Values = npt.NDArray[Any]


def picture(seed: int, *, side: int = 48) -> Image.Image:
    """Return a picture with the rough structure of a photograph; no two seeds look alike."""
    random = np.random.default_rng(seed)
    coarse = np.clip(random.normal(128, 50, (10, 10, 3)), 0, 255).astype(np.uint8)
    return Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)


def fill(folder: Path, count: int = 60) -> Path:
    """Write ``count`` pictures of two classes, nothing wrong with them; returns the folder."""
    for number in range(count):
        name = folder / ("a" if number % 2 else "b") / f"i{number:03d}.png"
        name.parent.mkdir(parents=True, exist_ok=True)
        picture(number).save(name)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return fill(tmp_path / "images")


def files_of(folder: Path, split: str) -> list[Path]:
    """Return the files of a split of a folder of two classes, as they are now."""
    files = sorted(folder.rglob("*.*"))
    parts = split_indices([int(file.parent.name == "b") for file in files])
    return [files[i] for i in parts[split]]


def audited(folder: Path, groups: str | None = None) -> Audit:
    listing = listed(str(folder), groups=groups)
    return audit(listing, measure_all(listing))


def by_rule(found: Audit) -> dict[str, Finding]:
    rules = {finding.rule: finding for finding in found.findings}
    assert len(rules) == len(found.findings)
    assert all("\n" not in finding.message for finding in found.findings)
    return rules


def name(file: Path) -> str:
    return f"{file.parent.name}/{file.name}"


def test_nothing_is_found_where_nothing_is_wrong(folder: Path) -> None:
    found = audited(folder)
    assert found.findings == ()
    assert (found.dataset, found.images, found.unreadable, found.groups) == ("images", 60, 0, None)
    assert found.counts == {
        label: {split: sum(file.parent.name == label for file in files_of(folder, split)) for split in SHARES}
        for label in ("a", "b")
    }
    assert (found.sizes, found.depths) == ({"48×48": 60}, {"8-bit RGB": 60})
    assert from_json(Audit, to_json(found), where="audit") == found


def test_equal_images_in_train_and_held_out_are_an_error_else_a_warning(folder: Path) -> None:
    """Written over others, so that the splits stay as they are; in another format, since pixels count."""
    train, test = files_of(folder, "train"), files_of(folder, "test")
    Image.open(train[0]).save(test[0])
    Image.open(train[1]).save(train[2])
    found = by_rule(audited(folder))
    assert set(found) == {"duplicates-across-splits", "duplicates"}
    across, within = found["duplicates-across-splits"], found["duplicates"]
    assert (across.severity, across.value, within.severity, within.value) == ("error", 1, "warning", 1)
    assert set(across.files[0]) == {name(train[0]), name(test[0])}
    assert set(within.files[0]) == {name(train[1]), name(train[2])}


def test_equal_images_of_two_classes_have_a_wrong_label(folder: Path) -> None:
    train = files_of(folder, "train")
    first, other = train[0], next(file for file in train if file.parent != train[0].parent)
    Image.open(first).save(other)
    found = by_rule(audited(folder))
    assert set(found) == {"duplicates", "duplicates-of-two-classes"}
    assert set(found["duplicates-of-two-classes"].files[0]) == {name(first), name(other)}


def recompressed(image: Image.Image) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=70)
    return Image.open(file)


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "recompressed": recompressed,
    "smaller": lambda image: image.resize((37, 37), Image.Resampling.BICUBIC),
    "brighter": lambda image: Image.fromarray((np.asarray(image) * 0.8 + 30).astype(np.uint8)),
    "mirrored": ImageOps.mirror,
    "turned": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "turned and mirrored": lambda image: ImageOps.mirror(image.transpose(Image.Transpose.ROTATE_270)),
}


@pytest.mark.parametrize("copy", COPIES)
def test_altered_copies_look_alike(copy: str, folder: Path) -> None:
    train, validation = files_of(folder, "train"), files_of(folder, "validation")
    COPIES[copy](Image.open(train[3])).save(validation[1])
    COPIES[copy](Image.open(train[5])).save(train[6])
    found = by_rule(audited(folder))
    assert {"look-alikes-across-splits", "look-alikes"} <= set(found) <= {
        "look-alikes-across-splits", "look-alikes", "sizes",
    }  # fmt: skip
    across, within = found["look-alikes-across-splits"], found["look-alikes"]
    assert (across.severity, across.value, within.severity, within.value) == ("warning", 1, "note", 1)
    assert across.message.startswith("of 18 images held out 1 looks like one in train")
    assert set(across.files[0]) == {name(train[3]), name(validation[1])}
    assert set(within.files[0]) == {name(train[5]), name(train[6])}


def test_beginnings_of_names_hint_at_groups(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(60):
        picture(number).save(folder / f"p{number // 2:02d}_{number % 2}.png")
    found = by_rule(audited(folder))["groups-not-given"]
    assert found.severity == "warning"
    assert "--groups '^[^_]+'" in found.message
    assert all(first[:3] == second[:3] for first, second in found.files)
    assert found.value == len(found.files) > 10
    told = audited(folder, groups=r"^[^_]+")
    assert ([one.rule for one in told.findings], told.groups) == (["few-groups"], 30)
    assert told.findings[0].message.startswith("only 5 validation and 4 test groups: ")


def test_a_group_in_two_splits_is_an_error_each(folder: Path) -> None:
    files = sorted(folder.rglob("*.png"))
    rows = [f"{name(file)},g{i // 3},{'train' if i < 40 else 'validation'}" for i, file in enumerate(files)]
    (folder / "images.csv").write_text("\n".join(["path,group,split", *rows]))
    found = audited(folder / "images.csv")
    (leak,) = found.errors
    assert leak.message == "group 'g13' is in train and validation: all images of a group must be in one split"
    assert (leak.rule, leak.value) == ("group-leak", 3)
    assert leak.files == ((name(files[39]), name(files[40])),)
    assert found.groups == 20


def test_splits_that_are_given_must_have_images_to_train_and_to_validate(folder: Path) -> None:
    rows = [f"{name(file)},test" for file in sorted(folder.rglob("*.png"))]
    (folder / "images.csv").write_text("\n".join(["path,split", *rows]))
    (error,) = audited(folder / "images.csv").errors
    assert error.message == "cannot be trained on: no image is in split 'train' or 'validation'"


def test_folders_of_patients_are_an_error_until_they_are_groups(tmp_path: Path) -> None:
    for number in range(39):  # names that differ in more than numbers
        file = tmp_path / f"{'abc'[number // 3 % 3]}{number // 3:02d}" / f"{number}.png"
        file.parent.mkdir(exist_ok=True)
        picture(number).save(file)
    (finding,) = audited(tmp_path).errors
    assert finding.rule == "folders-of-patients"
    assert finding.value <= 13
    assert "half of them of fewer than 30 images, are in more than one split" in finding.message
    assert "--groups '^([^/]+)/'" in finding.message
    grouped = audited(tmp_path, FIRST_FOLDER)
    assert grouped.errors == ()
    assert by_rule(grouped)["folders-are-groups"].value == 13
    first = sorted(tmp_path.iterdir())[0]
    for file in first.iterdir():  # twelve are few enough to be kinds of images
        file.rename(sorted(tmp_path.iterdir())[1] / file.name)
    first.rmdir()
    assert "folders-of-patients" not in by_rule(audited(tmp_path))


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        (["patient1", "patient2", "patient3"], "'^([^/]+)/'"),
        (["sick/anna", "sick/ben", "well/carl", "well/dora"], "'^[^/]+/([^/]+)/'"),
        (["sick", "well", "unclear"], None),
        (["patient1", "patient2"], None),
    ],
)
def test_few_folders_are_a_warning_where_they_look_like_patients(
    names: list[str], pattern: str | None, tmp_path: Path
) -> None:
    for number in range(60):
        file = tmp_path / names[number % len(names)] / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        picture(number).save(file)
    found = by_rule(audited(tmp_path)).get("folders-of-patients")
    assert (found is None) == (pattern is None)
    assert found is None or (found.severity == "warning" and f"--groups {pattern}" in found.message)


def test_folders_are_told_to_be_groups_only_where_they_are(folder: Path) -> None:
    assert "folders-are-groups" not in by_rule(audited(folder, r"i\d+"))  # classes as before
    picture(99).save(folder / "i999.png")  # beside folders, so there are no classes, and no folder is a group either
    assert "folders-are-groups" not in by_rule(audited(folder, r"i\d+"))


def test_a_class_of_one_image_is_an_error(folder: Path) -> None:
    (folder / "bb").mkdir()
    picture(99).save(folder / "bb" / "x.png")
    found = by_rule(audited(folder))
    assert set(found) == {"one-image-class"}
    assert found["one-image-class"].severity == "error"
    assert found["one-image-class"].files == (("bb/x.png",),)


def test_a_class_that_a_split_lacks_is_a_warning(tmp_path: Path) -> None:
    """Of two patients alone, both of whom are held out or train."""
    for number in range(60):
        rare = number < 6
        file = tmp_path / "images" / ("rare" if rare else "plain") / f"p{number // 3:02d}_{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        picture(number).save(file)
    found = audited(tmp_path / "images", groups=r"p\d+")
    absent = {split for split in SHARES if not found.counts["rare"].get(split)}
    assert absent
    rules = by_rule(found)
    assert set(rules) == {"class-not-in-split", "few-groups"}
    message = rules["class-not-in-split"].message
    assert message.startswith(f"class 'rare' has no {' and no '.join(one for one in SHARES if one in absent)} image: ")
    assert ("it cannot be learnt" in message) == ("train" in absent)


@pytest.mark.parametrize(("count", "rules"), [(50, set()), (49, {"few-images"}), (29, {"few-images", "split"})])
def test_few_images_are_a_warning_and_too_few_to_split_an_error(count: int, rules: set[str], tmp_path: Path) -> None:
    found = audited(fill(tmp_path / "images", count))
    assert set(by_rule(found)) == rules
    if "few-images" in rules:
        assert by_rule(found)["few-images"].message.startswith(f"only {count} images: ")
        assert by_rule(found)["few-images"].severity == "warning"
    if "split" in rules:
        assert [error.message for error in found.errors] == [
            "cannot be trained on: there must be at least 30 images to split, got 29"
        ]
        assert sum(found.counts["a"].values()) == found.counts["a"]["all"]


@pytest.mark.parametrize(("bad", "severity"), [(1, "warning"), (3, "warning"), (4, "error")])
def test_unreadable_images_are_an_error_where_training_would_stop(bad: int, severity: str, folder: Path) -> None:
    for file in sorted(folder.rglob("*.png"))[:bad]:
        file.write_bytes(b"not an image")
    found = audited(folder)
    assert set(by_rule(found)) == {"unreadable"}
    (finding,) = found.findings
    assert (finding.severity, finding.value, len(finding.files), found.unreadable) == (severity, bad, bad, bad)
    assert "training stops above 3 of 60), the first a/i001.png: cannot be read: it is no image" in finding.message


def test_images_that_show_nothing_are_a_warning_and_look_like_nothing(folder: Path) -> None:
    train, test = files_of(folder, "train"), files_of(folder, "test")
    for number, file in enumerate((train[0], test[0])):
        noise = np.random.default_rng(number).integers(100, 103, (48, 48, 3), dtype=np.uint8)
        Image.fromarray(noise).save(file)
    found = by_rule(audited(folder))
    assert set(found) == {"near-constant"}
    assert {one for (one,) in found["near-constant"].files} == {name(train[0]), name(test[0])}


def test_sizes_and_kinds_that_differ_are_notes(folder: Path) -> None:
    first, second, *_ = sorted(folder.rglob("*.png"))
    picture(1, side=60).save(first)
    picture(2).convert("L").save(second)
    found = audited(folder)
    assert {(rule, finding.severity, finding.value) for rule, finding in by_rule(found).items()} == {
        ("sizes", "note", 2),
        ("depths", "note", 2),
    }
    assert found.sizes == {"48×48": 59, "60×60": 1}
    assert found.depths == {"8-bit RGB": 59, "8-bit gray": 1}


def test_pages_that_are_not_read_are_told(folder: Path) -> None:
    first, second, *_ = sorted(folder.rglob("*.png"))
    stack, one = first.with_suffix(".tif"), second.with_suffix(".TIFF")
    picture(100).save(stack, save_all=True, append_images=[picture(101)])
    picture(102).save(one)
    found = by_rule(audited(folder))
    assert set(found) == {"pages"}
    assert (found["pages"].severity, found["pages"].value) == ("warning", 1)
    assert found["pages"].files == ((name(stack),),)


@pytest.mark.parametrize(("top", "told"), [(4095, True), (60_000, False)])
def test_12_bits_in_16_are_told(top: int, told: bool, tmp_path: Path) -> None:
    for number in range(60):
        gray = np.asarray(picture(number).convert("L"), dtype=float)
        Image.fromarray((gray / 255 * top).astype(np.uint16)).save(tmp_path / f"i{number:02d}.png")
    found = by_rule(audited(tmp_path))
    assert ("range" in found) == told
    if told:
        top = max(int(np.asarray(Image.open(file)).max()) for file in tmp_path.glob("*.png"))
        assert found["range"].message.startswith(f"no 16-bit image is brighter than {top} of 65535: ")


def dark(image: Values) -> Values:
    return (image * 0.6).astype(np.uint8)


def bordered(image: Values) -> Values:
    image = image.copy()
    image[:2] = image[-2:] = 0
    image[:, :2] = image[:, -2:] = 0
    return image


def reddish(image: Values) -> Values:
    image = image.copy().astype(int)
    image[..., 0] += 60
    image[..., 1] -= 31  # as bright as before
    return image.clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("change", "rule", "score"), [(dark, "brightness", 0.0), (bordered, "border", 0.0), (reddish, "red", 1.0)]
)
def test_what_gives_a_class_away_is_a_warning(
    change: Callable[[Values], Values], rule: str, score: float, folder: Path
) -> None:
    for file in (folder / "a").iterdir():
        Image.fromarray(change(np.asarray(Image.open(file)))).save(file)
    found = by_rule(audited(folder))
    finding = found[f"shortcut-{rule}"]
    assert finding.severity == "warning"
    assert finding.value == pytest.approx(score, abs=0.1)
    assert f"'a' from the rest: AUROC {finding.value:.2f}" in finding.message
    assert len(finding.files) == 24
    highest, lowest = finding.files[0][0], finding.files[-1][0]
    assert (highest[0], lowest[0]) == (("a", "b") if score > 0.5 else ("b", "a"))


def test_the_size_of_files_may_give_a_class_away(folder: Path) -> None:
    for file in (folder / "a").iterdir():
        file.write_bytes(file.read_bytes() + bytes(5000))  # after the end of a PNG anything may come
    assert set(by_rule(audited(folder))) == {"shortcut-bytes"}


def test_a_class_of_few_images_has_no_shortcut(folder: Path) -> None:
    (folder / "c").mkdir()
    for number in range(9):
        Image.fromarray(dark(np.asarray(picture(500 + number)))).save(folder / "c" / f"{number}.png")
    assert audited(folder).findings == ()


def test_errors_come_first_and_lists_have_an_end(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("facts", "findings", "leaks"):
        monkeypatch.setattr(f"ganetics.data.{module}.LISTED", 2)
    train, test = files_of(folder, "train"), files_of(folder, "test")
    for number in range(3):
        Image.open(train[number]).save(test[number])
        Image.open(train[10 + number]).save(train[20 + number])
    picture(1, side=60).save(train[5])
    found = audited(folder)
    order = [finding.severity for finding in found.findings]
    assert order == sorted(order, key=("error", "warning", "note").index)
    across = by_rule(found)["duplicates-across-splits"]
    assert (across.value, len(across.files)) == (3, 2)
    assert LISTED == 1000


def test_arrays_are_audited_too(tmp_path: Path) -> None:
    images = np.stack([np.asarray(picture(number, side=28)) for number in range(80)])
    images[60] = images[5]  # the first of the validation images
    np.savez(
        tmp_path / "x.npz",
        **{
            f"{part}_{what}": values[place]
            for part, place in (("train", slice(60)), ("val", slice(60, 70)), ("test", slice(70, 80)))
            for what, values in (("images", images), ("labels", (np.arange(80) % 2)[:, None]))
        },
    )
    found = audited(tmp_path / "x.npz")
    assert [finding.rule for finding in found.errors] == ["duplicates-across-splits"]
    assert found.errors[0].files == (("train/000005", "val/000000"),)
    assert found.counts == {name: {"train": 30, "validation": 5, "test": 5} for name in ("0", "1")}


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.parametrize(
    ("dataset", "groups", "errors", "least", "most"),
    [
        ("fundus", r"patient\d+", set(), 5, 25),
        ("polyp-patches", r"seq\d+", set(), 0, 2),
        ("histology-colon", None, {"duplicates-across-splits"}, 40, 80),
    ],
)
def test_real_images(
    dataset: str, groups: str | None, errors: set[str], least: int, most: int, data_root: Path
) -> None:
    """Histology has copies and turned copies of a few originals across any split; in the others little looks alike."""
    found = audited(data_root / dataset, groups)
    assert {finding.rule for finding in found.errors} == errors
    alike = by_rule(found).get("look-alikes-across-splits")
    assert least <= (0 if alike is None else alike.value) <= most

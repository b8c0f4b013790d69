from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganetics._check import InputError
from ganetics.anomaly import score as module
from ganetics.anomaly.detectors import build
from ganetics.anomaly.images import list_of, read_images, seen_in
from ganetics.anomaly.score import Scoring, picture_of, score_files
from ganetics.anomaly.settings import AutoEncoderSettings, NeighboursSettings, Preprocessing

from .conftest import Folder

PIXELS = NeighboursSettings(features="pixels")
QUICK = AutoEncoderSettings(width=4, latent_dim=4, steps=2, check_every=2)


@pytest.fixture
def scoring(image_folder: Folder) -> Scoring:
    listing = list_of(str(image_folder("normal", range(12))), r"p\d+", "normal")
    preprocessing = Preprocessing(image_size=16)
    images = read_images(listing, preprocessing)
    detector = build(PIXELS).fit(images.images, images.groups)
    return Scoring(detector, seen_in(images.files, preprocessing))


def rows(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_every_image_gets_a_row_in_order(scoring: Scoring, image_folder: Folder, tmp_path: Path, ending: str) -> None:
    folder = image_folder("new", range(40), seed=3)
    out = tmp_path / f"scores.{ending}"
    counts = score_files(scoring, [folder], out)
    found = rows(out)
    assert [row["path"] for row in found] == sorted(file.name for file in folder.iterdir())
    images = read_images(list_of(str(folder), "p", "x"), scoring.preprocessing).images
    results = scoring.detector.results(images)
    assert [float(row["pred_score"]) for row in found] == pytest.approx(results.pred_score.tolist(), rel=1e-6)
    assert [int(row["pred_label"]) for row in found] == results.pred_label.tolist()
    highest = sorted(((float(row["pred_score"]), row["path"]) for row in found), reverse=True)
    assert sorted(counts.highest, reverse=True) == [(*one, folder / one[1]) for one in highest]
    assert (counts.scored, counts.abnormal) == (80, int(results.pred_label.sum()))
    assert (counts.unreadable, counts.unusual, counts.resumed) == (0, 0, 0)


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
@pytest.mark.parametrize("torn", [0, 7, 10_000])
def test_what_is_interrupted_goes_on_to_the_same_file(
    scoring: Scoring, image_folder: Folder, tmp_path: Path, ending: str, torn: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 6)
    folder = image_folder("new", range(10), seed=3)
    whole, part = tmp_path / f"whole.{ending}", tmp_path / f"part.{ending}"
    score_files(scoring, [folder], whole)

    def interrupt(done: int) -> None:
        if done == 12:
            raise KeyboardInterrupt

    stopping = Scoring(scoring.detector, scoring.preprocessing, on_progress=interrupt)
    with pytest.raises(KeyboardInterrupt):
        score_files(stopping, [folder], part)
    assert len(rows(part)) == 12
    os.truncate(part, max(0, part.stat().st_size - torn))  # a torn row, or an empty file
    counts = score_files(scoring, [folder], part, resume=True)
    assert part.read_bytes() == whole.read_bytes()
    assert counts.resumed == {0: 12, 7: 11, 10_000: 0}[torn]
    again = score_files(scoring, [folder], part, resume=True)
    assert again.resumed == counts.scored == again.scored == 20
    assert sorted(again.highest) == sorted(counts.highest)
    assert part.read_bytes() == whole.read_bytes()


def test_bad_and_unusual_images_are_told_or_stop_it(scoring: Scoring, image_folder: Folder, tmp_path: Path) -> None:
    folder = image_folder("new", range(2))
    (folder / "broken.png").write_bytes(b"no image")
    Image.fromarray(np.zeros((30, 20), dtype=np.uint8)).save(folder / "q.png")
    told: list[str] = []
    out = tmp_path / "scores.csv"
    counts = score_files(Scoring(scoring.detector, scoring.preprocessing, on_warning=told.append), [folder], out)
    assert (counts.scored, counts.unreadable, counts.unusual) == (5, 1, 1)
    found = {row["path"]: row for row in rows(out)}
    assert found["broken.png"]["pred_score"] == found["broken.png"]["pred_label"] == ""
    assert found["broken.png"]["note"] == "cannot be read: it is no image of a known format"
    assert found["q.png"]["note"] == "is gray, fitted on images in colour; is 20×30, fitted on 16×16"
    assert float(found["q.png"]["pred_score"])
    assert told == [f"{name}: {found[name]['note']}" for name in ("broken.png", "q.png")]
    strict = Scoring(scoring.detector, scoring.preprocessing, strict=True)
    with pytest.raises(InputError, match=r"^broken.png: cannot be read: .* \(--strict\)$"):
        score_files(strict, [folder], tmp_path / "strict.csv")
    (folder / "broken.png").unlink()
    with pytest.raises(InputError, match=r"^q.png: is gray, fitted on images in colour; .* \(--strict\)$"):
        score_files(strict, [folder], tmp_path / "again.csv")


def test_maps_are_pictures_named_after_the_images(image_folder: Folder, tmp_path: Path) -> None:
    folder = image_folder("new/deep", range(2)).parent
    listing = list_of(str(image_folder("normal", range(6))), r"p\d+", "normal")
    images = read_images(listing, Preprocessing(image_size=16))
    detector = build(QUICK).fit(images.images, images.groups)
    score_files(Scoring(detector, Preprocessing(image_size=16), maps=tmp_path / "maps"), [folder], tmp_path / "s.csv")
    files = sorted(str(file.relative_to(tmp_path / "maps")) for file in (tmp_path / "maps").rglob("*.png"))
    assert files == [f"deep/p00{i}_{eye}.png.png" for i in range(2) for eye in "ab"]
    with Image.open(tmp_path / "maps" / files[0]) as picture:
        assert picture.size == (2 * 192 + 4, 192)


def test_maps_inside_of_the_folder_are_not_scored(image_folder: Folder, tmp_path: Path) -> None:
    normal = image_folder("normal", range(6))
    preprocessing = Preprocessing(image_size=16)
    detector = build(QUICK).fit(read_images(list_of(str(normal), r"p\d+", "normal"), preprocessing).images)
    scoring = Scoring(detector, preprocessing, maps=normal / "maps")
    for resume in (False, True):
        counts = score_files(scoring, [normal], tmp_path / "s.csv", resume=resume)
        assert (counts.scored, len(rows(tmp_path / "s.csv"))) == (12, 12)
        assert len(list((normal / "maps").iterdir())) == 12


def test_images_of_two_folders_are_told_apart(image_folder: Folder, tmp_path: Path) -> None:
    folders = [image_folder(name, range(2), seed=seed) for seed, name in enumerate(("left", "right"))]
    listing = list_of(str(image_folder("normal", range(6))), r"p\d+", "normal")
    preprocessing, maps = Preprocessing(image_size=16), tmp_path / "maps"
    detector = build(QUICK).fit(read_images(listing, preprocessing).images)
    scoring = Scoring(detector, preprocessing, maps=maps)
    counts = score_files(scoring, folders, tmp_path / "s.csv")
    paths = [row["path"] for row in rows(tmp_path / "s.csv")]
    assert paths == [str(file) for folder in folders for file in sorted(folder.iterdir())]
    assert all((maps / picture_of(path)).exists() for path in paths)
    assert len(list(maps.rglob("*.png"))) == counts.scored == 8
    for resume in (False, True):
        with pytest.raises(InputError, match=r"maps: must be an empty folder or not be there yet$"):
            score_files(scoring, folders, tmp_path / "other.csv", resume=resume)
    assert not (tmp_path / "other.csv").exists()
    # pictures of what has a row already are drawn where they are not there
    pictures = {file.relative_to(maps): file.read_bytes() for file in maps.rglob("*.png")}
    shutil.rmtree(maps)
    score_files(scoring, folders, tmp_path / "s.csv", resume=True)
    again = {file.relative_to(maps): file.read_bytes() for file in maps.rglob("*.png")}
    assert again.keys() == pictures.keys()


def test_pictures_stay_inside_and_apart() -> None:
    names = [picture_of(path) for path in ("a/x.png", "../a/x.png", "../../a/x.png", "/a/x.png")]
    assert names == ["a/x.png.png", "_up/a/x.png.png", "_up/_up/a/x.png.png", "_root/a/x.png.png"]


def test_the_most_abnormal_are_remembered(
    scoring: Scoring, image_folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HIGHEST", 3)
    counts = score_files(scoring, [image_folder("new", range(8), seed=3)], tmp_path / "s.csv")
    every = sorted(((float(row["pred_score"]), row["path"]) for row in rows(tmp_path / "s.csv")), reverse=True)
    assert [one[:2] for one in sorted(counts.highest, reverse=True)] == every[:3]


def test_memory_holds_one_batch(scoring: Scoring, image_folder: Folder, tmp_path: Path, monkeypatch: Any) -> None:
    """However many files there are, no more images are read than are scored before the next."""
    monkeypatch.setattr(module, "BATCH", 4)
    read = scored = most = 0
    plain, results = module.read_one, scoring.detector.results

    def reading(*given: Any) -> Any:
        nonlocal read, most
        read += 1
        most = max(most, read - scored)
        return plain(*given)

    def scoring_them(images: Any, **options: Any) -> Any:
        nonlocal scored
        scored += len(images)
        return results(images, **options)

    monkeypatch.setattr(module, "read_one", reading)
    monkeypatch.setattr(scoring.detector, "results", scoring_them)
    score_files(scoring, [image_folder("new", range(10))], tmp_path / "scores.csv")
    assert (read, scored, most) == (20, 20, 4)


def test_wrong_files_are_refused(scoring: Scoring, image_folder: Folder, tmp_path: Path) -> None:
    folder = image_folder("new", range(3))
    out = tmp_path / "scores.csv"
    with pytest.raises(InputError, match=r"must end in \.csv or \.jsonl$"):
        score_files(scoring, [folder], tmp_path / "scores.txt")
    score_files(scoring, [folder], out)
    with pytest.raises(InputError, match=r"is there already: --resume goes on with it, or name another file$"):
        score_files(scoring, [folder], out)
    shutil.copy(out, tmp_path / "other.csv")
    (folder / "a.png").write_bytes((folder / "p000_a.png").read_bytes())
    with pytest.raises(InputError, match=r"line 2 must be of the image that comes there, a.png, got p000_a.png"):
        score_files(scoring, [folder], out, resume=True)
    (folder / "a.png").unlink()
    far = build(PIXELS.model_copy(update={"k": 1}))
    far.fit(read_images(list_of(str(folder), "p.*", "x"), Preprocessing(image_size=16)).images)
    with pytest.raises(InputError, match=r"must be of this detector and of these images: p002_b\.png has .+ now, got"):
        score_files(Scoring(far, scoring.preprocessing), [folder], out, resume=True)
    out.write_text("path,pred_score,pred_label,note\nx,1\n")
    with pytest.raises(InputError, match=r"line 2 must be a row of scores, got b'x,1\\n'$"):
        score_files(scoring, [folder], out, resume=True)
    for row in ("p000_a.png,much,0,", "p000_a.png,0.5,,"):
        out.write_text(f"path,pred_score,pred_label,note\n{row}\n")
        with pytest.raises(InputError, match=r"line 2 must be a row of scores, got b'p000_a.png"):
            score_files(scoring, [folder], out, resume=True)
    lines = tmp_path / "scores.jsonl"
    lines.write_text('{"path": "p000_a.png", "pred_score": 0.5}\n')
    with pytest.raises(InputError, match=r"line 1 must be a row of scores, got "):
        score_files(scoring, [folder], lines, resume=True)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"must hold at least 1 image, got none$"):
        score_files(scoring, [tmp_path / "empty"], tmp_path / "none.csv")
    (tmp_path / "a.png").write_text("no image")
    with pytest.raises(
        InputError, match=r"none\.csv: at least 1 image must be readable, got 1 that are not, as it says$"
    ):
        score_files(scoring, [tmp_path / "a.png"], tmp_path / "none.csv")

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import average_precision_score, roc_auc_score

from ganetics._check import InputError
from ganetics.anomaly import shortcuts
from ganetics.anomaly.evaluate import chosen, evaluate, histogram
from ganetics.anomaly.fit import fit, fitted_detector, prepare_run
from ganetics.anomaly.images import list_of
from ganetics.anomaly.results import Evaluation, RunSummary
from ganetics.anomaly.settings import AutoEncoderSettings, NeighboursSettings, Preprocessing, Settings
from ganetics.anomaly.sliding import slide
from ganetics.anomaly.testset import Options
from ganetics.records import from_json

from .conftest import Folder, textures

PATIENT = r"p\d+"
PIXELS = NeighboursSettings(features="pixels")
QUICK = AutoEncoderSettings(width=4, latent_dim=4, steps=2, check_every=2)
TINY = AutoEncoderSettings(width=4, latent_dim=8, steps=100, check_every=25, learning_rate=3e-3)


def made(folder: Folder, tmp_path: Path, detector: Settings = PIXELS) -> Path:
    normal = folder("normal", range(30))
    prepared = prepare_run(str(normal), detector, groups=PATIENT, preprocessing=Preprocessing(image_size=16))
    fit(tmp_path / "run", prepared)
    return tmp_path / "run"


def quick(**options: object) -> Options:
    return Options(**{"resamples": 60, "pictures": False, **options})  # type: ignore[arg-type]


def test_no_look_is_spent_where_nothing_can_be_written(image_folder: Folder, tmp_path: Path) -> None:
    run = made(image_folder, tmp_path, TINY)
    bad = image_folder("bad", range(100, 110), abnormal=True)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file: must be a folder, got a file$"):
        evaluate(run, quick(abnormal=str(bad)), out=tmp_path / "file")
    assert not (run / "looks.json").exists()


def test_what_is_written_agrees_with_itself(image_folder: Folder, tmp_path: Path) -> None:
    run = made(image_folder, tmp_path, TINY)
    bad = image_folder("bad", range(100, 110), abnormal=True)
    found = evaluate(run, quick(abnormal=str(bad), pictures=True, headline=True))
    with (run / "scores.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["path", "group", "label", "pred_score"]
    labels, scores = [int(row["label"]) for row in rows], [float(row["pred_score"]) for row in rows]
    assert (found.abnormal, found.normal) == (sum(labels), len(labels) - sum(labels)) == (20, 18)
    assert found.auroc.value == pytest.approx(roc_auc_score(labels, scores))
    assert found.average_precision.value == pytest.approx(average_precision_score(labels, scores))
    assert found.prevalence == pytest.approx(20 / 38)
    above = [score > found.threshold for score in scores]
    assert found.sensitivity.value == pytest.approx(np.mean([a for a, y in zip(above, labels, strict=True) if y]))
    assert found.specificity.value == pytest.approx(
        np.mean([not a for a, y in zip(above, labels, strict=True) if not y])
    )
    for figure in (found.auroc, found.sensitivity, found.specificity):
        assert figure.low <= figure.value <= figure.high  # type: ignore[operator]
    assert {row["path"].split("/")[0] for row in rows if row["label"] == "1"} == {"bad"}
    summary = from_json(RunSummary, (run / "run.json").read_text(), where="run.json")
    assert set(summary.test_groups) == {row["group"] for row in rows}
    assert not set(summary.test_groups) & set(summary.train_groups)
    assert (summary.headline, summary.detector, summary.loss, summary.lr) == (True, "autoencoder", None, 3e-3)
    stored = from_json(Evaluation, (run / "evaluation.json").read_text(), where="evaluation.json")
    assert stored == found
    names = ", ".join(one.name for one in found.baselines)
    assert names == "pixels, colour, brightness, contrast, neighbours, neighbours-maps, file size"
    both_ways = {one.name for one in found.shortcuts if one.separates is not None}
    assert both_ways == {"brightness", "contrast", "file size"}  # of one number
    assert {one.variant for one in found.shortcuts} == {"as it is", "colour normalised", "border masked", "both"}
    assert all((run / one.file).read_bytes().startswith(b"\x89PNG") for one in found.pictures)
    kinds = [one.kind for one in found.pictures]
    assert kinds[:12] == ["best"] * 6 + ["worst"] * 6
    assert len({one.path for one in found.pictures}) == len(found.pictures)
    # as often again as is liked: the same figures
    again = evaluate(run, quick(abnormal=str(bad), pictures=True, headline=True))
    assert again.model_copy(update={"looks": 1}) == found


def test_a_group_that_was_seen_is_refused_or_left_out(image_folder: Folder, tmp_path: Path) -> None:
    run = made(image_folder, tmp_path)
    bad = image_folder("bad", range(40), abnormal=True, seed=3)
    with pytest.raises(InputError, match=r"^abnormal: group 'p0\d\d' is among those that the run was fitted on"):
        evaluate(run, quick(abnormal=str(bad)))
    assert not (run / "looks.json").exists()  # nothing was looked at
    found = evaluate(run, quick(abnormal=str(bad), leave_out_seen=True))
    seen = json.loads((run / "run.json").read_text())["train_groups"]
    assert found.left_out == 2 * len(seen)
    assert found.abnormal == 80 - found.left_out
    other = image_folder("others", range(10))
    with pytest.raises(InputError, match=r"^normal: group 'p00\d' is among"):
        evaluate(run, quick(normal=str(other)))


def test_a_seen_group_is_found_by_whatever_name(image_folder: Folder, tmp_path: Path) -> None:
    run = made(image_folder, tmp_path)
    bad = image_folder("bad", range(40), abnormal=True, seed=3)
    with pytest.raises(InputError, match=r"^abnormal: group 'p0\d\d', as the run's own --groups 'p\\\\d\+' finds it, "):
        evaluate(run, quick(abnormal=str(bad), groups=r"p(\d+)"))
    assert not (run / "looks.json").exists()


def test_files_that_cannot_be_read_are_counted(image_folder: Folder, tmp_path: Path) -> None:
    run = made(image_folder, tmp_path)
    bad = image_folder("bad", range(100, 130), abnormal=True)
    (bad / "p130_a.png").write_bytes(b"no picture")
    assert evaluate(run, quick(abnormal=str(bad))).unreadable == 1


def test_one_class_has_no_auroc_and_the_other_figures(image_folder: Folder, tmp_path: Path) -> None:
    run = made(image_folder, tmp_path)
    found = evaluate(run, quick())
    assert found.auroc.value is None
    assert found.auroc.reason == "all 18 test images are normal, and two classes are needed"
    assert found.sensitivity.reason == "no test image is abnormal"
    assert found.specificity.value is not None
    assert found.roc is None
    bad = image_folder("bad", range(100, 105), abnormal=True)
    alone = evaluate(run, quick(abnormal=str(bad), no_normal=True))
    assert (alone.auroc.value, alone.specificity.value, alone.prevalence) == (None, None, 1.0)
    assert alone.sensitivity.value is not None
    assert alone.baselines == alone.shortcuts == ()
    with pytest.raises(InputError, match="the test must have at least 1 image of an unseen group, got none"):
        evaluate(run, quick(no_normal=True))


def test_abnormal_images_among_the_normal_ones_are_found(image_folder: Folder, tmp_path: Path) -> None:
    run = made(image_folder, tmp_path)
    config, _, _ = fitted_detector(run)
    normal = tmp_path / "normal"
    with pytest.raises(InputError, match=r"no image may be among the normal ones of .*normal, got p000_a.png"):
        evaluate(run, quick(abnormal=str(normal)))
    copies = tmp_path / "copies"
    copies.mkdir()
    for number, letter in enumerate("ab"):
        shutil.copy(normal / f"{config.parts.fit[0]}_{letter}.png", copies / f"p90{number}_x.png")
    told = r"fitted on, chosen or tested with, got 2 of 2 that equal one pixel by pixel$"
    with pytest.raises(InputError, match=told):
        evaluate(run, quick(abnormal=str(copies)))
    tested = tmp_path / "tested"
    tested.mkdir()
    for number, letter in enumerate("ab"):
        shutil.copy(normal / f"{config.parts.test[0]}_{letter}.png", tested / f"p90{number}_x.png")
    with pytest.raises(InputError, match=told):
        evaluate(run, quick(abnormal=str(tested)))
    found = evaluate(run, quick(normal=str(copies)))
    assert (found.normal, found.duplicates) == (2, 2)


def masked(folder: Path, image: Path, size: tuple[int, int] = (16, 16)) -> None:
    """Write the mask of an image: its left half."""
    folder.mkdir(exist_ok=True)
    values = np.zeros((size[1], size[0]), dtype=np.uint8)
    values[:, : size[0] // 2] = 255
    Image.fromarray(values).save(folder / f"{image.stem}.png")


def test_masks_give_figures_of_pixels(image_folder: Folder, tmp_path: Path) -> None:
    run = made(image_folder, tmp_path, TINY)
    bad, masks = image_folder("bad", range(100, 104), abnormal=True), tmp_path / "masks"
    for image in bad.iterdir():
        values = np.asarray(Image.open(image)).astype(int)
        # a checkerboard differs from its neighbours by far
        steps = np.abs(np.diff(values, axis=0)).max(axis=2)[:, :15] > 50
        mask = np.zeros((16, 16), dtype=np.uint8)
        mask[:15, :15][steps] = 255
        masks.mkdir(exist_ok=True)
        Image.fromarray(mask).save(masks / image.name)
    found = evaluate(run, quick(abnormal=str(bad), masks=masks))
    assert found.masks == 8
    assert found.pixel_auroc is not None
    assert found.region_overlap is not None
    assert found.pixel_auroc.value > 0.8  # type: ignore[operator]
    assert found.region_overlap.value > 0.4  # type: ignore[operator]


def test_masks_must_fit(image_folder: Folder, tmp_path: Path) -> None:
    run = made(image_folder, tmp_path, QUICK)
    bad, masks = image_folder("bad", range(100, 102), abnormal=True), tmp_path / "masks"
    with pytest.raises(InputError, match=r"^masks: .*masks must be a folder, got nothing there$"):
        evaluate(run, quick(abnormal=str(bad), masks=masks))
    for image in sorted(bad.iterdir())[:3]:
        masked(masks, image)
    with pytest.raises(InputError, match=r"must hold a mask for each abnormal image, got none for p101_b.png$"):
        evaluate(run, quick(abnormal=str(bad), masks=masks))
    masked(masks, bad / "p101_b.png", (20, 16))
    with pytest.raises(InputError, match=r"p101_b.png must be 16×16 as its image is, got 20×16$"):
        evaluate(run, quick(abnormal=str(bad), masks=masks))
    assert not (run / "looks.json").exists()  # nothing was looked at
    blind = prepare_run(str(tmp_path / "normal"), PIXELS, groups=PATIENT, preprocessing=Preprocessing(image_size=16))
    fit(tmp_path / "blind", blind)
    with pytest.raises(InputError, match=r"^masks: the detector must say where an image is abnormal, pixels does not$"):
        evaluate(tmp_path / "blind", quick(abnormal=str(bad), masks=masks))


def test_sliding_windows_are_what_is_seen_through_them(image_folder: Folder, tmp_path: Path) -> None:
    run = made(image_folder, tmp_path, QUICK)
    _, detector, preprocessing = fitted_detector(run)
    large = np.random.default_rng(0).integers(60, 190, (24, 40, 3), dtype=np.uint8)
    Image.fromarray(large).save(tmp_path / "large.png")
    scores, maps = slide(detector, preprocessing, [tmp_path / "large.png"], stride=12)
    tops, lefts = (0, 8), (0, 12, 24)
    expected, total, count = [], np.zeros((24, 40)), np.zeros((24, 40))
    for top in tops:
        for left in lefts:
            window = large[top : top + 16, left : left + 16].transpose(2, 0, 1)[None]
            found = detector.results(torch.from_numpy(window.copy()))
            expected.append(found.pred_score[0])
            total[top : top + 16, left : left + 16] += found.anomaly_map[0]  # type: ignore[index]
            count[top : top + 16, left : left + 16] += 1
    assert scores[0] == pytest.approx(max(expected), rel=1e-4)
    np.testing.assert_allclose(maps[0], total / count, atol=1e-4)
    with pytest.raises(InputError, match="pixels between windows must be at most 16, got 17"):
        slide(detector, preprocessing, [tmp_path / "large.png"], stride=17)
    Image.fromarray(large[:10]).save(tmp_path / "low.png")
    with pytest.raises(InputError, match=r"low.png: must be at least 16×16 to slide over, got 40×10"):
        slide(detector, preprocessing, [tmp_path / "low.png"], stride=8)


def test_an_evaluation_by_windows(image_folder: Folder, tmp_path: Path) -> None:
    run = made(image_folder, tmp_path, TINY)
    frames, masks = tmp_path / "frames", tmp_path / "masks"
    frames.mkdir()
    smooth, board = textures(4, 9), textures(4, 9, abnormal=True)
    for place in range(4):
        frame = np.concatenate([board[place].numpy(), smooth[place].numpy()], axis=2).transpose(1, 2, 0)
        Image.fromarray(np.ascontiguousarray(frame)).save(frames / f"p20{place}.png")
        masked(masks, frames / f"p20{place}.png", (32, 16))
    found = evaluate(run, quick(abnormal=str(frames), masks=masks, sliding=8, no_normal=True))
    assert (found.sliding, found.masks, found.auroc.value) == (8, 4, None)
    assert found.pixel_auroc.low > 0.5  # type: ignore[operator,union-attr]
    assert found.components == {}
    assert found.sensitivity.reason.startswith("the threshold is of single images")
    with pytest.raises(
        InputError, match=r"^sliding: normal and abnormal images must be of as many windows.* got 1 and 3"
    ):
        evaluate(run, quick(abnormal=str(frames), sliding=8))


def test_pictures_are_the_extremes_and_none_twice() -> None:
    scores, labels = np.arange(40.0), np.tile([0, 1], 20)
    found = chosen(scores, labels, 30.0)
    kinds: dict[str, list[int]] = {}
    for kind, place in found:
        kinds.setdefault(kind, []).append(place)
    assert kinds["best"] == [39, 37, 35, 33, 31, 29]
    assert kinds["worst"] == [1, 3, 5, 7, 9, 11]
    assert kinds["false alarm"] == [38, 36, 34, 32]
    assert kinds["borderline"] == [30, 28, 27, 26, 25, 24]


def test_the_histogram_counts_everything_once() -> None:
    random = np.random.default_rng(0)
    held_out, scores, labels = random.normal(size=50), random.normal(size=80), np.tile([0, 1], 40)
    scores[0] = 1e6
    found = histogram(held_out, scores, labels)
    assert (sum(found.held_out), sum(found.normal), sum(found.abnormal)) == (50, 40, 40)
    assert found.edges[-1] < 1e6
    labels = np.repeat([0, 1], [30, 10])
    apart = histogram(np.zeros(5), np.where(labels == 1, 9.0, 0.0), labels)
    assert (apart.normal[0], apart.abnormal[-1], sum(apart.normal), sum(apart.abnormal)) == (30, 10, 30, 10)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("folder", "abnormal", "groups", "shared"),
    # nearly every sequence has polyps; no patient has a healthy eye and one with glaucoma
    [("polyp-patches", "polyp", r"seq\d+", True), ("fundus", "glaucoma", r"patient\d+", False)],
)
def test_the_real_sets_are_split_by_sequence_and_by_patient(
    data_root: Path, tmp_path: Path, folder: str, abnormal: str, groups: str, shared: bool
) -> None:
    source, sick = data_root / folder / "normal", data_root / folder / abnormal
    prepared = prepare_run(str(source), NeighboursSettings(features="colour"), groups=groups)
    config = prepared.config
    assert config.dataset == folder
    parts = config.parts
    shares = np.array([len(prepared.part(part)) for part in (parts.fit, parts.held_out, parts.test)])
    assert shares / len(prepared.normals) == pytest.approx([0.5, 0.2, 0.3], abs=0.05)
    found = set(list_of(str(sick), groups, "abnormal").groups or ())
    assert bool(found & config.seen) == shared
    if shared:
        fit(tmp_path / "run", prepared)
        with pytest.raises(InputError, match=r"^abnormal: group 'seq\d+' is among those that the run was fitted on"):
            evaluate(tmp_path / "run", quick(abnormal=str(sick)))
        assert not (tmp_path / "run" / "looks.json").exists()


def test_scores_of_frozen_features_are_kept_and_made_again_where_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANETICS_CACHE", str(tmp_path / "cache"))
    sets = [textures(8, 1), textures(6, 2), textures(4, 3, abnormal=True)]
    settings = NeighboursSettings(k=2)
    made: list[Settings] = []
    really = shortcuts._scores
    monkeypatch.setattr(shortcuts, "_scores", lambda one, *rest: (made.append(one), really(one, *rest))[1])
    first = shortcuts.kept_scores(settings, *sets)
    assert first.tolist() == really(settings, *sets).tolist()
    assert shortcuts.kept_scores(settings, *sets).tolist() == first.tolist()
    assert len(made) == 1
    shortcuts.kept_scores(settings.model_copy(update={"k": 3}), *sets)
    shortcuts.kept_scores(settings, *sets[:2], sets[2].flip(0))
    assert len(made) == 3  # of other settings, of other images
    (kept,) = [file for file in (tmp_path / "cache" / "baselines").iterdir() if first.tolist() == _kept(file)]
    for damage in ('{"scores": [1, 2, 3, 4], "sha256": "x"}', '{"scores": 1}', "[]", "{"):
        kept.write_text(damage)
        assert shortcuts.kept_scores(settings, *sets).tolist() == first.tolist()
        assert _kept(kept) == first.tolist()
    assert len(made) == 7
    monkeypatch.setenv("GANETICS_CACHE", str(kept))  # a file: nothing can be kept
    assert shortcuts.kept_scores(settings, *sets).tolist() == first.tolist()


def _kept(file: Path) -> list[float]:
    found: list[float] = json.loads(file.read_text())["scores"]
    return found

"""``ganetics detect``, as somebody uses it."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

GROUPS = r"p\d+"
PIXELS = ["--detector", "pixels", "--image-size", "16", "--groups", GROUPS]
QUICK = [
    *("--detector", "autoencoder", "--image-size", "16", "--groups", GROUPS, "--steps", "60", "--rate", "0.003"),
    *("--set", "width=2", "--set", "latent_dim=2", "--set", "check_every=20"),
]


def write(folder: Path, patients: range, *, bright: int = 0) -> Path:
    folder.mkdir(parents=True)
    for number in patients:
        for eye in "ab":
            random = np.random.default_rng([number, ord(eye)])
            pixels = random.integers(40, 120, (18, 18, 3), dtype=np.uint8) + np.uint8(bright)
            Image.fromarray(pixels).save(folder / f"p{number:03d}_{eye}.png")
    return folder


@pytest.fixture
def normal(tmp_path: Path) -> Path:
    return write(tmp_path / "eyes" / "normal", range(20))


def test_what_is_seen_and_who_chooses_is_as_it_was_given(command: Any, normal: Path, tmp_path: Path) -> None:
    bad = write(tmp_path / "eyes" / "glaucoma", range(10, 40), bright=90)
    options = ("--mask-border", "--split", 2, "--calibration", bad)
    command("detect", "fit", tmp_path / "run", "--normal", normal, *PIXELS, *options, "--json")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    seen = config["preprocessing"]
    assert (seen["mask_border"], seen["normalise_colour"], config["split"]) == (True, False, 2)
    assert config["calibration"] == "glaucoma"
    assert json.loads((tmp_path / "run" / "fit.json").read_text())["threshold_from"].endswith("Youden's index")
    given = ("--detector", "ganomaly", "--adversarial", "output", "--normalise-colour", "--steps", 1)
    small = ("--image-size", 16, "--set", "width=2", "--groups", GROUPS)
    command("detect", "fit", tmp_path / "other", "--normal", normal, *given, *small, "--json")
    config = json.loads((tmp_path / "other" / "config.json").read_text())
    assert (config["preprocessing"]["mask_border"], config["preprocessing"]["normalise_colour"]) == (False, True)
    assert config["detector"]["adversarial"] == "output"


def test_fit_score_evaluate_report(command: Any, normal: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    fitted = command("detect", "fit", run, "--normal", normal, *QUICK, "--seed", 3, "--json").json
    assert fitted["detector"] == "autoencoder"
    assert fitted["groups"] == {"fit": 10, "held_out": 4, "test": 6}
    config = json.loads((run / "config.json").read_text())
    assert (config["seed"], config["dataset"], config["detector"]["width"]) == (3, "eyes", 2)
    assert config["preprocessing"]["sizes"] == ["18×18"]
    assert "fitted, not tested yet" in Path(fitted["report"]).read_text()

    out = tmp_path / "scores.csv"
    scored = command("detect", "score", run, normal, "--out", out, "--maps", tmp_path / "maps", "--json").json
    assert (scored["scored"], scored["unreadable"]) == (40, 0)
    with out.open(newline="") as stream:
        assert list(next(csv.DictReader(stream))) == ["path", "pred_score", "pred_label", "note"]
    assert len(list((tmp_path / "maps").glob("*.png"))) == 40
    assert scored["report"] == str(tmp_path / "maps" / "report.html")
    page = Path(scored["report"]).read_text()
    assert page.count("data:image/png;base64,") == 40
    shown = re.findall(r"<figcaption>(\S+) ", page)
    with out.open(newline="") as stream:
        found = {row["path"]: float(row["pred_score"]) for row in csv.DictReader(stream)}
    assert [found[path] for path in shown] == sorted(found.values(), reverse=True)
    assert command("detect", "score", run, normal, "--out", out, "--resume", "--json").json["resumed"] == 40

    bad = write(tmp_path / "eyes" / "glaucoma", range(50, 58), bright=90)
    ended = command("detect", "evaluate", run, "--abnormal", bad, "--headline", "--json")
    assert ended.json["abnormal"] == 16
    assert ended.json["looks"] == 1
    assert ended.json["auroc"]["value"] > 0.5
    assert json.loads((run / "run.json").read_text())["headline"] is True
    page = (run / "report.html").read_text()
    assert page.count("data:image/png;base64,") > 6
    (run / "report.html").unlink()
    assert command("report", run, "--json").json["report"] == str(run / "report.html")
    assert (run / "report.html").read_text().startswith("<!DOCTYPE html>")
    again = command("detect", "evaluate", run, "--abnormal", bad, "--no-pictures", "--out", tmp_path / "again")
    assert again.status == 0
    assert "labelled test images were looked at 2 times, first on" in again.err
    assert "data:image/png" not in (tmp_path / "again" / "report.html").read_text()
    for told in ("AUROC", "average precision", "0.571 is chance", "brightness", "p (Holm)"):
        assert told in again.out
    assert command("detect", "fit", run, "--resume", "--json").json == fitted


def test_what_is_printed_says_what_comes_next(command: Any, normal: Path, tmp_path: Path) -> None:
    ended = command("detect", "fit", tmp_path / "run", "--normal", normal, *PIXELS)
    words = " ".join(ended.out.split())
    assert "pixels fitted on 20 normal images of 10 groups; threshold" in words
    assert "6 groups kept for the test" in words
    assert f"report: {tmp_path / 'run' / 'report.html'}\n" in ended.out
    # neighbours do not say where
    assert ended.out.endswith(f"next: ganetics detect score {tmp_path / 'run'} FOLDER --out scores.csv\n")
    (normal / "p000_a.png").write_bytes(b"broken")
    for number in range(6):
        (normal / f"q{number}.png").write_bytes(b"broken")
    scored = command("detect", "score", tmp_path / "run", normal, "--out", tmp_path / "s.jsonl")
    assert "39 images scored" in scored.out
    assert "7 could not be read" in scored.out
    assert scored.err.count("\n") == 6
    assert "2 more images were unusual or unreadable; the column note says which" in scored.err


NORMAL = ["fit", "{run}", "--normal", "{normal}"]
BAD = {
    "no normal": (["fit", "{run}"], "--normal: must be given: the folder of normal images"),
    "no groups": (NORMAL, "normal: {normal}: the patient, sequence … of each image must be known"),
    "groups that match nothing": (
        [*NORMAL, "--groups", "x"],
        "normal: groups: 'x' must match every file name, got 'p000_a.png'",
    ),
    "an empty folder": (
        ["fit", "{run}", "--normal", "{tmp}/empty", "--groups", "p"],
        "normal: {tmp}/empty: must hold at least 2 images",
    ),
    "classes": (
        ["fit", "{run}", "--normal", "{tmp}/both", "--groups", GROUPS],
        "normal: {tmp}/both must hold images of one kind, got classes bad, good: name one of them",
    ),
    "too few groups": (
        ["fit", "{run}", "--normal", "{tmp}/both/good", "--groups", GROUPS],
        "normal: {tmp}/both/good: normal images must be of at least 3 groups",
    ),
    "abnormal among normal": (
        [*NORMAL, "--groups", GROUPS, "--abnormal", "{normal}"],
        "abnormal: {normal}: no image may be among the normal ones of {normal}, got p000_a.png",
    ),
    "no detector": ([*NORMAL, "--detector", "fanagan"], "unknown detector 'fanagan', nearest: fanogan"),
    "no such setting": (
        [*NORMAL, "--detector", "padim", "--loss", "hinge"],
        "--loss: the detector padim has no such setting",
    ),
    "a setting out of range": (
        [*NORMAL, "--set", "kappa=-1"],
        "detector fanogan: kappa: Input should be greater than or equal to 0, got '-1'",
    ),
    "a setting with an option": ([*NORMAL, "--set", "steps=3"], "--set: steps has an option of its own, --steps"),
    "a setting twice": (
        [*NORMAL, "--set", "width=3", "--set", "width=4"],
        "--set: width must be given once, got 'width=4'",
    ),
    "an unknown setting": ([*NORMAL, "--set", "witdh=3"], "unknown setting 'witdh', nearest: width"),
    "a setting without a value": ([*NORMAL, "--set", "width"], "--set: must be NAME=VALUE, got 'width'"),
    "no penalty": (
        [*NORMAL, "--penalty", "gradient"],
        "--penalty: must be KIND:WEIGHT or KIND:WEIGHT/STEPS, got 'gradient'",
    ),
    "no score": ([*NORMAL, "--score", "ratio"], "--score: must be PART=WEIGHT, separated by commas"),
    "a ratio that the loss does not say": (
        [*NORMAL, "--groups", GROUPS, "--score", "ratio=1"],
        "score 'ratio': the optimal discriminator of the loss must say the density ratio, that of 'wasserstein'",
    ),
    "no loss": ([*NORMAL, "--groups", GROUPS, "--loss", "hinj"], "unknown loss 'hinj', nearest: hinge"),
    "specificity": ([*NORMAL, *PIXELS, "--specificity", "1"], "run: specificity: Input should be less than 1"),
    "specificity and calibration": (
        [*NORMAL, *PIXELS, "--specificity", "0.9", "--calibration", "{normal}"],
        "--specificity: with --calibration the threshold is chosen between both",
    ),
    "nothing to resume": (["fit", "{run}", "--resume"], "run folder: no file at {run}/config.json"),
    "resume and more": (["fit", "{run}", "--resume", "--seed", "1"], "--seed: a run is gone on with as it was begun"),
    "not a run": (["score", "{tmp}", "{normal}", "--out", "{tmp}/s.csv"], "{tmp}: must be the folder of a fitted run"),
}


@pytest.mark.parametrize("name", BAD)
def test_wrong_input_is_one_line(name: str, command: Any, normal: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    write(tmp_path / "both" / "good", range(2))
    write(tmp_path / "both" / "bad", range(2, 4))
    arguments, told = BAD[name]
    places = {"run": tmp_path / "run", "normal": normal, "tmp": tmp_path}
    ended = command("detect", *(one.format(**places) for one in arguments))
    assert ended.status == 2
    assert ended.complaint.startswith(told.format(**places))
    assert not (tmp_path / "run").exists()


def test_wrong_input_to_a_fitted_run_is_one_line(command: Any, normal: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    command("detect", "fit", run, "--normal", normal, *PIXELS)
    bad = write(tmp_path / "bad", range(15, 25), bright=90)
    for arguments, told in (
        (["fit", run, "--normal", normal, *PIXELS], "it holds a run already; --resume goes on with it, or name"),
        (["evaluate", run, "--abnormal", bad], "is among those that the run was fitted on or chosen with"),
        (["evaluate", run, "--abnormal", bad, "--leave-out-seen", "--masks", tmp_path], "pixels does not"),
        (["score", run, normal, "--out", tmp_path / "s.csv", "--maps", tmp_path / "m"], "--maps: the detector must"),
        (["score", run, tmp_path / "absent", "--out", tmp_path / "s.csv"], "got nothing there"),
        (["score", run, normal, "--out", tmp_path / "s.txt"], "must end in .csv or .jsonl"),
    ):  # fmt: skip
        ended = command("detect", *arguments)
        assert ended.status == 2
        assert told in ended.complaint
    ended = command("detect", "fit", run, "--normal", normal, *PIXELS, "--resume", "--seed", 1)
    assert "another configuration: seed is 0 there, got 1" in ended.complaint
    assert command("detect", "fit", run, "--normal", normal, *PIXELS, "--resume").status == 0
    Image.fromarray(np.zeros((9, 9), dtype=np.uint8)).save(tmp_path / "other.png")
    ended = command("detect", "score", run, tmp_path / "other.png", "--out", tmp_path / "s.csv", "--strict")
    assert ended.complaint.endswith(
        "other.png: is gray, fitted on images in colour; is 9×9, fitted on 18×18 (--strict)"
    )
    file = run / "checkpoint" / "detector.json"
    file.write_text(file.read_text().replace('"schema_version": 2', '"schema_version": 9'))
    ended = command("detect", "score", run, normal, "--out", tmp_path / "t.csv")
    assert ended.complaint.endswith("detector.json: schema_version: Input should be 2, got '9'")


def test_training_that_diverges_ends_with_status_1(command: Any, normal: Path, tmp_path: Path) -> None:
    gan = ["--detector", "fanogan", "--image-size", "16", "--groups", GROUPS, "--steps", "60", "--penalty", "none",
           "--set", "width=2", "--set", "encoder_steps=2", "--rate", "1e30"]  # fmt: skip
    ended = command("detect", "fit", tmp_path / "run", "--normal", normal, *gan)
    assert ended.status == 1
    assert ended.out.startswith("fanogan: diverged: the ")


def test_compare_and_export(command: Any, normal: Path, tmp_path: Path) -> None:
    bad = write(tmp_path / "bad", range(50, 56), bright=90)
    for name in ("pixels", "colour"):
        run = tmp_path / "runs" / name
        given = ["--detector", name, "--image-size", "16", "--groups", GROUPS]
        assert command("detect", "fit", run, "--normal", normal, *given).status == 0
        assert command("detect", "evaluate", run, "--abnormal", bad, "--no-pictures").status == 0
    ended = command("detect", "compare", tmp_path / "runs", "--reference", "colour", "--out", tmp_path / "tables")
    words = " ".join(ended.out.split())
    assert "eyes: 12 abnormal and 12 normal images, 12 groups; reference: colour" in words
    found = command("detect", "compare", tmp_path / "runs", "--json").json
    assert {row["label"] for row in found["rows"]} == {"pixels", "colour"}
    with (tmp_path / "tables" / "comparison.csv").open(newline="") as stream:
        assert {row["label"] for row in csv.DictReader(stream)} == {"pixels", "colour"}
    assert command("detect", "compare", normal).complaint.endswith("must hold at least 1 evaluated run, got none")

    ended = command("detect", "export", tmp_path / "runs" / "colour", "--out", tmp_path / "out", "--json")
    assert ended.json["files"] == ["detector.json", "detector.safetensors"]
    assert "colour is not one network; written without it: detector.json, detector.safetensors; gan" in ended.err

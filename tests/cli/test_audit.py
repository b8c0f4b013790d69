"""``ganetics doctor --data``, and the audit at the start of ``ganetics train``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganetics._check import InputError
from ganetics.cli.audit import checked
from ganetics.cli.search import prepared
from ganetics.data import load
from ganetics.data.audit import Audit
from ganetics.records import from_json
from ganetics.search.ladder import ladder
from ganetics.training import RECIPES

GROUPS = r"^p\d+"
SMALL = ("--recipe", "digits", "--steps", 10)


def test_images_are_audited_and_shown(command: Any, gray_images: Path) -> None:
    ended = command("doctor", "--data", gray_images, "--groups", GROUPS)
    assert ended.status == 0
    assert ended.err == ""
    for words in (
        "images: 60 images",
        "groups: 30 (21 train, 5 validation, 4 test); sizes: 24×24 (60); 8-bit gray (60)",
        "warning  few-groups: only 5 ",
    ):
        assert words in ended.out
    assert "device" not in ended.out


def test_many_classes_are_counted_and_not_listed(command: Any, tmp_path: Path) -> None:
    for number in range(46):
        file = tmp_path / "images" / f"anna{number // 2:02d}" / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8), number, dtype=np.uint8)).save(file)
    ended = command("doctor", "--data", tmp_path / "images")
    assert ended.status == 2
    assert "anna19" in ended.out
    assert "anna20" not in ended.out
    assert "and 3 more classes" in ended.out
    assert "folders-of-patients" in ended.out


def test_json_is_the_audit(command: Any, gray_images: Path) -> None:
    ended = command("doctor", "--data", gray_images, "--json")
    found = from_json(Audit, ended.out, where="audit")
    assert ended.json["images"] == 60
    assert [finding.rule for finding in found.findings] == ["groups-not-given"]


def test_errors_are_told_in_a_line_and_the_exit_status_is_2(command: Any, copied_images: Path, tmp_path: Path) -> None:
    page = tmp_path / "audit.html"
    ended = command("doctor", "--data", copied_images, "--html", page)
    assert ended.status == 2
    assert "\nerror    duplicates-across-splits: 1 image is in train and held out too" in ended.out
    assert re.fullmatch(rf"ganetics: {copied_images}: the audit refuses these images: 1 image [^\n]+\n", ended.err)
    content = page.read_text()
    assert "1 error, training does not start" in content
    assert content.count("data:image/png;base64,") >= 2
    assert f"ganetics doctor --data {copied_images.name} --html {page.name}" in content


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--groups", "x"], "--groups: belongs to --data, got 'x' without it"),
        (["--html", "x.html"], "--html: belongs to --data, got 'x.html' without it"),
        (["--data", "digits"], "--data: must be images of your own, got the public data set 'digits'"),
        (["--data", "{images}", "--groups", "q"], "groups: 'q' must match every file name, got 'p00_0.png'"),
        (
            ["--data", "{images}/absent"],
            "{images}/absent: no such folder or file; must be a folder of images, or a .csv or .npz file",
        ),
        (["--data", "medmnist:x"], "medmnist:x: is not fetched: put x.npz of MedMNIST into a folder and name it .+"),
    ],
)
def test_wrong_options_are_one_line(options: list[str], told: str, command: Any, gray_images: Path) -> None:
    ended = command("doctor", *(option.format(images=gray_images) for option in options))
    assert ended.status == 2
    assert re.fullmatch(told.format(images=gray_images), ended.complaint)


def test_training_refuses_what_the_audit_refuses_unless_it_is_accepted(
    command: Any, copied_images: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    ended = command("train", run, "--dataset", copied_images, *SMALL)
    assert ended.status == 2
    assert ended.complaint.startswith(f"{copied_images}: the audit refuses these images: 1 image is in train")
    assert f"ganetics doctor --data {copied_images} --html audit.html shows them" in ended.complaint
    assert ended.complaint.endswith("--accept-audit trains all the same")
    assert not run.exists()
    accepted = command("train", run, "--dataset", copied_images, *SMALL, "--accept-audit", "--json")
    assert accepted.json["step"] == 10
    assert "audit: error: 1 image is in train" in accepted.err
    config = json.loads((run / "config.json").read_text())
    assert config["accept_audit"] is True
    audit = from_json(Audit, (run / "audit.json").read_text(), where="audit")
    assert [finding.rule for finding in audit.errors] == ["duplicates-across-splits"]
    again = command("train", run, "--resume", "--json")
    assert again.json == accepted.json


def few(folder: Path) -> None:
    for file in sorted(folder.rglob("*.png"))[29:]:
        file.unlink()


def of_two_splits(folder: Path) -> None:
    files = sorted(folder.rglob("*.png"))
    rows = [f"{file.relative_to(folder)},g{i // 2},{('train', 'validation')[i % 2]}" for i, file in enumerate(files)]
    (folder / "table.csv").write_text("\n".join(["path,group,split", *rows]))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [(few, "at least 30 images"), (of_two_splits, "group 'g0' is in train and")],
)
def test_what_nothing_lifts_is_not_said_to_be_lifted(
    spoil: Any, told: str, command: Any, gray_images: Path, tmp_path: Path
) -> None:
    spoil(gray_images)
    table = gray_images / "table.csv"
    given = table if table.exists() else gray_images
    for accept in ([], ["--accept-audit"]):
        ended = command("train", tmp_path / "run", "--dataset", given, *SMALL, *accept)
        assert ended.status == 2
        assert told in ended.complaint
        assert ended.complaint.endswith("shows them, --accept-audit does not lift this")
    assert not (tmp_path / "run").exists()


def test_the_advice_says_where_the_data_were_found(monkeypatch: pytest.MonkeyPatch) -> None:
    found = SimpleNamespace(errors=[SimpleNamespace(message="wrong", final=False)], warnings=[])
    monkeypatch.setattr("ganetics.cli.audit.audit_of", lambda *_: (None, found))
    told = "ganetics doctor --data medmnist:x --data-dir 'my data' --html audit.html shows them"
    with pytest.raises(InputError, match=re.escape(told)):
        checked("medmnist:x", Path("my data"), None, accept=False)


def test_a_search_refuses_what_the_audit_refuses_unless_it_is_accepted(
    command: Any, copied_images: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    small = ("--trials", 1, "--population", 2, "--finalists", 0, "--final-seeds", 1, "--rival", "hinge", "--workers", 1)
    given = ("search", run, "--dataset", copied_images, *SMALL, *small)
    ended = command(*given)
    assert ended.status == 2
    assert ended.complaint.startswith(f"{copied_images}: the audit refuses these images: 1 image is in train")
    assert not run.exists()
    accepted = command(*given, "--accept-audit", "--json")
    assert accepted.json["trials"] == 1
    assert "audit: error: 1 image is in train" in accepted.err
    assert json.loads((run / "config.json").read_text())["accept_audit"] is True
    audit = from_json(Audit, (run / "audit.json").read_text(), where="audit")
    assert [finding.rule for finding in audit.errors] == ["duplicates-across-splits"]
    again = command("search", run, "--resume", "--workers", 1, "--json")
    assert again.json == accepted.json
    assert "audit" not in again.err


def test_training_keeps_groups_together_and_remembers_how(command: Any, gray_images: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    ended = command("train", run, "--dataset", gray_images, "--groups", GROUPS, *SMALL, "--json")
    assert ended.json["step"] == 10
    config = json.loads((run / "config.json").read_text())
    assert config["groups"] == GROUPS
    assert "accept_audit" not in config
    expected = load(str(gray_images), split="train", image_size=8, channels=1, groups=GROUPS)
    assert config["data"]["sha256"] == expected.identity.sha256
    assert json.loads((run / "audit.json").read_text())["groups"] == 30
    assert command("train", run, "--resume", "--json").json == ended.json
    other = command("train", run, "--resume", "--groups", "p")
    assert other.status == 2


def test_public_data_are_not_audited(train_run: Any, search_run: Any) -> None:
    for run in (train_run, search_run):
        assert "audit.json" not in run.files()
        assert {"groups", "accept_audit"}.isdisjoint(json.loads(run.files()["config.json"]))


def test_a_search_keeps_groups_together(gray_images: Path) -> None:
    recipe = RECIPES["digits"]
    settings = {"trials": 4, "rungs": ladder(recipe)}
    search = prepared(str(gray_images), None, recipe, {**settings, "groups": GROUPS})
    expected = load(str(gray_images), split="train", image_size=8, channels=1, groups=GROUPS)
    assert search.config.data == expected.identity
    assert search.config.model_dump(mode="json")["groups"] == GROUPS
    assert "groups" not in prepared(str(gray_images), None, recipe, settings).config.model_dump(mode="json")

"""The script of the medical runs: how it chooses rates and names the best, what it publishes, what it goes on from."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganetics.anomaly.compare import Comparison
from ganetics.records import read_record

from .conftest import write_images

STEPS = 2


@pytest.fixture
def script(benchmark: Callable[[str], ModuleType]) -> Any:
    return benchmark("medical_detection")


@pytest.fixture
def rehearsed(script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A domain of few images, its commands run, with one GAN and what needs no training."""
    data = tmp_path / "data"
    frames = [f"seq{group:02d}_frame{frame:03d}" for group in range(12) for frame in range(3)]
    write_images(data / "polyp-patches" / "normal", [f"{frame}_0.png" for frame in frames])
    write_images(
        data / "polyp-patches" / "polyp", [f"{frame}_1.png" for frame in frames if not frame.endswith("001")], bright=80
    )
    write_images(data / "polyp-frames" / "images", [f"{frame}.png" for frame in frames[::3]], size=(64, 96))
    mask = np.zeros((64, 96), dtype=np.uint8)
    mask[20:40, 30:60] = 255
    (data / "polyp-frames" / "masks").mkdir()
    for frame in frames[::3]:
        Image.fromarray(mask).save(data / "polyp-frames" / "masks" / f"{frame}.png")
    small = ("--set", "width=2", "--set", "latent_dim=4", "--set", "check_every=1", "--set", "patience=1")
    gan = script.Gan((script.fanogan("ganetic", further=small), script.fanogan("hinge", further=small)), 1, "original")
    monkeypatch.setattr(script, "GANS", {"polyp": (gan,)})
    monkeypatch.setattr(script, "RATES", {"polyp": (1.0,)})
    monkeypatch.setattr(script, "WIDEN", 0)
    monkeypatch.setattr(script, "OTHERS", {"neighbours": 1, "brightness": 1})
    monkeypatch.setattr(script, "judged", lambda run: 1.0 if "hinge" in run.name else 2.0)
    carried_out(script, monkeypatch, tmp_path)
    return tmp_path / "out" / f"polyp-{STEPS}-steps"


def carried_out(script: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    places = ("--data-dir", str(tmp_path / "data"), "--out", str(tmp_path / "out"), "--work", str(tmp_path / "work"))
    arguments = ["medical_detection", "polyp", "--steps", str(STEPS), "--look", "--workers", "1", *places]
    monkeypatch.setattr(sys, "argv", arguments)
    script.main()


@pytest.mark.slow
def test_a_domain_from_images_to_comparisons(
    script: Any,
    benchmark: Callable[[str], ModuleType],
    rehearsed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs = {path.name for path in rehearsed.glob("*-seed0")}
    assert runs == {"fanogan-hinge-seed0", "neighbours-seed0", "brightness-seed0"}  # the variant that was judged better
    for run in runs:
        summary = json.loads((rehearsed / run / "run.json").read_text())
        assert not set(summary["train_groups"]) & set(summary["test_groups"])
        assert not summary["headline"]  # it is a rehearsal
        assert (rehearsed / run / "scores.csv").exists()
    chosen = json.loads((rehearsed / "chosen.json").read_text())
    assert (chosen["loss"], chosen["gan"], chosen["frozen"]) == ("fanogan-hinge", "fanogan-hinge", "neighbours")
    assert set(chosen["calibration"]) == {"fanogan-hinge", "neighbours"}
    found = read_record(Comparison, rehearsed / "compared-chosen" / "comparison.json")
    assert (found.reference, len(found.rows)) == ("fanogan, hinge", 3)
    added = read_record(Comparison, rehearsed / "compared-added" / "comparison.json")
    assert (added.reference, len(added.rows)) == ("neighbours", 3)
    assert "fanogan, hinge, with neighbours" in {row.label for row in added.rows}
    assert json.loads((rehearsed / "rates" / "fanogan-hinge-x1.json").read_text())["judged"] == 1.0
    scores = json.loads((rehearsed / "scores" / "fanogan-hinge.json").read_text())
    assert set(scores) == set(script.SCORES["polyp"])
    settings = json.loads((rehearsed / "fanogan-hinge-seed0" / "config.json").read_text())["detector"]
    assert settings["score"] == script.parts(max(script.SCORES["polyp"], key=lambda score: scores[score]))
    assert settings["copies"] == "turned"
    calibrated = json.loads((rehearsed / "neighbours-seed0" / "calibration.json").read_text())
    groups = json.loads((rehearsed / "neighbours-seed0" / "config.json").read_text())["parts"]["held_out"]
    assert (calibrated["normal"], calibrated["abnormal"]) == (3 * len(groups), 2 * len(groups))
    assert 0 <= calibrated["auroc"] <= 1
    frames = tmp_path / "out" / f"{rehearsed.name}-frames" / "fanogan-hinge-seed0"
    pixels = json.loads((frames / "evaluation.json").read_text())
    assert pixels["pixel_auroc"]["value"] is not None
    assert pixels["sliding"] == 32
    tables = benchmark("detection_tables")
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "detection").symlink_to(tmp_path / "out")
    monkeypatch.setattr(tables, "ROOT", tmp_path)
    residual = json.loads((rehearsed / "fanogan-hinge-seed0" / "evaluation.json").read_text())["components"]["residual"]
    assert f"| fanogan, hinge | 1 | {residual['value']:.3f} (" in tables.ablation(rehearsed.name)
    assert f"| fanogan, hinge | 1 | {pixels['pixel_auroc']['value']:.3f} (" in tables.pixels(frames.parent.name)
    assert "| fanogan, hinge | 1 | " in tables.within(rehearsed.name)
    published = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert not [path for path in published if path.suffix == ".png"]
    assert not [path for path in published if str(tmp_path).encode() in path.read_bytes()]
    # another machine: what is published is not made again
    shutil.rmtree(tmp_path / "work")
    (rehearsed / "neighbours-seed0" / "fit.json").unlink()  # killed while it published
    asked: list[str] = []
    really = script.Study.carry_through
    monkeypatch.setattr(script.Study, "carry_through", lambda self, run: (asked.append(run.label), really(self, run)))
    carried_out(script, monkeypatch, tmp_path)
    assert asked == ["neighbours-seed0"]


def study(script: Any, tmp_path: Path, name: str = "polyp") -> Any:
    made = script.Study(name, tmp_path / "data", tmp_path / "out", tmp_path / "work", ())
    made.out.mkdir(exist_ok=True)
    return made


def test_a_rate_that_is_best_at_an_edge_is_followed_and_the_best_variant_kept(
    script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    best = {"fanogan-ganetic": (3.0, 0.0), "fanogan-hinge": (1.0, 0.5), "ganomaly-ganetic": (1.0, 0.0)}

    def tried(made: Any, variant: Any, factor: float) -> None:
        asked.append(script.rate_name(variant, factor))
        at, least = best[variant.name]
        value = None if factor > 5 * at else abs(factor - at) + least
        (made.out / "rates").mkdir(exist_ok=True)
        (made.out / "rates" / f"{asked[-1]}.json").write_text(json.dumps({"rate": factor, "judged": value}))

    monkeypatch.setattr(script, "tried", tried)
    both = script.Gan((script.fanogan("hinge"), script.fanogan("ganetic")), 5)
    gans = (both, script.Gan((script.ganomaly("ganetic"),), 3))
    for _ in range(2):  # the second time from what is written down
        rates = script.chosen_rates(study(script, tmp_path), gans, (1.0, 3.0), 1)
        found = {variant.name: rate for variant, rate in rates.items()}
        assert found == pytest.approx({"fanogan-ganetic": 3 * script.RATE, "ganomaly-ganetic": script.RATE})
    assert [name for name in asked if "fanogan-ganetic" in name] == [
        f"fanogan-ganetic-x{factor}" for factor in ("1", "3", "9")
    ]
    assert len(asked) == 3 + 3 + 3
    best["ganomaly-ganetic"] = (0.0, 0.0)
    shutil.rmtree(tmp_path / "out" / "rates")
    with pytest.raises(SystemExit, match=r"^ganomaly-ganetic: its training fails at every rate$"):
        script.chosen_rates(study(script, tmp_path), gans, (1.0, 3.0), 1)


def scored(rates: Any, score: str) -> Any:
    return {variant: score for variant in rates if variant.name.startswith("fanogan")}


def test_the_score_is_one_for_all_losses_or_of_each_its_own(script: Any, tmp_path: Path) -> None:
    hinge, ganetic, failed = (script.fanogan(loss) for loss in ("hinge", "ganetic", "least-squares"))
    made = study(script, tmp_path)
    found = {
        hinge: {"residual=1": 0.5, "image=1": 0.6, "logit=1": 0.1},
        ganetic: {"residual=1": 0.7, "image=1": 0.5, "logit=1": 0.8},
    }
    (made.out / "scores").mkdir()
    for variant in (hinge, ganetic, failed):
        (made.out / "scores" / f"{variant.name}.json").write_text(json.dumps(found.get(variant, {})))
    scores, rates = ("residual=1", "image=1", "logit=1"), dict.fromkeys((hinge, ganetic, failed), 1e-3)
    one = script.chosen_scores(made, rates, scores, 1, together=True)
    assert one == dict.fromkeys(rates, "residual=1")
    own = script.chosen_scores(made, rates, scores, 1, together=False)
    assert own == {hinge: "image=1", ganetic: "logit=1", failed: "residual=1"}


def test_headlines_are_gans_at_64_pixels_each_seed_once(script: Any, tmp_path: Path) -> None:
    (tmp_path / "data" / "fundus" / "glaucoma").mkdir(parents=True)
    rates = {gan.variants[-1]: 1e-4 for gan in script.ON_FUNDUS}
    made = list(
        script.runs(study(script, tmp_path, "fundus"), script.ON_FUNDUS, rates, scored(rates, "image=1,code=1"))
    )
    labels = [run.label for run in made]
    assert len(set(labels)) == len(labels) == 4 * 5 + 3 * 3 + 3 + sum(script.OTHERS.values())
    headlines = {run.label for run in made if run.headline}
    assert len(headlines) == 29
    assert {run.frames == (int(run.label[-1]) < script.FRAME_SEEDS) for run in made if "128px" not in run.label} == {
        True
    }
    assert not [label for label in headlines if "128px" in label or label.startswith(tuple(script.OTHERS))]
    large = next(run for run in made if run.label == "fanogan-ganetic-r10.05-128px-seed0")
    assert large.fit.arguments[large.fit.arguments.index("--image-size") + 1] == "128"
    rates = {gan.variants[-1]: 1e-4 for gan in script.GANS["polyp"]}
    polyps = list(script.runs(study(script, tmp_path), script.GANS["polyp"], rates, scored(rates, "residual=1")))
    assert not [run for run in polyps if "128px" in run.label]
    for run in polyps:
        told = run.fit.arguments
        assert ("--score" in told) == run.label.startswith("fanogan")
        assert ("copies=turned" in told) == (run.label.rpartition("-seed")[0] not in script.TRIVIAL)


def test_every_loss_of_f_anogan_has_as_many_trials(script: Any) -> None:
    for domain, trials in (("fundus", 2), ("polyp", 1)):
        gans = script.GANS[domain]
        assert {len(gan.variants) for gan in gans if "fanogan" in str(gan.variants)} == {trials}
        names = [variant.name for gan in gans for variant in gan.variants]
        assert len(set(names)) == len(names)
        assert [gan.seeds for gan in gans] == [5] * 4 + [3] * 3
    assert set(script.CHOSEN_ON_FUNDUS) < set(names)
    published = Path(__file__).parents[2] / "results" / "detection" / "fundus"
    judged = {file.stem: json.loads(file.read_text())["judged"] for file in (published / "rates").glob("fanogan-*")}
    for gan in script.ON_FUNDUS[:4]:  # the constant says what the results do
        of_gan = {name: value for name, value in judged.items()
                  if name.rpartition("-x")[0] in {one.name for one in gan.variants}}  # fmt: skip
        assert min(of_gan, key=of_gan.__getitem__).rpartition("-x")[0] in script.CHOSEN_ON_FUNDUS


def test_the_protocol_is_written_once_and_another_one_is_refused(
    script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = study(script, tmp_path)
    for _ in range(2):
        script.declare(made, script.protocol(made))
    told = json.loads((made.out / "protocol.json").read_text())
    assert told["to_beat"] == list(script.TO_BEAT)
    assert len(told["gans"]) == len(script.GANS["polyp"])
    monkeypatch.setattr(script, "SCORES", {"polyp": ("residual=1",)})
    with pytest.raises(SystemExit, match=r"protocol\.json: the study was begun by another protocol: scores$"):
        script.declare(made, script.protocol(made))
    assert json.loads((made.out / "protocol.json").read_text()) == told


def test_a_rehearsal_looks_at_no_test_image(script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(script.Study, "test", lambda self, run: asked.append(run.label))
    monkeypatch.setattr(script.Study, "calibrated", lambda self, run: {"auroc": 0.5})
    for looks in (False, True):
        made = script.Study("polyp", tmp_path, tmp_path / "out", tmp_path / "work", ("--steps", "2"), looks=looks)
        run = script.Run("a-seed0", made.fit("a-seed0", (), 0))
        (made.work / "a-seed0").mkdir(parents=True, exist_ok=True)
        for name in ("config.json", "environment.json"):
            (made.work / "a-seed0" / name).write_text("{}")
        (made.work / "a-seed0" / "fit.json").write_text('{"failure": null}')  # so nothing is fitted
        made.carry_through(run)
        assert asked == ["a-seed0"] * looks


def test_looks_of_a_run_that_is_fitted_again_are_not_forgotten(
    script: Any, benchmark: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after it was tested and before it was published as done, on a machine that is gone."""
    module = benchmark("detection_study")
    made = study(script, tmp_path)
    out, fitted = made.out / "a-seed0", made.work / "a-seed0"
    out.mkdir()
    (out / "looks.json").write_text("once")
    (out / "scores.csv").write_text("of another fit")

    def call(command: Any) -> None:
        fitted.mkdir(parents=True)
        for name, text in (("config.json", "{}"), ("environment.json", "{}"), ("fit.json", '{"failure": null}')):
            (fitted / name).write_text(text)

    monkeypatch.setattr(module, "call", call)
    monkeypatch.setattr(module.Study, "calibrated", lambda self, run: {"auroc": 0.5})
    monkeypatch.setattr(module.Study, "test", lambda self, run: None)
    module.Study.carry_through(made, script.Run("a-seed0", made.fit("a-seed0", (), 0)))
    assert (fitted / "looks.json").read_text() == "once"
    assert not (out / "scores.csv").exists()
    assert (out / "fit.json").exists()


def test_the_best_is_named_by_calibration_images(script: Any, tmp_path: Path) -> None:
    made = study(script, tmp_path)
    values = {"fanogan-ganetic": (0.6, 0.8), "fanogan-non-saturating": (0.65, 0.65), "ganomaly-ganetic": (0.9, 0.7)}
    values |= {"neighbours-maps": (0.95, 0.95), "padim": (0.7, 0.7)}
    labels = [f"{name}-seed{seed}" for name in values for seed in range(2)]
    for name, of_seeds in values.items():
        for seed, value in enumerate(of_seeds):
            (made.out / f"{name}-seed{seed}").mkdir()
            (made.out / f"{name}-seed{seed}" / "calibration.json").write_text(json.dumps({"auroc": value}))
    best = script.named_best(made, script.ON_FUNDUS, labels)
    assert (best.loss, best.gan, best.frozen) == ("fanogan-ganetic", "ganomaly-ganetic", "neighbours-maps")
    assert best.calibration == pytest.approx({name: sum(of_seeds) / 2 for name, of_seeds in values.items()})
    none = script.named_best(made, script.ON_FUNDUS, [label for label in labels if "neighbours" in label])
    assert (none.gan, none.frozen) == (None, "neighbours-maps")


def test_patients_to_calibrate_with_are_not_tested(script: Any, tmp_path: Path) -> None:
    names = [f"patient{patient}_{side}.jpg" for patient in range(60) for side in ("left", "right")]
    write_images(tmp_path / "data" / "fundus" / "glaucoma", names)
    made = study(script, tmp_path, "fundus")
    made.lay_out()
    stray = made.kinds["test"] / "patient0_old.jpg"
    links = {link: link.lstat().st_ino for folder in made.kinds.values() for link in folder.iterdir()}
    made.lay_out()  # begun again: links that another study may be reading stay
    assert {link: link.lstat().st_ino for folder in made.kinds.values() for link in folder.iterdir()} == links
    stray.symlink_to(names[0])
    made.lay_out()
    assert not stray.is_symlink()
    patients = {kind: {file.name.split("_")[0] for file in folder.iterdir()} for kind, folder in made.kinds.items()}
    assert len(patients["calibration"]) == 50
    assert len(patients["test"]) == 10
    assert not patients["calibration"] & patients["test"]
    assert {folder.name for folder in made.kinds.values()} == {"glaucoma"}


def test_failed_trainings_are_told(script: Any, tmp_path: Path) -> None:
    for label, failure in (("a", None), ("b", {"message": "the loss is nan after step 50"})):
        (tmp_path / label).mkdir()
        (tmp_path / label / "fit.json").write_text(json.dumps({"failure": failure}))
    assert [script.failed(tmp_path / label) for label in ("a", "b")] == [False, True]

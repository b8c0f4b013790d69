"""``ganetics bench``: a small benchmark, gone on with in all the right and wrong ways."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from ganetics import data, trial
from ganetics.cli.bench import stored_configuration
from ganetics.data.audit import Audit
from ganetics.execution import RunFolder
from ganetics.records import from_json
from ganetics.training import RECIPES

LOSSES = "ganetic,ours=(p - y)**2,wasserstein+gradient:10"
SMALL = (
    *("--steps", 6, "--samples", 60, "--score-at", 3, "--seeds", 2, "--common-seeds", 1, "--tuning-seeds", 1),
    *("--rates", "3,1", "--widen", 1, "--workers", 1),
)
COMPARED = ("archive.jsonl", "config.json", "protocol.json", "reference.json", "tables.json")


@pytest.fixture(scope="module")
def bench_run(command: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """Return a confirmatory benchmark of three losses, and what the command printed. No test may change it."""
    path = tmp_path_factory.mktemp("bench") / "run"
    options = ("--losses", LOSSES, *SMALL, "--split", "test", "--seed", 3, "--confirmatory", "--json")
    return path, command("bench", path, *options)


def files(folder: Path, *names: str) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in names or COMPARED}


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "archive.jsonl").read_text().splitlines()]


def copied(run: Path, folder: Path, *, count: int | None = None) -> Path:
    """Return a copy of a run, with so many lines of its archive."""
    shutil.copytree(run, folder)
    whole = (run / "archive.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "archive.jsonl").write_bytes(b"".join(whole[:count]))
    return folder


def test_a_benchmark_prints_one_object_and_leaves_its_files(bench_run: tuple[Path, Any]) -> None:
    path, ended = bench_run
    found = ended.json
    assert {name: found.pop(name) for name in ("run", "archive", "figures", "report")} == {
        "run": str(path), "archive": str(path / "archive.jsonl"), "figures": str(path / "tables.json"),
        "report": str(path / "report.html"),
    }  # fmt: skip
    assert found == json.loads((path / "tables.json").read_bytes())
    assert found["confirmatory"] is True
    assert found["departures"] == []
    made = {str(one.relative_to(path)) for one in path.rglob("*") if one.is_file()} - {".lock"}
    assert {
        *COMPARED,
        "environment.json",
        "timings.jsonl",
        "report.html",
        "tables/final.csv",
        "tables/common.tex",
    } <= made
    rows = found["tables"]["final"]["rows"]
    assert {row["loss"] for row in rows} == {"ganetic", "ours", "wasserstein+gradient:10"}
    assert found["tables"]["final"]["facts"]["floor_n"] == 30
    assert "ganetics: 15 runs and at most 3 for further rates: about 1 s to 1 s with 1 worker" in ended.err


def test_the_archive_is_of_real_runs(bench_run: tuple[Path, Any]) -> None:
    path, _ = bench_run
    made = lines(path)
    assert [line["phase"] for line in made if line["phase"] != "tuning"] == ["common"] * 3 + ["final"] * 6
    assert {(line["phase"], line["split"]) for line in made} == {
        ("tuning", "validation"), ("common", "test"), ("final", "test"),
    }  # fmt: skip
    for line in made:
        assert (line["dataset"], line["recipe"], line["steps"], line["n"]) == ("digits", "digits", 6, 60)
        assert line["extractor"] == "digits-classifier"
        assert 0 <= line["coverage"] <= 1
        assert line["fid"] == line["curve"][-1][1]
        assert [step for step, _ in line["curve"]] == ([6] if line["phase"] == "tuning" else [3, 6])
    penalised = [line for line in made if line["penalties"]]
    assert {line["loss"] for line in penalised} == {"wasserstein+gradient:10"}
    assert len({line["data_digest"] for line in made}) == 2


def test_the_configuration_names_no_place(bench_run: tuple[Path, Any]) -> None:
    path, _ = bench_run
    config = stored_configuration(path)
    assert config.command == (
        f"ganetics bench RUN --losses '{LOSSES}' --seeds 2 --common-seeds 1 --tuning-seeds 1 --rates 3,1 --widen 1 "
        "--steps 6 --samples 60 --score-at 3 --split test --seed 3 --confirmatory"
    )
    assert (config.rates, config.baseline, config.score_at) == ((1.0, 3.0), "ganetic", (3,))
    assert str(path.parent) not in (path / "config.json").read_text()


@pytest.mark.parametrize("workers", [1, 2])
def test_cut_off_and_gone_on_with_it_comes_to_the_same(
    workers: int, bench_run: tuple[Path, Any], command: Any, tmp_path: Path
) -> None:
    run, ended = bench_run
    folder = copied(run, tmp_path / "run", count=9 if workers == 1 else 0)
    shutil.rmtree(folder / "tables")
    again = command("bench", folder, "--resume", "--workers", workers, "--json")
    assert again.json["tables"] == ended.json["tables"]
    assert files(folder) == files(run)
    for place in ("tables", "previews"):
        names = sorted(one.name for one in (run / place).iterdir())
        assert sorted(one.name for one in (folder / place).iterdir()) == names
        assert all((folder / place / name).read_bytes() == (run / place / name).read_bytes() for name in names)


def test_a_finished_one_gives_its_tables_anew_without_data_and_without_training(
    bench_run: tuple[Path, Any], command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, ended = bench_run
    folder = copied(run, tmp_path / "run")
    for name in ("tables.json", "report.html"):
        (folder / name).unlink()

    def load(*_: object, **__: object) -> None:
        raise AssertionError("nothing is to be read")

    monkeypatch.setattr(trial, "load_trial_data", load)
    again = command("bench", folder, "--resume", "--losses", LOSSES, "--json")
    assert again.json["tables"] == ended.json["tables"]
    assert files(folder, *COMPARED, "report.html") == files(run, *COMPARED, "report.html")
    shown = command("bench", folder, "--resume")
    assert shown.status == 0
    assert "Each loss at its own best rate (fresh seeds)" in shown.out
    assert "All losses at the recipe's rate (fresh seeds)" in shown.out
    assert "Departs" not in shown.out
    for row in again.json["tables"]["final"]["rows"]:
        assert f"{row['fid']['geometric']['mean']:.4g}" in shown.out


@pytest.mark.parametrize("dry", [(), ("--dry-run",)], ids=["run", "dry run"])
@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--resume", "--seeds", 3), "another configuration: final_seeds is 2 there, got 3"),
        (("--resume", "--split", "validation"), "bench: test images must be given with split 'test'"),
        (("--resume", "--losses", "ganetic,hinge"), "another configuration: contenders is "),
        (("--resume", "--recipe", "mnist"), "another configuration: recipe."),
        (("--resume", "--dataset", "mnist"), "another configuration: dataset is 'digits' there, got 'mnist'"),
        (("--losses", LOSSES, *SMALL, "--split", "test", "--seed", 3), "holds a run already; --resume goes on with"),
        (("--losses", LOSSES, *SMALL, "--split", "test", "--seed", 4), "protocol.json: seeds.tuning is ["),
        (("--losses", LOSSES, *SMALL, "--seed", 3), "protocol.json: test is {"),
        (("--resume", "--depart"), "--depart: belongs to the beginning of a run"),
    ],
)  # fmt: skip
def test_a_benchmark_is_neither_changed_nor_begun_again(
    options: tuple[Any, ...], told: str, dry: tuple[str, ...], bench_run: tuple[Path, Any], command: Any
) -> None:
    run, _ = bench_run
    before = files(run)
    ended = command("bench", run, *options, *dry)
    assert ended.status == 2
    assert told in ended.complaint
    assert files(run) == before


def test_a_dry_run_refuses_what_the_run_refuses(bench_run: tuple[Path, Any], command: Any, tmp_path: Path) -> None:
    small = ("--losses", "ganetic", *SMALL, "--dry-run")
    file, begun = tmp_path / "file", copied(bench_run[0], tmp_path / "run", count=9)
    file.write_text("")
    assert command("bench", file, *small).complaint == f"run folder {file}: must be a folder, got a file"
    assert "--address: belongs to --executor ray" in command("bench", file, *small, "--address", "a:1").complaint
    ended = command("bench", begun, "--resume", "--seeds", 7, "--dry-run")
    assert "another configuration: final_seeds is 2 there, got 7" in ended.complaint
    with RunFolder(begun):
        assert f"process {os.getpid()} is at work in it" in command("bench", begun, "--resume", "--dry-run").complaint
    (begun / "protocol.json").unlink()
    assert "protocol.json" in command("bench", begun, "--resume", "--dry-run").complaint
    assert not (begun / "protocol.json").exists()


def test_with_resume_a_dry_run_prices_what_is_left(bench_run: tuple[Path, Any], command: Any, tmp_path: Path) -> None:
    folder = copied(bench_run[0], tmp_path / "run", count=11)
    total = len(lines(bench_run[0]))
    for run, left in ((folder, total - 11), (bench_run[0], 0)):
        before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
        found = command("bench", run, "--resume", "--dry-run", "--workers", 1, "--json").json
        assert (found["runs"], found["most_runs"]) == (left, left)
        words = " ".join(command("bench", run, "--resume", "--dry-run", "--workers", 1).out.split())
        assert words.startswith(f"{left} of {total} runs left: about 0 s with 1 worker")
        assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("what", [("--resume",), ("--resume", "--dry-run")])
def test_a_line_of_another_form_is_named(
    what: tuple[str, ...], bench_run: tuple[Path, Any], command: Any, tmp_path: Path
) -> None:
    folder = copied(bench_run[0], tmp_path / "run", count=9)
    made = lines(folder)
    made[3]["fid"] = "abc"
    (folder / "archive.jsonl").write_text("".join(json.dumps(line) + "\n" for line in made))
    told = f"{folder / 'archive.jsonl'}: line 4: fid: Input should be a valid number, got 'abc'"
    for words in (("bench", folder, *what), ("report", folder)):
        ended = command(*words)
        assert (ended.status, ended.complaint) == (2, told)


def test_another_dataset_is_refused_before_it_is_read(
    bench_run: tuple[Path, Any], command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copied(bench_run[0], tmp_path / "run", count=9)

    def load(*_: object, **__: object) -> None:
        raise AssertionError("nothing is to be read, or fetched")

    monkeypatch.setattr(trial, "load_trial_data", load)
    ended = command("bench", folder, "--resume", "--dataset", "mnist")
    told = f"run folder {folder}: it holds another configuration: dataset is 'digits' there, got 'mnist'"
    assert (ended.status, ended.complaint) == (2, told)


def test_a_protocol_that_was_changed_is_refused(bench_run: tuple[Path, Any], command: Any, tmp_path: Path) -> None:
    folder = copied(bench_run[0], tmp_path / "run", count=9)
    text = (folder / "protocol.json").read_text()
    (folder / "protocol.json").write_text(text.replace('"baseline": "ganetic"', '"baseline": "ours"'))
    ended = command("bench", folder, "--resume", "--workers", 1)
    assert (ended.status, len(lines(folder))) == (2, 9)
    assert "protocol.json: must be as when the run began" in ended.complaint


def test_a_run_departs_only_if_it_is_told_to_and_says_so(command: Any, tmp_path: Path) -> None:
    run = tmp_path / "run"
    small = ("--losses", "ganetic,hinge", *SMALL, "--widen", 0, "--rates", 1, "--tuning-seeds", 0)
    small = (*small, "--precision", "bfloat16")
    dry = command("bench", run, *small, "--confirmatory", "--dry-run", "--json")
    assert dry.json.items() >= {"runs": 6, "most_runs": 6, "workers": 1}.items()
    assert [one.name for one in run.iterdir()] == ["protocol.json"]
    assert json.loads((run / "protocol.json").read_text())["recipe"]["precision"] == "bfloat16"
    told = command("bench", run, *small, "--dry-run")
    assert f"bound to {run / 'protocol.json'}, which is written" in told.out
    refused = command("bench", run, *small, "--seeds", 1)
    assert (refused.status, [one.name for one in run.iterdir()]) == (2, ["protocol.json"])
    assert "protocol.json: seeds.final is [" in refused.complaint
    ended = command("bench", run, *small, "--seeds", 1, "--depart")
    assert ended.status == 0
    assert ended.out.count("- Departs from protocol.json: seeds.final is [") == 2
    assert command("bench", run, "--resume", "--json").json["departures"] != []


def test_a_protocol_comes_first(command: Any, tmp_path: Path) -> None:
    run = tmp_path / "run"
    small = ("--losses", "ganetic", *SMALL, "--widen", 0, "--rates", 1, "--tuning-seeds", 0, "--seeds", 1)
    assert command("bench", run, *small).status == 0
    ended = command("bench", run, "--resume", "--confirmatory")
    assert "a protocol is written before the first run" in ended.complaint
    begun_again = command("bench", run, *small, "--seeds", 2)
    assert "another configuration: final_seeds is 1 there, got 2" in begun_again.complaint


def test_what_is_confirmed_is_confirmed_on_other_seeds(command: Any, tmp_path: Path) -> None:
    explored, confirmed = tmp_path / "explored", tmp_path / "confirmed"
    small = ("--losses", "ganetic", *SMALL, "--widen", 0, "--rates", 1, "--tuning-seeds", 0, "--seeds", 1)
    assert command("bench", explored, *small).status == 0
    assert command("bench", confirmed, *small, "--confirmatory").status == 0
    assert not {line["seed"] for line in lines(explored)} & {line["seed"] for line in lines(confirmed)}


def test_rates_alone_are_told_and_nothing_is_compared(command: Any, tmp_path: Path) -> None:
    alone = ("--seeds", 0, "--common-seeds", 0, "--tuning-seeds", 1, "--rates", "0.3,1", "--widen", 1)
    small = ("--dataset", "digits", "--losses", "hinge,ganetic", "--steps", 10, "--samples", 50, "--score-at", "none")
    ended = command("bench", tmp_path / "run", *small, *alone, "--workers", 1)
    assert ended.status == 0
    assert {line["phase"] for line in lines(tmp_path / "run")} == {"tuning"}
    for label, own in json.loads((tmp_path / "run" / "tables.json").read_text())["tuned"].items():
        tried = ", ".join(f"{rate:g}" for rate in own["rates"])
        assert f"own best rate: {label} ×{own['rate']:g} (of {tried}" in " ".join(ended.out.split())
    again = command("bench", tmp_path / "run", "--resume")
    assert (again.status, again.out) == (0, ended.out)


def test_a_dry_run_leaves_nothing(command: Any, tmp_path: Path) -> None:
    fame = tmp_path / "search-1" / "hall_of_fame.json"
    fame.parent.mkdir()
    fame.write_text(json.dumps([{"name": None, "expression": "p**3 + y/p", "candidate": 17}]))
    dry = ("bench", tmp_path / "run", "--losses", f"hinge,@{fame}", *SMALL, "--steps", 30, "--dry-run")
    ended = command(*dry)
    assert ended.status == 0
    words = " ".join(ended.out.split())
    # a tenth of the 2.5 s that the recipe expects of its 300 steps
    assert "with 1 worker, at the 0.25 s a run of 30 steps that the recipe digits expects" in words
    assert words.endswith("2 losses, against hinge: hinge candidate 17 of search-1")
    found = command(*dry, "--json").json
    assert found["losses"] == ["hinge", "candidate 17 of search-1"]
    assert found["hours"] == pytest.approx([runs * 0.25 / 3600 for runs in (found["runs"], found["most_runs"])])
    assert not (tmp_path / "run").exists()


def test_a_folder_is_known_by_its_name_and_by_its_images(command: Any, tmp_path: Path) -> None:
    for index, image in enumerate(data.load("digits", split="all").images[:200]):
        place = tmp_path / "somewhere" / "scans" / f"patient{index // 4}_{index}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[0].numpy()).save(place)
    small = (*SMALL, "--recipe", "digits", "--widen", 0, "--rates", 1, "--tuning-seeds", 0, "--seeds", 1)
    given = ("--losses", "ganetic", "--groups", r"patient(\d+)_")
    run, folder = tmp_path / "run", tmp_path / "somewhere" / "scans"
    assert command("bench", run, *small, *given, "--dataset", folder).status == 0
    assert {line["dataset"] for line in lines(run)} == {"scans"}
    config = stored_configuration(run)
    assert (config.dataset, config.groups) == ("scans", r"patient(\d+)_")
    assert str(tmp_path) not in (run / "config.json").read_text()
    # finished, it needs no images; unfinished it asks for them, and finds them elsewhere
    assert command("bench", run, "--resume").status == 0
    whole = (run / "archive.jsonl").read_bytes()
    (run / "archive.jsonl").write_bytes(whole.splitlines(keepends=True)[0])
    assert "--dataset: must name the images again" in command("bench", run, "--resume").complaint
    folder.parent.rename(tmp_path / "elsewhere")
    again = command("bench", run, "--resume", "--dataset", tmp_path / "elsewhere" / "scans", "--workers", 1)
    assert (again.status, (run / "archive.jsonl").read_bytes()) == (0, whole)


def test_images_are_audited_before_they_are_compared_on(command: Any, copied_images: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    small = (*SMALL, "--recipe", "digits", "--widen", 0, "--rates", 1, "--tuning-seeds", 0, "--seeds", 1)
    given = ("bench", run, *small, "--losses", "ganetic", "--dataset", copied_images)
    for dry in ((), ("--dry-run",)):
        ended = command(*given, *dry)
        assert ended.status == 2
        assert ended.complaint.startswith(f"{copied_images}: the audit refuses these images: 1 image is in train")
        assert ended.complaint.endswith("--accept-audit trains all the same")
        assert not run.exists()
    accepted = command(*given, "--accept-audit")
    assert accepted.status == 0
    assert "audit: error: 1 image is in train" in accepted.err
    audit = from_json(Audit, (run / "audit.json").read_text(), where="audit")
    assert [finding.rule for finding in audit.errors] == ["duplicates-across-splits"]
    config = stored_configuration(run)
    assert config.accept_audit
    assert config.command.endswith(" --accept-audit")
    # gone on with, it is neither asked for nor audited again
    assert command("bench", run, "--resume").status == 0
    (run / "archive.jsonl").write_bytes(b"")
    again = command("bench", run, "--resume", "--dataset", copied_images, "--workers", 1)
    assert (again.status, "audit" in again.err) == (0, False)


def test_public_data_are_not_audited(bench_run: tuple[Path, Any]) -> None:
    assert not (bench_run[0] / "audit.json").exists()
    assert "accept_audit" not in json.loads((bench_run[0] / "config.json").read_text())


def test_losses_of_a_text_have_labels(command: Any, tmp_path: Path) -> None:
    text = tmp_path / "losses.txt"
    text.write_text("# to compare\nhinge\nwgan-gp=wasserstein+gradient:10\nmine=p**3 + sqrt(4*y/p)  # ours\n")
    found = command("bench", tmp_path / "run", "--losses", f"@{text}", *SMALL, "--dry-run", "--json").json
    assert found["losses"] == ["hinge", "wgan-gp", "mine"]
    assert "of a text, one a line, each LOSS or LABEL=LOSS;" in " ".join(command("bench", "--help").out.split())


def test_a_word_of_losses_that_are_one_or_teach_nothing(command: Any, tmp_path: Path) -> None:
    losses = "foo=p,hinge,hinge,other=hinge,ganetic"
    ended = command("bench", tmp_path / "run", "--losses", losses, *SMALL, "--dry-run", "--json")
    assert ended.json["losses"] == ["foo", "hinge", "other", "ganetic"]
    assert ended.err.splitlines() == [
        "ganetics: losses: given more than once and taken once: 'hinge'",
        "ganetics: losses: 'foo' can teach nothing: real and generated images are treated alike",
        "ganetics: losses: 'other' is the same loss as 'hinge': it is trained twice",
    ]


def test_one_update_of_the_critic_a_step_as_the_page_says() -> None:
    assert {recipe.discriminator_steps for recipe in RECIPES.values()} == {1}


def test_a_search_is_no_benchmark(search_run: Any, bench_run: tuple[Path, Any], command: Any) -> None:
    ended = command("bench", search_run.path, "--resume")
    assert ended.complaint == f"{search_run.path}: holds a search, not a benchmark"
    ended = command("train", bench_run[0], "--resume")
    assert ended.complaint == f"{bench_run[0]}: holds a benchmark, not a training run"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            "--losses wasserstein+gradient",
            "penalty 'gradient' needs a weight, such as wasserstein+gradient:10, got none",
        ),
        ("--losses hinj", "unknown loss 'hinj', nearest: hinge"),
        ("--against hinge", "baseline must be one of ganetic, non-saturating, least-squares, got hinge"),
        ("--rates 1,fast", "--rates: must be numbers separated by commas, got '1,fast'"),
        ("--rates 1,1", "rates must differ, got 1.0, 1.0"),
        ("--rates -1", "rates.0: Input should be greater than 0"),
        ("--score-at 300", "score_at must rise, below the recipe's 300 steps"),
        ("--tuning-seeds 0", "without tuning_seeds there must be one rate and widen 0"),
        ("--seeds 0 --tuning-seeds 0 --rates 1 --widen 0", "tuning_seeds or final_seeds must be above 0"),
        ("--seeds 0 --batch-sizes 16", "batch_sizes need final_seeds, which they are held beside, got 0"),
        ("--batch-sizes 1", "batch_sizes.0: Input should be greater than or equal to 2"),
        ("--split train", "--split"),
        ("--extractor nothing", "unknown extractor 'nothing'"),
        ("--device gpu", "device must be cpu, cuda or auto, got 'gpu'"),
        ("--resume", "config.json"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(options: str, told: str, command: Any, tmp_path: Path) -> None:
    ended = command("bench", tmp_path / "run", *options.split())
    assert ended.status == 2
    assert told in ended.complaint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_a_benchmark_on_a_gpu(command: Any, tmp_path: Path) -> None:
    ended = command("bench", tmp_path / "run", "--losses", "ganetic", *SMALL, "--device", "cuda", "--json")
    assert ended.status == 0
    assert "gpu" in json.loads((tmp_path / "run" / "environment.json").read_text())
    assert all(line["fid"] > 0 for line in lines(tmp_path / "run"))

"""A benchmark from its beginning to its end, and after any other end: equal bytes, whoever trains and whoever kills."""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ganetics._check import InputError
from ganetics.benchmark.collapse import COVERAGE
from ganetics.benchmark.config import BenchConfig
from ganetics.benchmark.plan import seeds
from ganetics.benchmark.results import as_json, preview_name, write_results
from ganetics.benchmark.run import NEIGHBOURS, Progress
from ganetics.execution import InProcessExecutor, Log, PoolExecutor
from ganetics.trial import TrialJob, TrialReply

Bench = Callable[..., Any]
RUNS = {"tuning": (3 * 4 + 1 + 2 + 2) * 2, "common": 4 * 2, "final": 4 * 3, "batch": 4 * 2}
METRICS = ("fid", "kid", "precision", "recall", "density", "coverage", "diversity", "d_real", "d_fake")


def contents(folder: Path) -> dict[str, bytes]:
    """Name → content of all that must be equal."""
    names = ["archive.jsonl", "tables.json"]
    names += [str(path.relative_to(folder)) for place in ("tables", "previews") for path in (folder / place).iterdir()]
    return {name: (folder / name).read_bytes() for name in names}


def lines(folder: Path, phase: str | None = None) -> list[dict[str, Any]]:
    return [line for line in Log(folder / "archive.jsonl").read() if phase in (None, line["phase"])]


def begun(folder: Path, finished: Path, archive: bytes) -> None:
    folder.mkdir()
    (folder / "config.json").write_bytes((finished / "config.json").read_bytes())
    (folder / "archive.jsonl").write_bytes(archive)


def test_every_run_is_a_line_with_all_that_the_tables_need(finished: Path, config: BenchConfig) -> None:
    found = lines(finished)
    assert Counter(line["phase"] for line in found) == RUNS
    assert [line["index"] for line in found] == list(range(len(found)))
    for line in found:
        tuning = line["phase"] == "tuning"
        assert line["dataset"] == "fake"
        assert line["split"] == ("validation" if tuning else "test")
        assert line["lr"] == pytest.approx(1e-3 * line["rate"])
        assert (line["recipe"], line["steps"], line["extractor"], line["n"]) == ("tiny", 40, "fake", 5000)
        assert line["seed"] in seeds(config, line["phase"])
        failed = line["failure"] is not None
        assert {line[name] is None for name in METRICS} == {failed}
        assert line["collapsed"] == (failed or line["coverage"] < COVERAGE)
        steps = [10, 20] if line["phase"] in ("common", "final") else []
        assert [step for step, _ in line["curve"]] == steps + ([] if failed else [40])
        best = min(line["curve"], key=lambda point: point[1], default=None)
        assert line["best"] == (None if best is None else {"step": best[0], "fid": best[1]})
    assert {line["failure"]["kind"] for line in found if line["failure"]} == {"diverged"}
    assert {line["failure"]["step"] for line in found if line["failure"]} == {25}
    assert any(line["collapsed"] and not line["failure"] for line in found)
    assert not {key for line in found for key in line} & {"wall_seconds", "at", "elapsed_seconds", "message"}
    costs = Log(finished / "timings.jsonl").read()
    assert [(line["kind"], line["index"]) for line in costs] == [("run", index) for index in range(len(found))]


def test_a_contender_is_named_and_written_out(finished: Path) -> None:
    by_loss = {line["loss"]: line for line in lines(finished, "final")}
    assert {label: line["name"] for label, line in by_loss.items()} == {
        "hinge": "hinge",
        "ganetic": "ganetic",
        "wasserstein+r1:2": "wasserstein",
        "squares & co": None,
    }
    assert by_loss["ganetic"]["expression"] == "p**3 + sqrt(3.985*y/p)"
    assert by_loss["squares & co"]["expression"] == "(y - p)**2"
    assert [penalty["kind"] for penalty in by_loss["wasserstein+r1:2"]["penalties"]] == ["r1"]
    assert {line["rate"] for line in by_loss.values()} == {1.0, 3.0, 30.0, 0.03}


def test_a_trial_is_asked_for_what_its_phase_needs(tmp_path: Path, bench: Bench, fakes: ModuleType) -> None:
    asked: list[TrialJob] = []

    def job(one: TrialJob) -> TrialReply:
        asked.append(one)
        reply: TrialReply = fakes.trial(one)
        return reply

    bench(tmp_path / "run", job=job)
    made = lines(tmp_path / "run")
    assert len(asked) == len(made)
    for one, line in zip(asked, made, strict=True):
        assert (one.seed, one.recipe.learning_rate, one.recipe.batch_size) == (
            line["seed"],
            line["lr"],
            line["batch_size"],
        )
        assert one.neighbours == NEIGHBOURS
        assert (one.preview > 0) == (line["phase"] == "final")
        assert one.score_at == ((10, 20) if line["phase"] in ("common", "final") else ())
        assert len(one.recipe.penalties) == (one.loss == "wasserstein")
        assert one.until is one.samples is one.state is None


def test_previews_are_of_the_best_and_the_worst_final_run(finished: Path, config: BenchConfig) -> None:
    assert len(list((finished / "previews").iterdir())) == 8
    for contender in config.contenders:
        runs = [line for line in lines(finished, "final") if line["loss"] == contender.label]
        for which, extreme in (("best", min), ("worst", max)):
            seed = extreme(runs, key=lambda line: line["fid"])["seed"]
            path = finished / preview_name(config, contender.label, which)
            assert path.read_bytes() == f"PNG of {contender.loss}, {seed}".encode()
    assert preview_name(config, "squares & co", "best") == "previews/04-squares-co-best.png"


def test_the_tables_say_what_the_lines_say(finished: Path, config: BenchConfig) -> None:
    found = json.loads((finished / "tables.json").read_bytes())
    assert set(found["tables"]) == {"final", "final-best-checkpoint", "common", "common-best-checkpoint"}
    assert set(found["steadiness"]) == {"rates", "batch-sizes"}
    for name in ("final", "common"):
        rows = {row["loss"]: row for row in found["tables"][name]["rows"]}
        assert set(rows) == {contender.label for contender in config.contenders}
        for label, row in rows.items():
            own = [line for line in lines(finished, name) if line["loss"] == label]
            fids = [line["fid"] for line in own if line["fid"] is not None]
            assert (row["fid"]["n"], row["fid"]["failed"]) == (len(own), len(own) - len(fids))
            assert row["rate"] == own[0]["rate"]
            assert row["collapsed"]["value"] == sum(line["collapsed"] for line in own) / len(own)
            if fids:
                mean = math.exp(statistics.fmean(map(math.log, fids)))
                assert row["fid"]["geometric"]["mean"] == pytest.approx(mean)
                assert row["fid"]["best"] == min(fids)
    assert {label: one["rate"] for label, one in found["tuned"].items()} == {
        line["loss"]: line["rate"] for line in lines(finished, "final")
    }
    assert set(found["sweeps"]) == set(found["steadiness"])
    for name, phase in (("rates", "tuning"), ("batch-sizes", "batch")):
        beside = found["sweeps"][name]
        [split] = {line["split"] for line in lines(finished, phase)}
        assert (beside["phase"], beside["reference"], beside["facts"]["split"]) == (phase, config.baseline, split)
        levels = [{level["value"] for level in row["levels"]} for row in found["steadiness"][name]]
        assert set(beside["common"]) == set.intersection(*levels)
    assert (finished / "times.csv").read_text().count("\n") == 1 + len({
        (line["phase"], line["loss"]) for line in lines(finished) if line["fid"] is not None
    })  # fmt: skip
    notes = found["tables"]["final"]["notes"]
    assert sum("its best rate, ×30, is at the edge of those tried" in note for note in notes) == 1
    assert any(note.startswith("Collapsed: failed, or") for note in notes)
    assert (found["confirmatory"], found["departures"]) == (False, [])


def test_of_one_rate_no_edge_is_told(bench: Any, fakes: ModuleType, tmp_path: Path) -> None:
    bench(tmp_path / "run", fakes.config(rates=(1.0,), widen=0))
    notes = json.loads((tmp_path / "run" / "tables.json").read_text())["tables"]["final"]["notes"]
    assert notes
    assert not any("edge" in note for note in notes)


# --- whoever trains


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_the_number_of_workers_changes_nothing(
    workers: int, finished: Path, tmp_path: Path, bench: Bench, fakes: ModuleType
) -> None:
    with PoolExecutor(workers) as pool:
        bench(tmp_path / "run", executor=pool, job=fakes.trial_in_its_time)
    assert contents(tmp_path / "run") == contents(finished)


# --- however it is interrupted


def test_cut_off_anywhere_and_gone_on_with_it_comes_to_the_same(
    finished: Path, tmp_path: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each line's end, and within every third line; previews of runs that are there are there."""
    monkeypatch.setattr(os, "fsync", lambda _: None)  # nobody pulls the plug
    monkeypatch.setattr("ganetics.benchmark.run.write_results", lambda *_: None)  # a second each
    whole = (finished / "archive.jsonl").read_bytes().splitlines(keepends=True)
    for count in range(len(whole) + 1):
        torn = whole[count][: 1 + 37 * count % (len(whole[count]) - 1)] if count < len(whole) else b""
        for rest in (b"", torn)[: 1 + (count % 3 == 0)]:
            folder = tmp_path / f"{count}-{len(rest)}"
            begun(folder, finished, b"".join(whole[:count]) + rest)
            told: list[Progress] = []
            bench(folder, on_progress=told.append)
            assert (folder / "archive.jsonl").read_bytes() == b"".join(whole), (count, len(rest))
            assert [one.done for one in told] == list(range(count + 1, len(whole) + 1))
            shutil.rmtree(folder)


def test_every_run_has_the_time_of_the_longest(tmp_path: Path, bench: Bench) -> None:
    limits: list[float | None] = []

    class Asked(InProcessExecutor):
        def map_in_order(self, function: Any, arguments: Any, *, seconds: float | None = None) -> Any:
            limits.append(seconds)
            return super().map_in_order(function, arguments, seconds=seconds)

    with Asked() as executor:
        bench(tmp_path / "run", executor=executor)
    assert min(filter(None, limits)) == 20 * 30
    assert max(filter(None, limits)) == 20 * 60  # a batch of 128 instead of 64


def test_interrupted_again_and_again_it_comes_to_the_same(finished: Path, tmp_path: Path, bench: Bench) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.done % 5 == 0:
            raise KeyboardInterrupt

    total, sessions, done = sum(RUNS.values()), 0, False
    while not done:
        sessions += 1
        with suppress(KeyboardInterrupt):
            bench(tmp_path / "run", on_progress=interrupt)
            done = True
    assert sessions == total // 5 + 1
    assert contents(tmp_path / "run") == contents(finished)
    elapsed = [line["elapsed_seconds"] for line in Log(tmp_path / "run" / "timings.jsonl").read()]
    assert elapsed == sorted(elapsed)  # over all sessions
    assert elapsed[-1] < 60


@pytest.mark.slow
def test_killed_at_any_moment_it_comes_to_the_same(finished: Path, tmp_path: Path, fakes: ModuleType) -> None:
    folder, moments = tmp_path / "run", random.Random(0)
    archive = folder / "archive.jsonl"
    command = [sys.executable, str(fakes.__file__), str(folder)]
    for least in (5, 40):
        driver = subprocess.Popen([*command, "2"])
        try:
            deadline = time.monotonic() + 120
            while not archive.exists() or archive.read_bytes().count(b"\n") < least:
                assert driver.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.01)
            time.sleep(0.2 * moments.random())
        finally:
            driver.send_signal(signal.SIGKILL)
            driver.wait()
        assert least <= archive.read_bytes().count(b"\n") < sum(RUNS.values())
    assert subprocess.run([*command, "1"], timeout=300, check=True).returncode == 0
    assert contents(folder) == contents(finished)


def test_a_finished_benchmark_gives_its_tables_anew_and_nothing_is_trained(
    finished: Path, tmp_path: Path, bench: Bench, config: BenchConfig
) -> None:
    shutil.copytree(finished, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "tables")
    (tmp_path / "run" / "tables.json").unlink()
    again = bench(tmp_path / "run", job=None)
    assert contents(tmp_path / "run") == contents(finished)
    assert as_json(again) == json.loads((finished / "tables.json").read_bytes())
    assert write_results(tmp_path / "run", config, lines(finished)) == again


# --- progress


def test_progress_tells_what_the_archive_holds(finished: Path, tmp_path: Path, bench: Bench) -> None:
    told: list[Progress] = []
    bench(tmp_path / "run", on_progress=told.append)
    archive = lines(finished)
    assert [(one.phase, one.done) for one in told] == [(line["phase"], n) for n, line in enumerate(archive, start=1)]
    assert [one.failed for one in told] == [
        sum(line["failure"] is not None for line in archive[: n + 1]) for n in range(len(archive))
    ]
    totals = [one.total for one in told]
    assert totals == sorted(totals)
    assert (totals[0], totals[-1]) == (12 * 2 + 8 + 12 + 8, len(archive))


# --- what fails, and what is refused


def test_a_run_that_crashes_is_a_result(tmp_path: Path, bench: Bench, fakes: ModuleType, config: BenchConfig) -> None:
    bench(tmp_path / "run", job=fakes.faulty_trial)
    found = {line["loss"]: line for line in lines(tmp_path / "run", "final")}
    for label in ("hinge", "wasserstein+r1:2"):
        line = found[label]
        assert line["failure"] == {"kind": "crashed", "step": None}
        assert (line["fid"], line["best"], line["curve"], line["collapsed"]) == (None, None, [], True)
        assert not (tmp_path / "run" / preview_name(config, label, "worst")).exists()
    assert found["ganetic"]["failure"] is None
    rows = json.loads((tmp_path / "run/tables.json").read_bytes())["tables"]["final"]["rows"]
    assert {row["loss"] for row in rows if row["fid"]["failed"]} == {"hinge", "wasserstein+r1:2"}
    assert [row["loss"] for row in rows if row["fid"]["worst"] is None] == [row["loss"] for row in rows[2:]]


@pytest.mark.parametrize(
    ("job", "message"),
    [("trial_without_data", "no file at nowhere"), ("trial_on_other_data", "must be the images that the run began")],
)
def test_wrong_input_ends_it_and_keeps_what_is_finished(
    job: str, message: str, finished: Path, tmp_path: Path, bench: Bench, fakes: ModuleType
) -> None:
    begun(tmp_path / "run", finished, b"".join((finished / "archive.jsonl").read_bytes().splitlines(True)[:7]))
    with pytest.raises(InputError, match=message):
        bench(tmp_path / "run", job=getattr(fakes, job))
    assert len(lines(tmp_path / "run")) == 7
    bench(tmp_path / "run")
    assert contents(tmp_path / "run")["archive.jsonl"] == contents(finished)["archive.jsonl"]


def test_another_configuration_is_refused_naming_the_field(finished: Path, bench: Bench, config: BenchConfig) -> None:
    before = contents(finished)
    with pytest.raises(InputError, match="another configuration: final_seeds is 3 there, got 4"):
        bench(finished, config.model_copy(update={"final_seeds": 4}))
    assert contents(finished) == before


def test_an_unknown_loss_is_refused_before_anything_is_trained(
    tmp_path: Path, bench: Bench, config: BenchConfig
) -> None:
    one = config.contenders[0].model_copy(update={"loss": "hinj"})
    with pytest.raises(InputError, match="unknown loss 'hinj', nearest: hinge"):
        bench(tmp_path / "run", config.model_copy(update={"contenders": (*config.contenders[1:], one)}), job=None)


def test_trials_get_the_data_of_their_split_and_the_device(
    tmp_path: Path, fakes: ModuleType, config: BenchConfig
) -> None:
    got: set[tuple[bool, Any, str]] = set()

    def job(one: TrialJob) -> TrialReply:
        assert one.shared is not None
        got.add((one.seed in seeds(config, "tuning"), one.shared.get(), one.device))
        reply: TrialReply = fakes.trial(one)
        return reply

    with InProcessExecutor() as executor:
        data = {"validation": "chosen on", "test": "told of"}
        fakes.bench(tmp_path / "run", executor, config, job=job, data=data, device="cuda:1")
    assert got == {(True, "chosen on", "cuda:1"), (False, "told of", "cuda:1")}

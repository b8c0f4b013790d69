"""The plan: bracketed sweeps, fresh seeds, and decisions that more lines do not change."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ganetics._check import InputError
from ganetics.benchmark.config import BenchConfig
from ganetics.benchmark.cost import Left, expected_in_all, left
from ganetics.benchmark.plan import PHASES, Run, counts, plan, recipe_of, seeds, split, tuned
from ganetics.records import Recipe

WHERE = Path("archive.jsonl")
Line = dict[str, Any]


def line(run: Run, fid: float | None) -> Line:
    return {
        "index": run.index, "phase": run.phase, "dataset": "fake", "loss": run.contender.label, "expression": None,
        "rate": run.rate, "lr": 1e-3 * run.rate,
        "batch_size": run.batch_size, "seed": run.seed, "recipe": "tiny", "steps": 40, "split": "validation",
        "extractor": "fake", "extractor_digest": "e", "n": 100, "fid": fid, "collapsed": fid is None,
        **dict.fromkeys(("kid", "precision", "recall", "density", "coverage", "best", "failure")), "curve": [[40, 1.5]],
    }  # fmt: skip


def carried_out(config: BenchConfig, fid: Callable[[Run], float | None]) -> list[Line]:
    """Run the plan line by line; what was decided must stay."""
    lines: list[Line] = []
    decided: tuple[Run, ...] = ()
    while True:
        found = plan(config, lines, where=WHERE)
        assert found.runs[: len(decided)] == decided
        assert found.total >= len(found.runs) >= len(lines)
        decided = found.runs
        if len(lines) == len(decided):
            assert found.total == len(lines)
            return lines
        lines.append(line(decided[len(lines)], fid(decided[len(lines)])))


def at_best(best: float) -> Callable[[Run], float]:
    return lambda run: math.exp(abs(math.log(run.rate / best)))


@pytest.mark.parametrize(
    ("best", "rates", "own", "at_edge"),
    [
        (1.0, [0.3, 1.0, 3.0], 1.0, False),
        (2.9, [0.3, 1.0, 3.0, 9.49], 3.0, False),
        (9.0, [0.3, 1.0, 3.0, 9.49, 30.0], 9.49, False),
        (40.0, [0.3, 1.0, 3.0, 9.49, 30.0], 30.0, True),
        (0.1, [0.03, 0.0949, 0.3, 1.0, 3.0], 0.0949, False),
        (1e-9, [0.03, 0.0949, 0.3, 1.0, 3.0], 0.03, True),
    ],
)
def test_a_sweep_is_widened_where_its_best_is_at_an_edge(
    best: float, rates: list[float], own: float, at_edge: bool, config: BenchConfig
) -> None:
    lines = carried_out(config, at_best(best))
    for contender in config.contenders:
        found = tuned(config, lines)[contender.label]
        assert (list(found.rates), found.rate, found.at_edge) == (rates, own, at_edge)
        tuning = [one for one in lines if (one["phase"], one["loss"]) == ("tuning", contender.label)]
        assert len(tuning) == len(rates) * config.tuning_seeds
        used = {one["rate"] for one in lines if (one["loss"], one["phase"]) == (contender.label, "final")}
        assert used == {own}


@pytest.mark.parametrize(("widen", "rates"), [(0, [1.0]), (2, [0.0999, 0.316, 1.0])])
def test_one_rate_has_no_edge_but_is_widened(widen: int, rates: list[float], fakes: ModuleType) -> None:
    config = fakes.config(rates=(1.0,), widen=widen)
    lines = carried_out(config, at_best(0.01))
    for found in tuned(config, lines).values():
        assert (list(found.rates), found.at_edge) == (rates, widen > 0)


def test_each_contender_has_a_sweep_of_its_own(config: BenchConfig, fakes: ModuleType) -> None:
    lines = carried_out(config, lambda run: at_best(fakes.BEST[run.contender.loss])(run))
    found = {label: (one.rate, one.at_edge) for label, one in tuned(config, lines).items()}
    assert found == {
        "hinge": (1.0, False),
        "ganetic": (3.0, False),
        "wasserstein+r1:2": (30.0, True),
        "squares & co": (0.03, True),
    }
    fewest, most = counts(config)
    assert len(lines) == fewest + (1 + 2 + 2) * config.tuning_seeds
    assert most == fewest + 4 * 2 * config.tuning_seeds


@pytest.mark.parametrize("seed", range(20))
def test_the_best_rate_has_the_fewest_failures_then_the_lowest_mean_log(seed: int, config: BenchConfig) -> None:
    draw = random.Random(seed)
    lines = carried_out(config, lambda _: None if draw.random() < 0.3 else math.exp(5 * draw.random()))
    for label, found in tuned(config, lines).items():
        runs = [one for one in lines if (one["phase"], one["loss"]) == ("tuning", label)]
        of_rate = {rate: [one["fid"] for one in runs if one["rate"] == rate] for rate in found.rates}
        assert {len(fids) for fids in of_rate.values()} == {config.tuning_seeds}
        failures = {rate: fids.count(None) for rate, fids in of_rate.items()}
        fewest = [rate for rate in found.rates if failures[rate] == min(failures.values())]
        logs = {rate: [math.log(fid) for fid in of_rate[rate] if fid is not None] for rate in fewest}
        assert found.rate in fewest
        if logs[found.rate]:
            means = {rate: sum(values) / len(values) for rate, values in logs.items()}
            assert means[found.rate] == pytest.approx(min(means.values()))
        assert found.at_edge == (found.rate in (found.rates[0], found.rates[-1]))
        assert len(found.rates) <= len(config.rates) + config.widen
        assert not found.at_edge or len(found.rates) == len(config.rates) + config.widen


def test_seeds_are_fresh_in_every_phase_and_the_same_for_all_contenders(config: BenchConfig) -> None:
    lines = carried_out(config, at_best(1.0))
    of_phase = {phase: {one["seed"] for one in lines if one["phase"] == phase} for phase in PHASES}
    assert {phase: len(found) for phase, found in of_phase.items()} == {
        "tuning": 2,
        "common": 2,
        "final": 3,
        "batch": 1,
    }
    assert len(set.union(*of_phase.values())) == 8
    assert of_phase == {phase: set(seeds(config, phase)) for phase in PHASES}
    for phase in PHASES:
        for contender in config.contenders:
            own = {one["seed"] for one in lines if (one["phase"], one["loss"]) == (phase, contender.label)}
            assert own == of_phase[phase]
    other = config.model_copy(update={"seed": 6})
    assert not set(seeds(other, "final")) & set(seeds(config, "final"))


def test_an_interrupted_phase_has_complete_comparisons(config: BenchConfig) -> None:
    lines = [one for one in carried_out(config, at_best(1.0)) if one["phase"] == "final"]
    losses = [contender.label for contender in config.contenders]
    assert [one["loss"] for one in lines] == losses * config.final_seeds


def test_what_chooses_never_sees_the_test_images(config: BenchConfig) -> None:
    assert [split(config, phase) for phase in PHASES] == ["validation", "test", "test", "test"]
    quiet = config.model_copy(update={"split": "validation", "test": None})
    assert {split(quiet, phase) for phase in PHASES} == {"validation"}


def test_the_recipe_of_a_run(config: BenchConfig) -> None:
    recipe = Recipe.model_validate({**config.recipe.model_dump(), "batch_size": 32, "discriminator_batch": 16})
    settings = config.model_copy(update={"recipe": recipe})
    _, _, wasserstein, _ = settings.contenders
    found = recipe_of(settings, Run(0, "batch", wasserstein, 3.0, 128, 0))
    expected = {"learning_rate": 3e-3, "batch_size": 128, "discriminator_batch": 64, "seconds": 120.0}
    assert {name: getattr(found, name) for name in expected} == expected
    assert found.penalties == wasserstein.penalties
    plain = recipe_of(settings, Run(0, "final", settings.contenders[0], 1.0, 32, 0))
    assert plain == recipe


def test_one_rate_for_all_needs_no_tuning(config: BenchConfig) -> None:
    settings = BenchConfig.model_validate(
        {**config.model_dump(), "rates": (0.5,), "widen": 0, "tuning_seeds": 0, "batch_sizes": (), "common_seeds": 0}
    )
    lines = carried_out(settings, at_best(1.0))
    assert {(one["phase"], one["rate"]) for one in lines} == {("final", 0.5)}
    assert len(lines) == counts(settings)[0] == counts(settings)[1]
    assert not any(one.at_edge for one in tuned(settings, lines).values())


@pytest.mark.parametrize(
    ("name", "value"), [("phase", "another"), ("loss", "another"), ("rate", 0.123), ("batch_size", 7), ("seed", 7)]
)
def test_lines_of_another_benchmark_are_refused(name: str, value: Any, config: BenchConfig) -> None:
    lines = carried_out(config, at_best(1.0))
    place = next(i for i, one in enumerate(lines) if one["phase"] == "final")
    lines[place] = {**lines[place], name: value}
    told = f"archive.jsonl: run {place} must be .* by this release, got .*{name}': {value!r}"
    with pytest.raises(InputError, match=told):
        plan(config, lines, where=WHERE)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"fid": "abc"}, "fid: Input should be a valid number, got 'abc'"),
        ({"fid": math.nan}, "fid: Input should be a finite number, got 'nan'"),
        ({"seed": "7"}, "seed: Input should be a valid integer, got '7'"),
        ({"curve": [[40]]}, r"curve\.0: List should have at least 2 items"),
        ({"best": {"step": 40, "fid": None}}, r"best\.fid: Input should be a valid number, got 'None'"),
        ({"failure": "diverged"}, "failure: Input should be a valid dictionary"),
    ],
)
def test_a_line_of_another_form_is_named(change: dict[str, Any], told: str, config: BenchConfig) -> None:
    lines = carried_out(config, at_best(1.0))
    lines[4] = {**lines[4], **change}
    with pytest.raises(InputError, match=rf"^archive\.jsonl: line 5: {told}[^\n]*$"):
        plan(config, lines, where=WHERE)
    lines[4] = {name: value for name, value in lines[4].items() if name not in change}
    with pytest.raises(InputError, match=rf"^archive\.jsonl: line 5: {next(iter(change))}: Field required[^\n]*$"):
        plan(config, lines, where=WHERE)


def test_what_is_left_is_what_is_not_made(config: BenchConfig) -> None:
    lines = carried_out(config, at_best(2.9))  # one further rate each
    fewest, most = counts(config)

    def numbers(found: Left) -> tuple[int, int]:
        return found.runs, found.most_runs

    assert numbers(left(config, [], where=WHERE)) == (fewest, most)
    assert fewest < len(lines) < most
    tuning = sum(one["phase"] == "tuning" for one in lines)
    assert numbers(left(config, lines[:5], where=WHERE)) == (fewest - 5, most - 5)
    # once the rates are chosen no further ones can come
    assert numbers(left(config, lines[:tuning], where=WHERE)) == (len(lines) - tuning, len(lines) - tuning)
    assert left(config, lines, where=WHERE) == Left(0, 0, 0, 0)


def test_a_run_of_a_larger_batch_is_expected_to_take_longer(config: BenchConfig) -> None:
    """Of 64, the recipe's: 16 takes as long, 128 twice."""
    lines = carried_out(config, at_best(2.9))
    each = config.recipe.seconds
    larger = each * len(config.contenders) * config.batch_seeds
    for count in (0, 5, len(lines) - 9):
        found = left(config, lines[:count], where=WHERE)
        assert (found.seconds, found.most_seconds) == (each * found.runs + larger, each * found.most_runs + larger)
    assert left(config, lines[:-1], where=WHERE).seconds == 2 * each
    assert expected_in_all(config, lines, where=WHERE) == each * len(lines) + larger


@pytest.mark.parametrize("name", ["index", "expression"])
def test_lines_have_what_is_read_of_them_later(name: str, config: BenchConfig) -> None:
    lines = carried_out(config, at_best(1.0))
    del lines[2][name]
    with pytest.raises(InputError, match=rf"archive\.jsonl: line 3: {name}: Field required"):
        plan(config, lines, where=WHERE)


def test_more_lines_than_runs_are_refused(config: BenchConfig) -> None:
    lines = carried_out(config, at_best(1.0))
    with pytest.raises(InputError, match=f"must hold {len(lines)} runs by this release, got {len(lines) + 1}"):
        plan(config, [*lines, lines[-1]], where=WHERE)

"""Early stopping on held-out images."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ganetics._check import InputError
from ganetics.generation import evaluations as module
from ganetics.generation import watch
from ganetics.generation.fit import FitConfig, configuration, fit
from ganetics.generation.sample import sample_run
from ganetics.records import Outcome
from ganetics.training import RECIPES, TrainingState, checkpoint
from ganetics.trial import TrialData, assessed, load_trial_data

RECIPE = RECIPES["digits"].model_copy(update={"steps": 400, "eval_samples": 40, "width": 2, "batch_size": 4})


@pytest.fixture(scope="module")
def data() -> TrialData:
    return load_trial_data("digits", None, RECIPE)


def config_for(data: TrialData, *, patience: int = 2, steps: int = 400) -> FitConfig:
    recipe = RECIPE.model_copy(update={"steps": steps})
    return configuration("digits", "ganetic", recipe, data, seed=0, patience=patience, evaluate_every=50)


Scripted = Callable[..., None]


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    """Return what lets evaluations find these kernel distances, the first after 50 steps."""

    def script(*distances: float) -> None:
        def found(state: TrainingState, data: TrialData) -> Outcome:
            one = assessed(state, data)
            assert one.metrics is not None
            kid = distances[state.step // 50 - 1]
            return one.model_copy(update={"metrics": {**one.metrics, "kid": kid}})

        monkeypatch.setattr(module, "assessed", found)

    return script


def files(run: Path) -> dict[str, bytes]:
    beside = (".lock", "timings.jsonl")
    found = (path for path in run.rglob("*") if path.is_file() and path.name not in beside)
    return {str(path.relative_to(run)): path.read_bytes() for path in found}


def test_training_ends_after_evaluations_without_progress_and_the_best_is_kept(
    data: TrialData, tmp_path: Path, scripted: Scripted
) -> None:
    scripted(0.5, 0.2, 0.3, 0.2, 0.0)
    result = fit(tmp_path, config_for(data), data)
    assert (result.stopped, result.outcome.step) == (200, 100)
    assert checkpoint.load(tmp_path / "checkpoint").step == 200
    best = checkpoint.load(tmp_path / "best")
    assert best.step == 100
    lines = [json.loads(line) for line in (tmp_path / "evaluations.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [50, 100, 150, 200]
    assert result.outcome.model_dump(mode="json") == lines[1]
    # what is kept is what was measured, and what is sampled
    measured = assessed(best, data).metrics
    assert measured is not None
    assert {**measured, "kid": 0.2} == result.outcome.metrics
    drawn = sample_run(tmp_path, 5).images
    (tmp_path / "best").rename(tmp_path / "away")
    assert not torch.equal(drawn, sample_run(tmp_path, 5).images)


def test_the_budget_ends_it_too_and_the_last_step_may_be_the_best(
    data: TrialData, tmp_path: Path, scripted: Scripted
) -> None:
    scripted(0.5, 0.4, 0.3)
    result = fit(tmp_path, config_for(data, steps=150), data)
    assert (result.stopped, result.outcome.step) == (150, 150)


@pytest.mark.parametrize(("killed_at", "seconds"), [(100, 1e9), (100, 0.0), (150, 0.0)])
def test_resumed_equals_uninterrupted(
    killed_at: int, seconds: float, data: TrialData, tmp_path: Path, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(0.5, 0.2, 0.3, 0.4)
    config = config_for(data)
    fit(tmp_path / "whole", config, data)
    monkeypatch.setattr(watch, "CHECKPOINT_SECONDS", seconds)

    def interrupt(done: int, total: int, note: str) -> None:
        if done == killed_at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "parts", config, data, on_progress=interrupt)
    fit(tmp_path / "parts", config, data, resume=True)
    assert files(tmp_path / "parts") == files(tmp_path / "whole")


def test_a_kill_after_the_last_checkpoint_loses_nothing(data: TrialData, tmp_path: Path, scripted: Scripted) -> None:
    scripted(0.5, 0.6, 0.7)
    first = fit(tmp_path, config_for(data), data)
    before = files(tmp_path)
    (tmp_path / "metrics.json").unlink()
    assert fit(tmp_path, config_for(data), data, resume=True) == first
    assert files(tmp_path) == before


def test_more_patience_goes_on_where_less_has_ended(data: TrialData, tmp_path: Path, scripted: Scripted) -> None:
    scripted(0.5, 0.6, 0.7, 0.1, 0.2, 0.3, 0.4, 0.5)
    assert fit(tmp_path / "parts", config_for(data), data).stopped == 150
    more = config_for(data, patience=3)
    parts = fit(tmp_path / "parts", more, data, resume=True)
    assert parts == fit(tmp_path / "whole", more, data)
    assert (parts.stopped, parts.outcome.step) == (350, 200)
    found, expected = files(tmp_path / "parts"), files(tmp_path / "whole")
    assert {key: found[key] for key in expected} == expected


def test_a_failed_evaluation_is_never_the_best(
    data: TrialData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(state: TrainingState, data: TrialData) -> Outcome:
        one = assessed(state, data)
        return one if state.step == 100 else one.model_copy(update={"metrics": None})

    monkeypatch.setattr(module, "assessed", found)
    assert fit(tmp_path, config_for(data), data).outcome.step == 100


def test_evaluations_must_meet_records_and_the_end(data: TrialData) -> None:
    with pytest.raises(InputError, match=r"^train: evaluate_every must be a multiple of 50 steps, got 70$"):
        configuration("digits", "ganetic", RECIPE, data, seed=0, patience=1, evaluate_every=70)
    with pytest.raises(InputError, match=r"^train: .* multiple of evaluate_every \(150\), .* got 400$"):
        configuration("digits", "ganetic", RECIPE, data, seed=0, patience=1, evaluate_every=150)

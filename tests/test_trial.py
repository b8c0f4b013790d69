"""The trial: scores, failures, what runs of one seed share."""

from __future__ import annotations

import io
import pickle
from dataclasses import replace

import pytest
import torch
from PIL import Image
from torch import Tensor

from ganetics._check import InputError
from ganetics.losses import GANetic, GANLoss, NonSaturating
from ganetics.records import FailureKind, Recipe
from ganetics.training import RECIPES, start
from ganetics.trial import TrialData, TrialJob, advance, load_trial_data, run_job, run_trial, score

RECIPE = RECIPES["digits"].model_copy(update={"steps": 60, "eval_samples": 200, "width": 4})


@pytest.fixture(scope="module")
def data() -> TrialData:
    return load_trial_data("digits", None, RECIPE)


def test_a_trial_scores_and_is_repeatable(data: TrialData) -> None:
    outcome, state = run_trial(GANetic(), RECIPE, data, seed=3)
    again, _ = run_trial(GANetic(), RECIPE, data, seed=3)
    assert outcome == again
    assert outcome.metrics == score(state, data)
    assert outcome.metrics is not None
    assert set(outcome.metrics) == {"fid", "kid", "d_real", "d_fake", "diversity"}
    assert outcome.metrics["fid"] > data.reference.floor
    assert 0 < outcome.metrics["d_real"] < 1
    assert (outcome.step, outcome.seed, outcome.failure) == (60, 3, None)
    assert outcome.recipe == RECIPE.digest()
    other, _ = run_trial(GANetic(), RECIPE, data, seed=4)
    assert other.metrics != outcome.metrics


def test_a_trial_continued_equals_one_in_a_piece(data: TrialData) -> None:
    whole, _ = run_trial(NonSaturating(), RECIPE, data, seed=0)
    rung, state = run_trial(NonSaturating(), RECIPE, data, seed=0, until=20)
    assert rung.step == 20
    assert rung.metrics != whole.metrics
    continued, _ = run_trial(NonSaturating(), RECIPE, data, seed=0, state=state)
    assert continued == whole


def test_a_state_goes_on_under_its_own_seed_and_recipe_only(data: TrialData) -> None:
    with pytest.raises(InputError, match="own recipe and seed"):
        run_trial(NonSaturating(), RECIPE, data, seed=1, state=start(RECIPE, 0))
    with pytest.raises(InputError, match="own recipe and seed"):
        run_trial(NonSaturating(), RECIPE.at_rate(2), data, seed=0, state=start(RECIPE, 0))


class _Fails(GANLoss):
    name = "fails"

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def discriminator(self, *, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        raise self.error

    def generator(self, *, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        raise self.error


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("no more"),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes\nmore"),
    ],
)
def test_a_lack_of_memory_is_an_outcome(error: Exception, data: TrialData) -> None:
    outcome, _ = run_trial(_Fails(error), RECIPE, data, seed=0)
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.OUT_OF_MEMORY
    assert outcome.failure.message == str(error).splitlines()[0]
    assert outcome.metrics is None


def test_a_mistake_in_a_loss_is_raised(data: TrialData) -> None:
    with pytest.raises(RuntimeError, match="shapes"):
        run_trial(_Fails(RuntimeError("shapes do not fit")), RECIPE, data, seed=0)


def test_a_divergence_is_an_outcome_and_says_where(data: TrialData) -> None:
    outcome, _ = run_trial(NonSaturating(), RECIPE.at_rate(1e30), data, seed=0)
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.DIVERGED
    assert outcome.failure.step == 50
    assert outcome.log_fid == float("inf")


def test_a_collapsed_generator_scores_badly_and_shows_no_diversity(data: TrialData) -> None:
    state = start(RECIPE, 0)
    good = advance(start(RECIPE, 0), NonSaturating(), data, until=60).metrics
    with torch.no_grad():
        state.gan.generator[-2].weight.zero_()  # type: ignore[index]
    bad = score(state, data)
    assert good is not None
    assert bad["diversity"] == 0
    assert bad["fid"] > good["fid"]


def test_reference_has_as_many_images_as_the_recipe_says() -> None:
    fewer: Recipe = RECIPE.model_copy(update={"eval_samples": 100})
    assert len(load_trial_data("digits", None, fewer).reference.features) == 100


def test_a_job_travels_and_comes_back_with_a_picture() -> None:
    job = TrialJob("hinge", RECIPE, "digits", None, seed=0, preview=10)
    assert pickle.loads(pickle.dumps(job)) == job
    reply = run_job(job)
    assert reply.preview is not None
    assert Image.open(io.BytesIO(reply.preview)).size == (8 * 34 + 2, 2 * 34 + 2)
    quiet = run_job(TrialJob("hinge", RECIPE, "digits", None, seed=0))
    assert quiet.preview is None
    assert quiet.outcome == reply.outcome


def test_an_unknown_loss_is_refused_before_anything_is_trained() -> None:
    with pytest.raises(InputError, match="hinge"):
        run_job(TrialJob("hinj", RECIPE, "digits", None, seed=0))


def test_scores_on_the_way_change_nothing() -> None:
    job = TrialJob("ganetic", RECIPE, "digits", None, seed=3)
    alone, watched = run_job(job), run_job(replace(job, score_at=(4, 8)))
    assert watched.outcome == alone.outcome
    assert [outcome.step for outcome in watched.curve] == [4, 8]
    assert alone.curve == ()

"""The trial: scores, failures, what runs of one seed share."""

from __future__ import annotations

import io
import pickle
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import save
from torch import Tensor

from ganetics._check import InputError
from ganetics._random import torch_generator
from ganetics.execution import Completed, JobFailure
from ganetics.execution.shared import Held
from ganetics.losses import GANetic, GANLoss, NonSaturating
from ganetics.metrics import neighbourhood_scores
from ganetics.records import Failure, FailureKind, Outcome, Recipe
from ganetics.training import RECIPES, TrainingState, checkpoint, sample, start, train
from ganetics.trial import (
    TrialData,
    TrialJob,
    TrialReply,
    advance,
    load_trial_data,
    run_job,
    run_trial,
    score,
    settled,
)

RECIPE = RECIPES["digits"].model_copy(update={"steps": 60, "eval_samples": 200, "width": 4})


@pytest.fixture(scope="module")
def data() -> TrialData:
    return load_trial_data("digits", None, RECIPE)


def test_outputs_and_diversity_are_of_what_they_are_called(data: TrialData, monkeypatch: pytest.MonkeyPatch) -> None:
    _, state = run_trial(GANetic(), RECIPE, data, seed=3)
    monkeypatch.setattr("ganetics.trial.metrics._mean_output", lambda _, images, __: float(images.float().mean()))
    found = score(state, data)
    fake = sample(state, 200, generator=torch_generator(3, "evaluation"))
    assert found["d_real"] == float(data.train.images.float().mean())
    assert found["d_fake"] == float(fake.float().mean())
    assert found["diversity"] == pytest.approx(fake.numpy().astype(float).std(axis=0).mean() / 255, rel=1e-5)


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
        RuntimeError("could not create a primitive descriptor"),
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


# --- jobs that go on from where another was


@pytest.fixture
def begun_at(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the steps that training has begun at since."""
    found: list[int] = []

    def watched(state: TrainingState, *arguments: Any, **options: Any) -> TrainingState:
        found.append(state.step)
        return train(state, *arguments, **options)

    monkeypatch.setattr("ganetics.trial.outcome.train", watched)
    return found


@pytest.fixture(scope="module")
def whole(data: TrialData) -> Outcome:
    """Return what a job comes to that is never stopped."""
    return run_job(TrialJob("ganetic", RECIPE, "digits", None, seed=3, shared=Held(data))).outcome


def climb(folder: Path, data: TrialData, **changes: Any) -> Outcome:
    """Run the job of the fixture ``whole``, or one that is a little different."""
    job = TrialJob("ganetic", RECIPE, "digits", None, seed=3, state=str(folder), shared=Held(data))
    return run_job(replace(job, **changes)).outcome


def test_a_job_goes_on_from_the_state_of_another_as_if_never_stopped(
    whole: Outcome, data: TrialData, tmp_path: Path, begun_at: list[int]
) -> None:
    folder = tmp_path / "states" / "0"
    steps = [climb(folder, data, until=until, samples=samples) for until, samples in ((20, 50), (45, None), (45, 20))]
    assert [one.step for one in steps] == [20, 45, 45]
    assert [len(one.metrics or ()) for one in steps] == [1, 5, 1]
    assert climb(folder, data) == whole
    assert begun_at == [0, 20, 45, 45]
    # each is what it would be alone
    for number, (one, samples) in enumerate(zip(steps, (50, None, 20), strict=True)):
        assert climb(tmp_path / f"{number}", data, until=one.step, samples=samples) == one
    # the last step leaves no state: nobody goes on
    assert climb(tmp_path / "last", data, until=60) == whole
    assert not (tmp_path / "last").exists()


def _cut(folder: Path) -> None:
    tensors = next(folder.glob("*.safetensors"))
    tensors.write_bytes(tensors.read_bytes()[:1000])


def _other_weights(folder: Path) -> None:
    tensors = next(folder.glob("*.safetensors"))
    tensors.write_bytes(save({"generator/weight": torch.zeros(3)}))


SPOILED: dict[str, Callable[[Path, TrialData], object]] = {
    "missing": lambda folder, _: shutil.rmtree(folder),
    "without its tensors": lambda folder, _: next(folder.glob("*.safetensors")).unlink(),
    "with tensors cut off": lambda folder, _: _cut(folder),
    "with other tensors": lambda folder, _: _other_weights(folder),
    "no JSON": lambda folder, _: (folder / "state.json").write_text("{"),
    "of another loss": lambda folder, data: climb(folder, data, loss="hinge", until=20),
    "of another seed": lambda folder, data: climb(folder, data, seed=4, until=20),
    "of another rate": lambda folder, data: climb(folder, data, recipe=RECIPE.at_rate(2), until=20),
    "of a later step": lambda folder, data: climb(folder, data, until=50),
}


@pytest.mark.parametrize("name", SPOILED)
def test_a_state_that_does_not_fit_changes_nothing_but_the_time(
    name: str, data: TrialData, tmp_path: Path, begun_at: list[int]
) -> None:
    expected = climb(tmp_path / "other", data, until=30)
    climb(tmp_path / "state", data, until=20)
    SPOILED[name](tmp_path / "state", data)
    begun_at.clear()
    assert climb(tmp_path / "state", data, until=30) == expected
    assert begun_at == [0]
    assert climb(tmp_path / "state", data, until=30) == expected  # it has left its own
    assert begun_at == [0, 30]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), MemoryError()])
def test_a_state_that_cannot_be_saved_is_no_failure(
    error: Exception, data: TrialData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = climb(tmp_path / "other", data, until=20)

    def full(*_: object) -> None:
        raise error

    monkeypatch.setattr(checkpoint, "write_atomically", full)
    assert climb(tmp_path / "state", data, until=20) == expected


def test_a_failed_job_leaves_no_state(data: TrialData, tmp_path: Path) -> None:
    outcome = climb(tmp_path / "state", data, recipe=RECIPE.at_rate(1e30), until=55)
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.DIVERGED
    assert not (tmp_path / "state").exists()


def test_shared_data_are_read_from_no_file(data: TrialData, whole: Outcome) -> None:
    job = TrialJob("ganetic", RECIPE, "/nowhere", None, seed=3, shared=Held(data))
    assert run_job(job).outcome == whole
    with pytest.raises(InputError, match="nowhere"):
        run_job(replace(job, shared=None))


def test_fewer_samples_are_scored_by_the_distance_of_these(data: TrialData) -> None:
    state = advance_to(RECIPE, data, 10)
    assert score(state, data, samples=RECIPE.eval_samples) == {"fid": score(state, data)["fid"]}
    few = score(state, data, samples=50)
    assert set(few) == {"fid"}
    assert few["fid"] != score(state, data)["fid"]


def advance_to(recipe: Recipe, data: TrialData, step: int) -> TrainingState:
    state = start(recipe, 0)
    advance(state, NonSaturating(), data, until=step)
    return state


# --- what a benchmark asks for


def test_scores_of_neighbours_are_asked_for_and_change_nothing_else(data: TrialData) -> None:
    state = advance_to(RECIPE, data, 10)
    plain, fuller = score(state, data), score(state, data, neighbours=5)
    four = {name: fuller.pop(name) for name in ("precision", "recall", "density", "coverage")}
    assert fuller == plain
    images = sample(state, RECIPE.eval_samples, generator=torch_generator(state.seed, "evaluation"))
    assert four == asdict(neighbourhood_scores(data.reference.features, data.extractor(images), k=5))
    # as many as there are, where there are fewer
    few = replace(data, reference=replace(data.reference, features=data.reference.features[:4]))
    assert score(state, few, neighbours=5)["coverage"] >= 0
    job = TrialJob("ganetic", RECIPE, "digits", None, seed=3, score_at=(4, 8), neighbours=5, shared=Held(data))
    reply = run_job(job)
    assert [set(one.metrics or ()) for one in reply.curve] == [{"fid"}, {"fid"}]
    assert set(reply.outcome.metrics or ()) == {*plain, *four}


def test_the_distance_on_the_way_is_that_of_a_run_that_ends_there(data: TrialData) -> None:
    job = TrialJob("ganetic", RECIPE, "digits", None, seed=3, score_at=(20,), shared=Held(data))
    (there,) = run_job(job).curve
    ended = run_job(replace(job, score_at=(), until=20)).outcome
    assert there.metrics == {"fid": (ended.metrics or {})["fid"]}


def test_the_reference_can_be_the_test_images(data: TrialData) -> None:
    told = load_trial_data("digits", None, RECIPE, reference_split="test")
    assert (told.held_out.identity.split, data.held_out.identity.split) == ("test", "validation")
    assert told.train.identity == data.train.identity
    assert told.reference.data == told.held_out.identity
    assert told.digest != data.digest
    state = advance_to(RECIPE, data, 10)
    assert score(state, told)["fid"] != score(state, data)["fid"]
    assert score(state, told)["diversity"] == score(state, data)["diversity"]


IDENTITIES = ("data", "extractor")


def completed(value: object = None, failure: JobFailure | None = None) -> Completed:
    return Completed(value, failure, 1.0, 1.0, 1.0)


def test_a_job_without_a_reply_is_a_named_failure() -> None:
    def settle(one: Completed) -> TrialReply:
        return settled(one, seed=3, recipe=RECIPE, dataset="digits", identities=IDENTITIES)

    for kind in ("timed out", "out of memory", "crashed"):
        found = settle(completed(failure=JobFailure(kind, "why"))).outcome
        assert found.failure == Failure(kind=FailureKind(kind), message="why")
        assert (found.seed, found.metrics, found.data, found.extractor) == (3, None, *IDENTITIES)
        assert found.recipe == RECIPE.digest()
    assert settle(completed()).outcome.failure == Failure(kind=FailureKind.CRASHED, message="the job gave no reply")
    with pytest.raises(InputError, match=r"^no file$"):
        settle(completed(failure=JobFailure("wrong input", "no file")))


def test_a_reply_of_other_data_is_refused(whole: Outcome, data: TrialData) -> None:
    identities = (data.digest, data.extractor.identity.digest())
    reply = TrialReply(whole, None)
    same = settled(completed(reply), seed=3, recipe=RECIPE, dataset="digits", identities=identities)
    assert same is reply
    with pytest.raises(InputError, match=r"dataset digits: must be the images that the run began with \(digests data"):
        settled(completed(reply), seed=3, recipe=RECIPE, dataset="digits", identities=IDENTITIES)

"""The toy gate: who passes, who does not, and that its arithmetic is that of GANs trained with Adam."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from ganetics._random import torch_generator
from ganetics.catalogue import CATALOGUE, expression_of
from ganetics.execution import InProcessExecutor, Log
from ganetics.execution.process import prepared
from ganetics.expressions.text import parse
from ganetics.losses import GANLoss, NonSaturating
from ganetics.records import FailureKind
from ganetics.search import toy as module
from ganetics.search.screen import screen
from ganetics.search.toy import LOOK_EVERY, PASS_DISTANCE, RATES, STEPS, passes, run_gated_job, toy
from ganetics.trial import TrialJob, run_job


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    with prepared():
        yield


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["non-saturating", "least-squares", "hinge", "ganetic"])
def test_losses_that_train_gans_pass(name: str, seed: int) -> None:
    result = toy(CATALOGUE[name].make(), seed=seed)
    assert passes(result)
    assert result.steps < STEPS  # with room to spare


@pytest.mark.parametrize("name", ["relativistic-pairing", "relativistic-average", "ganetic-batch-sum"])
def test_losses_that_are_not_separable_pass(name: str) -> None:
    assert passes(toy(CATALOGUE[name].make(), seed=0))


BAD = {
    "no difference between the targets": "y - p",
    "nothing of the logit": "y + 0*p",
    "the same optimum for both": "(p - 0.5)**2 + y",
    "real samples do not matter": "(1 - y)*p",
    "a generator that pleases the wrong side": "real: softplus(-x); fake: softplus(x); generator: softplus(x)",
    "it passes the screen, and on MNIST stays at noise": "sqrt(p - y)",
}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_losses_that_cannot_train_fail(text: str, seed: int) -> None:
    result = toy(parse(text), seed=seed)
    assert not passes(result)
    assert result.distance > 2 * PASS_DISTANCE


def test_the_last_of_them_is_for_the_toy_alone_to_find() -> None:
    assert screen(parse("sqrt(p - y)")).reason is None


def test_it_depends_on_the_loss_and_the_seed_alone() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = toy(CATALOGUE["hinge"].make(), seed=5)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert toy(CATALOGUE["hinge"].make(), seed=5) == first
    assert toy(CATALOGUE["hinge"].make(), seed=6).distances != first.distances


def test_an_expression_is_the_loss_that_it_says() -> None:
    expression = expression_of("least-squares")
    assert expression is not None
    one, other = toy(expression, seed=0), toy(CATALOGUE["least-squares"].make(), seed=0)
    assert np.allclose(one.distances, other.distances, rtol=0.05)


def test_an_early_end_is_the_beginning_of_the_whole() -> None:
    whole = toy(CATALOGUE["ganetic"].make(), seed=0, early_end=False)
    short = toy(CATALOGUE["ganetic"].make(), seed=0)
    assert (whole.steps, len(whole.distances)) == (STEPS, STEPS // LOOK_EVERY)
    assert short.steps == LOOK_EVERY * len(short.distances) < STEPS
    assert short.distances == whole.distances[: len(short.distances)]
    assert min(short.distances[-1]) <= PASS_DISTANCE < min(map(min, short.distances[:-1]))
    assert whole.distance == min(map(min, whole.distances))
    assert whole.distance in [look[RATES.index(whole.rate)] for look in whole.distances]
    assert 0.0 < whole.near <= 1.0


def test_what_stays_far_is_given_up_half_way() -> None:
    hopeless = toy(parse("y + 0*p"), seed=0)
    assert (hopeless.steps, hopeless.diverged) == (STEPS // 2, False)
    assert toy(parse("y + 0*p"), seed=0, early_end=False).steps == STEPS


class Broken(NonSaturating):
    """Slopes that are no numbers, at some of the rates (rows of the logits)."""

    def __init__(self, *rows: int) -> None:
        super().__init__()
        self.rows = rows

    def generator_term(self, logits: Tensor) -> Tensor:
        factor = torch.ones(len(RATES), 1)
        factor[list(self.rows)] = math.nan
        return super().generator_term(logits) * factor


def test_divergence_at_every_rate_ends_it_and_fails() -> None:
    result = toy(Broken(0, 1), seed=0, early_end=False)
    assert (result.diverged, result.steps, result.distance) == (True, LOOK_EVERY, math.inf)
    assert result.distances == ((math.inf, math.inf),)
    assert not passes(result)


def test_divergence_at_one_rate_leaves_the_others_as_they_are() -> None:
    sound = toy(NonSaturating(), seed=0, early_end=False)
    half = toy(Broken(0), seed=0, early_end=False)
    assert not half.diverged
    assert all(look[0] == math.inf for look in half.distances)
    assert [look[1] for look in half.distances] == [look[1] for look in sound.distances]
    assert (passes(half), half.rate) == (True, RATES[1])


@pytest.fixture
def float64() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def layers(player: module._Player, rate: int) -> nn.Sequential:
    """Return the networks of torch with a player's weights at one rate."""
    parts: list[nn.Module] = []
    for weight, bias in zip(player.weights[::2], player.weights[1::2], strict=True):
        linear = nn.Linear(*weight.shape[1:])
        with torch.no_grad():
            linear.weight.copy_(weight[rate].T)
            linear.bias.copy_(bias[rate, 0])
        parts += [linear, nn.LeakyReLU(0.2)]
    return nn.Sequential(*parts[:-1])


def played_apart(loss: GANLoss, seed: int, rate: int, steps: int) -> Tensor:
    """Play at one rate with the networks and the Adam of torch; return the samples."""
    game = module._Game(loss, seed)
    generator, discriminator = layers(game.generator, rate), layers(game.discriminator, rate)
    adam = [
        torch.optim.Adam(net.parameters(), RATES[rate], betas=(0.5, 0.999), eps=1e-8)
        for net in (generator, discriminator)
    ]
    random = torch_generator(seed, "toy training")
    for _ in range(steps):
        real, latents = game._data(module.BATCH, random)[rate], game._latents(module.BATCH, random)[rate]
        fake = generator(latents)
        adam[1].zero_grad()
        loss.discriminator(
            real_logits=discriminator(real)[:, 0], fake_logits=discriminator(fake.detach())[:, 0]
        ).backward()  # type: ignore[no-untyped-call]
        adam[1].step()
        adam[0].zero_grad()
        with torch.no_grad():
            real_logits = discriminator(real)[:, 0]
        loss.generator(fake_logits=discriminator(fake)[:, 0], real_logits=real_logits).backward()  # type: ignore[no-untyped-call]
        adam[0].step()
    with torch.no_grad():
        samples: Tensor = generator(game.latents[rate])
    return samples


@pytest.mark.usefixtures("float64")  # Adam turns the rounding of small slopes into steps
@pytest.mark.parametrize("name", ["least-squares", "ganetic", "relativistic-average"])
def test_every_rate_plays_as_networks_and_adam_of_torch_would(name: str) -> None:
    loss, steps = CATALOGUE[name].make(), 10
    game = module._Game(loss, 3)
    before = game.samples()
    for _ in range(steps):
        game.step()
    after = game.samples()
    for rate in range(len(RATES)):
        assert torch.allclose(after[rate], played_apart(loss, 3, rate, steps), rtol=1e-6, atol=1e-8)
        assert float((after[rate] - before[rate]).abs().max()) > 0.02


def test_distance_is_the_energy_distance() -> None:
    """On a line, where SciPy has its root."""
    random = np.random.default_rng(0)
    line = [random.normal(size=module.SAMPLES) * scale + shift for scale, shift in ((1, 0), (2, 1), (0.5, -1))]
    plane = [torch.tensor(np.stack([values, 0 * values], 1), dtype=torch.float32) for values in line]
    game = module._Game(NonSaturating(), 0)
    game.real = torch.stack([plane[0]] * len(RATES))
    game.spread = module._mean_distance(game.real, game.real)
    found = game.distances(torch.stack(plane[1:]))
    assert found.tolist() == pytest.approx([stats.energy_distance(line[0], other) ** 2 for other in line[1:]], rel=1e-4)


def test_an_untrained_generator_is_a_spot_in_the_middle() -> None:
    """Its distance is near 2 RADIUS − 4 RADIUS / π: that of a point in the middle of a ring."""
    for seed in range(5):
        game = module._Game(NonSaturating(), seed)
        assert float(game.samples().norm(dim=2).mean()) < module.RADIUS / 3
        assert 0.6 < float(game.distances(game.samples())[0]) < 2 * module.RADIUS - 4 * module.RADIUS / math.pi + 0.1


def test_modes_are_counted() -> None:
    game = module._Game(NonSaturating(), 0)
    shares = torch.tensor([64, 32, 32, 32, 32, 32, 8, 7])  # a quarter of a fair share is 8 of 256
    samples = game.centres.repeat_interleave(shares, dim=0)
    rest = torch.zeros(module.SAMPLES - len(samples), 2)  # the middle is near none
    assert game.modes(torch.cat([samples, rest])) == (7, pytest.approx(239 / 256))
    aside = samples + torch.tensor([2.9 * module.SPREAD, 0.0])
    assert game.modes(torch.cat([aside, rest])) == game.modes(torch.cat([samples, rest]))
    assert game.modes(samples + torch.tensor([3.1 * module.SPREAD, 0.0])) == (0, 0.0)


def test_a_gated_job_is_the_job_or_a_named_rejection(digits: ModuleType) -> None:
    def job(loss: str) -> TrialJob:
        return TrialJob(loss, digits.RECIPE, "digits", None, seed=3)

    assert run_gated_job(job("(y - p)**2")) == run_job(job("(y - p)**2"))
    rejected, trained = run_gated_job(job("y - p")).outcome, run_job(job("y - p")).outcome
    assert rejected.failure is not None
    assert rejected.failure.kind is FailureKind.REJECTED
    assert rejected.failure.message.startswith("toy gate: energy distance ")
    assert (rejected.metrics, rejected.step) == (None, 0)
    assert (rejected.data, rejected.extractor, rejected.recipe) == (trained.data, trained.extractor, trained.recipe)


def test_a_search_gates_random_losses_and_no_others(tmp_path: Path, digits: ModuleType) -> None:
    config = digits.config(toy_gate=True, guesses=("y - p",), trials=12, finalists=0, rivals=())
    with InProcessExecutor() as executor:
        digits.search(tmp_path / "run", executor, config)
    lines = Log(tmp_path / "run" / "archive.jsonl").read()
    rejected = [line["outcome"]["failure"] is not None for line in lines]
    random = [line.get("born", {}).get("origin") == "random" for line in lines]
    assert any(rejected)
    assert all(drawn for drawn, out in zip(random, rejected, strict=True) if out)
    assert lines[0]["born"]["expression"] == "y - p"
    for line in (line for line in lines if line.get("born", {}).get("origin") == "random"):
        gate = passes(toy(parse(line["born"]["expression"]), seed=line["seed"]))
        assert gate == (line["outcome"]["failure"] is None), line["born"]["expression"]

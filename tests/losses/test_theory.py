"""Theory cards against closed forms, and against the same facts computed on another way."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.special import expit, logit
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ganetics._check import InputError
from ganetics._random import numpy_generator
from ganetics.catalogue import CATALOGUE
from ganetics.expressions.compile import compile_loss
from ganetics.expressions.text import parse
from ganetics.expressions.tree import Tied
from ganetics.losses import (
    GANetic,
    GANeticBatchSum,
    GANLoss,
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    Wasserstein,
)
from ganetics.losses.theory import TheoryCard, theory_card
from ganetics.records import from_json, to_json
from ganetics.search.variation import Grammar, ramped

R = np.linspace(0.01, 0.99, 99)
SCALE = math.sqrt(3.985) / 6
HELLINGER = "real: exp(-x/2); fake: exp(x/2); generator: -exp(x/2)"
KL = "real: -x; fake: exp(x - 1); generator: -exp(x - 1)"
BRIER = "(y - p)**2"
BATCH = 64
CLASSIC = (
    "ganetic", "ganetic-batch-sum", "non-saturating", "minimax", "least-squares", "hinge", "wasserstein",
)  # fmt: skip
"""What is said of all of these is checked word by word; the catalogue may grow."""


class Relativistic(GANLoss):
    """Pairs of logits (Jolicoeur-Martineau 2018), as in nobody's catalogue: the card knows the contract only."""

    name = "pairs"
    separable = False
    generator_needs_real = True

    def discriminator(self, *, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        reduce = {"mean": torch.mean, "sum": torch.sum, "none": torch.clone}[self.reduction]
        return reduce(F.softplus(fake_logits - real_logits))

    def generator(self, *, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        assert real_logits is not None
        return self.discriminator(real_logits=fake_logits, fake_logits=real_logits)


class Sliding(GANLoss):
    """Has no equilibrium: the discriminator lowers both logits for ever."""

    separable = False

    def discriminator(self, *, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return (real_logits + 2 * fake_logits).mean()

    def generator(self, *, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return -fake_logits.mean()


class ZeroSumGANetic(GANetic):
    """GANetic whose generator maximises what the discriminator minimises."""

    def generator_term(self, logits: Tensor) -> Tensor:
        return -self.fake_term(logits)


def said(text: str) -> GANLoss:
    return compile_loss(parse(text))


def optimal(card: TheoryCard) -> np.ndarray:
    assert card.optimum is not None
    assert card.optimum.low == card.optimum.high
    return np.array(card.optimum.low)


# The optimal discriminator


@pytest.mark.parametrize(
    ("loss", "best"),
    [
        (NonSaturating(), logit(R)),
        (Minimax(), logit(R)),
        (LeastSquares(), R),
        (LeastSquares(fake_target=-1, real_target=1, generator_target=0), 2 * R - 1),
        (GANetic(), logit((SCALE * R) ** (2 / 7))),
        (said("p**3 + sqrt(3.985*y/p)"), logit((SCALE * R) ** (2 / 7))),
        (said(BRIER), logit(R)),
        (said(HELLINGER), logit(R)),
        (said(KL), 1 + logit(R)),
        (said("real: 3*softplus(-x); fake: 0.2*softplus(x); generator: -x"), logit(R) + math.log(15)),
    ],
    ids=lambda value: value.name if isinstance(value, GANLoss) else "",
)
def test_the_optimal_logit_has_its_closed_form(loss: GANLoss, best: np.ndarray) -> None:
    card = theory_card(loss)
    assert card.optimum is not None
    assert np.allclose(card.optimum.shares, R)
    assert np.abs(optimal(card) - best).max() < 1e-8
    assert np.allclose(card.optimum.probability_low, expit(best))
    assert card.optimum.equilibrium_probability == pytest.approx(expit(best[49]), abs=1e-9)
    assert card.equilibrium == pytest.approx(best[49], abs=1e-8)
    assert card.optimum.proper
    assert card.optimum.attained == "unique"


def test_what_can_be_read_from_it() -> None:
    found = {text: card_of(text).optimum for text in (*CLASSIC, BRIER, KL) if card_of(text).optimum is not None}
    assert {name: best.reads for name, best in found.items() if best is not None and best.reads} == {
        "non-saturating": "probability",
        "minimax": "probability",
        "least-squares": "logit",
        BRIER: "probability",
    }
    ganetic = found["ganetic"]
    assert ganetic is not None
    assert ganetic.equilibrium_probability == pytest.approx(0.599, abs=5e-4)
    assert max(ganetic.probability_high) < 0.730


def test_hinge_is_a_set_at_one_half_and_one_beside_it() -> None:
    best = theory_card(Hinge()).optimum
    assert best is not None
    assert np.allclose(np.array(best.low), np.where(R < 0.505, -1, 1), atol=1e-9)
    assert np.allclose(np.array(best.high), np.where(R < 0.495, -1, 1), atol=1e-9)
    assert (best.attained, best.rising, best.proper) == ("set", True, False)
    assert (best.equilibrium_low, best.equilibrium_high, best.equilibrium_probability) == (-1, 1, None)


def test_wasserstein_has_no_finite_optimum() -> None:
    card = theory_card(Wasserstein())
    assert card.optimum is not None
    assert (card.optimum.attained, card.optimum.rising, card.optimum.proper) == ("infinite", True, False)
    assert set(card.optimum.low) == {None}
    assert card.optimum.probability_high[48:51] == (0.0, 1.0, 1.0)
    assert card.divergence is None
    assert [lack.fact for lack in card.undefined] == ["divergence"]
    assert [(t.lowest, t.highest) for t in (card.real, card.fake, card.generator)] == [(None, None)] * 3


def test_a_discriminator_that_falls_is_found() -> None:
    best = theory_card(said("real: softplus(x); fake: softplus(-x); generator: x")).optimum
    assert best is not None
    assert not best.rising
    assert not best.proper


def test_of_two_valleys_the_deeper_counts() -> None:
    # (x² − 1)² tilted: by r to the right valley, by 1 − r to the left
    card = theory_card(said("real: (x**2 - 1)**2 - x; fake: (x**2 - 1)**2 + x; generator: -x"))
    assert card.optimum is not None
    best = np.array(card.optimum.low)
    assert (best[:49] < -1 / math.sqrt(3)).all()
    assert (best[50:] > 1 / math.sqrt(3)).all()
    # where 4·x·(x² − 1) = 2·r − 1
    assert np.allclose(4 * best**3 - 4 * best, 2 * R - 1, atol=1e-8)


# The terms


def test_ganetic_gradients() -> None:
    card = theory_card(GANetic())
    slopes = dict(zip(card.logits, card.real.slopes, strict=True))
    for place, size in ((-4, 7.3), (-8, 54), (-10, 148)):
        at = min(slopes, key=lambda x: abs(x - place))
        assert slopes[at] == pytest.approx(-size, rel=0.01)


@pytest.mark.parametrize("name", ["ganetic", "least-squares", "minimax"])
def test_slopes_are_those_of_the_values(name: str) -> None:
    card = card_of(name)
    x = np.array(card.logits)
    for term in (card.real, card.fake, card.generator):
        rise = np.array(term.values[2:]) - np.array(term.values[:-2])  # type: ignore[arg-type]
        assert np.allclose(rise / (x[2:] - x[:-2]), np.array(term.slopes[1:-1]), rtol=2e-2, atol=5e-3)


GROWS, STEADY, DIES, NONE = ("growing", 0.5), ("constant", None), ("vanishing", 1), ("zero", None)
LINE, CUBE, FALL, TURNS = ("growing", 1), ("vanishing", 3), ("vanishing", -1), ("turning", None)

TAILS: dict[str, Sequence[tuple[str, float | None]]] = {
    # kind and rate of real below, real above, fake below, fake above, generator below, generator above
    "non-saturating": (STEADY, DIES, DIES, STEADY, STEADY, DIES),
    "minimax": (STEADY, DIES, DIES, STEADY, DIES, STEADY),
    "least-squares": (LINE,) * 6,
    "hinge": (STEADY, NONE, NONE, STEADY, STEADY, STEADY),
    "wasserstein": (STEADY,) * 6,
    "ganetic": (GROWS, DIES, CUBE, DIES, GROWS, DIES),
    "ganetic-batch-sum": (GROWS, DIES, CUBE, DIES, GROWS, DIES),
    "real: x**2; fake: log(1 + x**2); generator: sin(x)": (LINE, LINE, FALL, FALL, TURNS, TURNS),
}


@pytest.mark.parametrize("text", TAILS)
def test_saturation(text: str) -> None:
    card = card_of(text)
    tails = [tail for term in (card.real, card.fake, card.generator) for tail in (term.below, term.above)]
    for tail, (kind, rate) in zip(tails, TAILS[text], strict=True):
        assert tail.kind == kind
        assert tail.rate == (None if rate is None else pytest.approx(rate, rel=0.02))
        assert tail.dies == (kind in ("zero", "vanishing"))


def test_power_and_exponential_are_told_apart() -> None:
    card = card_of("real: exp(x/4); fake: x**2; generator: sqrt(x)")
    assert (card.real.above.law, card.fake.above.law, card.generator.above.law) == ("exponential", "power", "power")
    assert card.generator.above.rate == pytest.approx(-0.5, abs=0.01)


def test_a_clamp_is_told_from_saturation() -> None:
    for loss in (GANetic(), said("p**3 + sqrt(3.985*y/p)")):
        card = theory_card(loss)
        assert card.generator.below.clamped_at == pytest.approx(math.log(1e-7), abs=1e-3)
        assert card.fake.below.clamped_at is None
    assert theory_card(NonSaturating()).generator.below.clamped_at is None


BOUNDS: dict[str, Sequence[tuple[float | None, float | None]]] = {
    "non-saturating": [(0, None), (0, None), (0, None)],
    "minimax": [(0, None), (0, None), (None, 0)],
    "least-squares": [(0, None), (0, None), (0, None)],
    "hinge": [(0, None), (0, None), (None, None)],
    "ganetic": [(SCALE ** (6 / 7) + math.sqrt(3.985) * SCALE ** (-1 / 7), None), (0, 1)] * 2,
    "real: log(1 + x**2); fake: tanh(x); generator: sin(x)": [(0, None), (-1, 1), (-1, 1)],
}


@pytest.mark.parametrize("text", BOUNDS)
def test_bounds(text: str) -> None:
    card = card_of(text)
    for term, expected in zip((card.real, card.fake, card.generator), BOUNDS[text], strict=False):
        for found, bound in zip((term.lowest, term.highest), expected, strict=True):
            assert found == (None if bound is None else pytest.approx(bound, abs=1e-9))


def test_stationary_points() -> None:
    card = theory_card(GANetic())
    (turn,) = card.generator.stationary
    assert turn.kind == "minimum"
    assert expit(turn.low) == pytest.approx(SCALE ** (2 / 7), abs=1e-9)
    assert card.fake.stationary == ()
    hinge = theory_card(Hinge())
    assert [(p.kind, p.low, p.high) for p in hinge.real.stationary] == [("minimum", 1.0, None)]
    assert [(p.kind, p.low, p.high) for p in hinge.fake.stationary] == [("minimum", None, -1.0)]
    waves = theory_card(said("real: sin(x); fake: -(x**3); generator: 0*x"))
    places = [(2 * k + 1) * math.pi / 2 for k in range(-5, 5)]
    assert [p.low for p in waves.real.stationary] == pytest.approx(places, abs=1e-8)
    assert [p.kind for p in waves.real.stationary] == [
        "minimum" if round(math.sin(x)) < 0 else "maximum" for x in places
    ]
    assert [(p.kind, p.low, p.high) for p in waves.fake.stationary] == [("level", 0.0, 0.0)]
    assert [(p.kind, p.low, p.high) for p in waves.generator.stationary] == [("level", None, None)]


@pytest.mark.parametrize(("batch", "p"), [(16, 0.491), (64, 0.403), (128, 0.365)])
def test_the_batch_sum_depends_on_the_batch(batch: int, p: float) -> None:
    (turn,) = theory_card(GANeticBatchSum(), batch=batch).real.stationary
    assert expit(turn.low) == pytest.approx(p, abs=5e-4)


def test_steps_scale_and_peak() -> None:
    bce = theory_card(NonSaturating()).generator
    assert bce.scale == pytest.approx(1)
    assert bce.peak == pytest.approx(2 * expit(4))
    assert [step.logit for step in bce.steps] == [-8, -4, 4, 8]
    assert [step.ratio for step in bce.steps] == pytest.approx([2 * expit(-x) for x in (-8, -4, 4, 8)])
    squares = theory_card(LeastSquares()).generator
    assert [step.ratio for step in squares.steps] == pytest.approx([18, 10, 6, 14])
    assert theory_card(Hinge()).generator.scale == pytest.approx(2)
    # no gradient at the equilibrium: nothing to compare with
    still = theory_card(LeastSquares(fake_target=-1, real_target=1, generator_target=0)).generator
    assert (still.equilibrium_slope, still.scale, still.peak, still.steps[0].ratio) == (0, 0, None, None)


# What is minimised


def normal(x: float, mean: float) -> float:
    return math.exp(-0.5 * (x - mean) ** 2) / math.sqrt(2 * math.pi)


def expected(of: Callable[[float], float], mean: float, m: float) -> float:
    """Return the expectation of a function of t = p_data / p_g under N(mean, 1)."""
    return quad(lambda x: normal(x, mean) * of(math.exp(m * (m / 2 - x))), -12, 14, epsabs=1e-10, points=(0, m / 2, m))[
        0
    ]


def js(m: float) -> float:
    return 0.5 * sum(
        expected(lambda t, share=share: math.log(share(t)), mean, m) + math.log(2)
        for mean, share in ((0.0, lambda t: t / (1 + t)), (m, lambda t: 1 / (1 + t)))
    )


FAR = range(2, 17, 2)
"""Distances 0.5, 1, … 4 among a card's."""


def test_minimax_measures_js() -> None:
    found = theory_card(Minimax()).divergence
    assert found is not None
    assert found.discriminator[0] == pytest.approx(-math.log(4), abs=1e-12)
    for i in FAR:
        m = found.distances[i]
        assert found.discriminator[i] == pytest.approx(2 * js(m) - math.log(4), abs=1e-6)
        assert found.generator[i] == pytest.approx(js(m) - math.log(2), abs=1e-6)  # by symmetry, half of it
        assert found.followed[i] == pytest.approx(2 * js(m), abs=1e-6)


def test_non_saturating_follows_reverse_kl_less_two_js() -> None:
    found = theory_card(NonSaturating()).divergence
    assert found is not None
    for i in FAR:
        m = found.distances[i]
        assert found.followed[i] == pytest.approx(m**2 / 2 - 2 * js(m), abs=1e-6)


@pytest.mark.parametrize(
    ("text", "closed"),
    [
        # generator −g_f against the optimal discriminator of f-GAN's reverse KL: half of Neyman's χ², which explodes
        ("real: exp(-x); fake: x - 1; generator: exp(-x)", lambda m: (math.exp(m**2) - 1) / 2),
        (KL, lambda m: m**2 / 2),
        (HELLINGER, lambda m: 2 - 2 * math.exp(-(m**2) / 8)),
    ],
)
def test_what_is_followed_has_its_closed_form(text: str, closed: Callable[[float], float]) -> None:
    found = card_of(text).divergence
    assert found is not None
    pairs = [(f, m) for f, m in zip(found.followed, found.distances, strict=True) if f is not None]
    assert len(pairs) >= 10
    for followed, m in pairs:
        assert followed == pytest.approx(closed(m), rel=1e-4, abs=1e-9)


def test_hinge_follows_total_variation() -> None:
    found = theory_card(Hinge()).divergence
    assert found is not None
    for i in FAR:
        tv = math.erf(found.distances[i] / (2 * math.sqrt(2)))
        assert found.followed[i] == pytest.approx(2 * tv, abs=1e-6)
        assert found.discriminator[i] == pytest.approx(2 * tv - 2, abs=1e-9)


@pytest.mark.parametrize(
    "loss", [Minimax(), ZeroSumGANetic(), Hinge(), said(HELLINGER), said(KL)], ids=lambda loss: loss.name
)
def test_what_is_followed_is_what_is_measured_where_the_sum_is_zero(loss: GANLoss) -> None:
    # by the envelope theorem; the two come from different integrals
    found = theory_card(loss).divergence
    assert found is not None
    pairs = [
        (f, d - found.discriminator[0])
        for f, d in zip(found.followed, found.discriminator, strict=True)
        if f is not None
    ]  # type: ignore[operator]
    assert len(pairs) >= 12
    for followed, measured in pairs:
        assert followed == pytest.approx(measured, rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("m", [0.5, 2.0, 3.5])
def test_the_force_is_the_gradient_with_the_discriminator_held(m: float) -> None:
    found = theory_card(GANetic()).divergence
    assert found is not None

    def paid(t: float) -> float:
        p = (SCALE * t / (1 + t)) ** (2 / 7)
        return p**3 + math.sqrt(3.985 / p)

    def at(mean: float) -> float:  # the generator moves to mean; the discriminator stays that for distance m
        return expected(paid, mean, m)

    slope = (at(m + 1e-3) - at(m - 1e-3)) / 2e-3
    assert found.force[found.distances.index(m)] == pytest.approx(slope, rel=1e-5)
    assert found.generator[found.distances.index(m)] == pytest.approx(at(m), rel=1e-8)


NAMES: dict[str, tuple[tuple[float, str] | None, tuple[float, str] | None]] = {
    # what the discriminator measures, what the generator follows
    "minimax": ((2, "Jensen"), (2, "Jensen")),
    "non-saturating": ((2, "Jensen"), (1, "KL(p_g ‖ p_data) − 2 JS")),
    "hinge": ((2, "total variation"), (2, "total variation")),
    "least-squares": ((0.125, "Pearson χ²(p_data + p_g ‖ 2 p_g)"), None),
    "ganetic": (None, None),
    HELLINGER: ((1, "squared Hellinger"), (1, "squared Hellinger")),
    KL: ((1, "KL(p_data ‖ p_g)"), (1, "KL(p_data ‖ p_g)")),
    "real: -sigmoid(x); fake: sigmoid(x); generator: -sigmoid(x)": ((1, "total variation"), (1, "total variation")),
    "real: exp(-x); fake: x; generator: -x": ((1, "KL(p_g ‖ p_data)"), (1, "KL(p_g ‖ p_data)")),
}


@pytest.mark.parametrize("text", NAMES)
def test_divergences_are_named(text: str) -> None:
    found = card_of(text).divergence
    assert found is not None
    for name, expected_name in zip((found.discriminator_name, found.followed_name), NAMES[text], strict=True):
        if expected_name is None:
            assert name is None
        else:
            assert name is not None
            assert name.factor == pytest.approx(expected_name[0], rel=1e-6)
            assert name.name.startswith(expected_name[1])


def test_least_squares_of_the_paper_measures_pearson_but_its_generator_follows_no_divergence() -> None:
    found = theory_card(LeastSquares(fake_target=-1, real_target=1, generator_target=0)).divergence
    assert found is not None
    assert found.discriminator_name is not None
    assert found.discriminator_name.factor == pytest.approx(0.5)
    assert found.discriminator_name.name.startswith("Pearson")
    assert not found.prefers_real  # richer places are pulled down to logit 0
    assert not found.followed_minimal


@pytest.mark.parametrize(
    ("text", "minimal"),
    [
        ("ganetic", True),
        ("least-squares", True),
        ("minimax", True),
        ("real: softplus(-x); fake: softplus(x); generator: x", False),
    ],
)
def test_whether_the_data_are_the_minimum(text: str, minimal: bool) -> None:
    found = card_of(text).divergence
    assert found is not None
    assert found.followed_minimal is minimal
    assert found.prefers_real is minimal
    force = np.array(found.force[1:])
    assert ((force > 0) == minimal).all()


# The Dirac-GAN


def jacobian(loss: GANLoss, bias: float, gamma: float) -> np.ndarray:
    """Return that of simultaneous gradient descent on the game itself, by automatic differentiation."""
    ones = torch.ones(BATCH, dtype=torch.float64)

    def discriminator(slope: Tensor, shift: Tensor, place: Tensor) -> Tensor:
        value = loss.discriminator(real_logits=shift * ones, fake_logits=(slope * place + shift) * ones)
        return value + gamma / 2 * slope**2

    def generator(slope: Tensor, shift: Tensor, place: Tensor) -> Tensor:
        return loss.generator(fake_logits=(slope * place + shift) * ones, real_logits=shift * ones)

    def field(slope: Tensor, shift: Tensor, place: Tensor) -> Tensor:
        of_slope, of_shift = torch.func.grad(discriminator, (0, 1))(slope, shift, place)
        return -torch.stack([of_slope, of_shift, torch.func.grad(generator, 2)(slope, shift, place)])

    at = [torch.tensor(value, dtype=torch.float64) for value in (0.0, bias, 0.0)]
    return torch.stack(torch.func.jacrev(field, (0, 1, 2))(*at), dim=1).numpy()


@pytest.mark.parametrize(
    "loss",
    [*(entry.make() for entry in CATALOGUE.values()), Relativistic(), said(BRIER), ZeroSumGANetic()],
    ids=lambda loss: loss.name,
)
def test_eigenvalues_are_those_of_the_game(loss: GANLoss) -> None:
    found = theory_card(loss, batch=BATCH).dirac
    assert found is not None
    if loss.name == "evolved-pairing":  # its generator's term has a kink there
        assert (found.plain, found.r1) == (None, None)
        return
    for gamma, stability in ((0.0, found.plain), (1.0, found.r1)):
        assert stability is not None
        game = np.linalg.eigvals(jacobian(loss, found.bias, gamma))
        ours = [complex(*value) for value in stability.eigenvalues] + [complex(found.bias_eigenvalue or 0.0)]
        assert np.allclose(np.sort_complex(game.round(5)), np.sort_complex(np.round(ours, 5)), atol=1e-4)
    if loss.name in CLASSIC:
        assert found.plain is not None
        assert found.r1 is not None
        assert (found.plain.kind, found.r1.kind) == ("neutral", "stable")


def test_a_kink_at_the_equilibrium_is_no_lack_of_gradient() -> None:
    card = theory_card(CATALOGUE["evolved-pairing"].make())
    term = card.generator  # |d| − d·|d|
    assert term.kink == (pytest.approx(-1, abs=1e-5), pytest.approx(1, abs=1e-5))
    assert (term.equilibrium_slope, term.scale, term.peak) == (
        None,
        pytest.approx(2, rel=1e-5),
        pytest.approx(9, rel=1e-5),
    )
    assert [step.ratio for step in term.steps] == pytest.approx([17, 9, 7, 15], rel=1e-4)
    assert "Between the logits 0 and 0.5 the generator is pushed down again." in card.verdict
    assert "At the equilibrium the generator's term has a kink: its slope is −1 below and 1 above." in card.verdict
    assert not any("no gradient" in sentence or "no force" in sentence for sentence in card.verdict)
    assert [lack.fact for lack in card.undefined] == ["optimum", "divergence", "dirac"]
    smooth = [theory_card(CATALOGUE[name].make()) for name in CLASSIC]
    assert all(part.kink is None for one in smooth for part in (one.real, one.fake, one.generator))


def test_bce_circles_with_the_slope_of_the_paper() -> None:
    found = theory_card(NonSaturating()).dirac
    assert found is not None
    assert found.plain.eigenvalues == ((0.0, pytest.approx(0.5)), (0.0, pytest.approx(-0.5)))  # ±i·f′(0)
    assert found.bias == 0
    assert not found.bias_is_free
    assert found.bias_eigenvalue == pytest.approx(-0.5)


def test_ganetic_is_judged_where_it_is_at_rest() -> None:
    found = theory_card(GANetic()).dirac
    assert found is not None
    p = (SCALE / 2) ** (2 / 7)
    assert found.bias == pytest.approx(logit(p), abs=1e-9)
    assert found.plain.eigenvalues[0] == (0.0, pytest.approx(3 * p**3 * (1 - p)))
    # at logit 0, where a discriminator without a bias has it, the objective still falls: no equilibrium
    x = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    GANetic().discriminator(real_logits=x, fake_logits=x).backward()
    assert x.grad is not None
    assert abs(x.grad.item()) > 0.1


def test_a_generator_that_is_pushed_away_is_unstable() -> None:
    found = theory_card(said("real: softplus(-x); fake: softplus(x); generator: softplus(x)")).dirac
    assert found is not None
    assert (found.plain.kind, found.r1.kind) == ("unstable", "unstable")
    assert found.plain.eigenvalues[0] == (pytest.approx(0.5), 0.0)


def test_a_bias_that_the_loss_does_not_see_is_free() -> None:
    for loss, free in ((Hinge(), True), (Wasserstein(), True), (Relativistic(), True), (LeastSquares(), False)):
        found = theory_card(loss).dirac
        assert found is not None
        assert found.bias_is_free is free
    kink = theory_card(said("real: 2*abs(x - 1); fake: abs(x); generator: -x")).dirac
    assert kink is not None
    assert (kink.bias, kink.bias_eigenvalue, kink.bias_is_free) == (pytest.approx(1), None, False)


# The card as a whole


def card_of(text: str) -> TheoryCard:
    return theory_card(CATALOGUE[text].make() if text in CATALOGUE else said(text))


@pytest.mark.parametrize("loss", [GANeticBatchSum(), Relativistic()], ids=lambda loss: loss.name)
def test_what_is_not_defined_is_said_not_raised(loss: GANLoss) -> None:
    card = theory_card(loss)
    assert (card.optimum, card.divergence) == (None, None)
    assert [lack.fact for lack in card.undefined] == ["optimum", "divergence"]
    assert all(lack.reason for lack in card.undefined)
    assert card.dirac is not None
    assert card.generator.scale is not None
    assert "64 equal logits" in card.view


def test_a_loss_without_equilibrium() -> None:
    card = theory_card(Sliding())
    assert (card.equilibrium, card.dirac, card.real.peak, card.name) == (None, None, None, "Sliding")
    assert [lack.fact for lack in card.undefined] == ["optimum", "divergence", "equilibrium", "dirac"]


@pytest.mark.parametrize("kind", [GANetic, Relativistic])
def test_the_reduction_does_not_matter(kind: type[Any]) -> None:
    assert theory_card(kind(reduction="none")) == theory_card(kind(reduction="sum")) == theory_card(kind())


@pytest.mark.parametrize("name", CATALOGUE)
def test_it_goes_to_json_and_back(name: str) -> None:
    card = card_of(name)
    assert from_json(TheoryCard, to_json(card), where="card") == card
    assert card.name == name
    assert len(card.verdict) >= 3


@pytest.mark.parametrize("name", [name for name, entry in CATALOGUE.items() if entry.expression])
def test_an_expression_has_the_card_of_its_twin(name: str) -> None:
    twin = said(CATALOGUE[name].expression or "")
    twin.logit_range = CATALOGUE[name].make().logit_range  # where optima are looked for
    one, other = card_of(name), theory_card(twin)
    assert one.optimum is not None
    assert other.optimum is not None
    assert one.optimum.attained == other.optimum.attained
    assert one.optimum.probability_high == pytest.approx(other.optimum.probability_high, abs=1e-8)
    assert (one.dirac is None) == (other.dirac is None)
    assert one.verdict == other.verdict


def test_any_tree_has_a_card() -> None:
    random = numpy_generator(0, "theory-test")
    for _ in range(25):
        card = theory_card(compile_loss(Tied(ramped(Grammar(), random))))
        assert from_json(TheoryCard, to_json(card), where="card") == card
        assert len(card.real.values) == len(card.logits)


def test_batch_must_hold_a_logit() -> None:
    with pytest.raises(InputError, match="batch must be at least 1, got 0"):
        theory_card(GANeticBatchSum(), batch=0)


SENTENCES = {
    "sigmoid(logit) = r": {"minimax", "non-saturating"},
    "optimal logit is the share r": {"least-squares"},
    "0.599 at the equilibrium": {"ganetic"},
    "No finite logit is optimal": {"wasserstein"},
    "it is a step": {"hinge"},
    "it saturates": {"minimax"},
    "grows like exp(0.5·|x|)": {"ganetic", "ganetic-batch-sum"},
    "(p = 0.730) the generator is pushed down again; the optimal discriminator never goes there": {"ganetic"},
    "follows KL(p_g ‖ p_data) − 2 JS": {"non-saturating"},
    "Beyond logit −16.1 the code (a clamp or an epsilon) leaves no gradient": {"ganetic"},
    "tune the rate anew": {"ganetic", "ganetic-batch-sum", "least-squares"},
    "It is no sum over single logits": {"ganetic-batch-sum"},
}


def test_verdicts_say_what_the_facts_say() -> None:
    verdicts = {name: " ".join(card_of(name).verdict) for name in CLASSIC}
    for sentence, names in SENTENCES.items():
        assert {name for name, text in verdicts.items() if sentence in text} == names, sentence

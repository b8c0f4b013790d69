"""The f-GAN losses against the definition of a conjugate, and against the divergences that they are named after."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar

from ganetics._check import InputError
from ganetics.losses import FDivergence, Minimax
from ganetics.losses.f_divergences import FORMS
from ganetics.losses.theory import theory_card

F: dict[str, tuple[Callable[[float], float], Callable[[float], float]]] = {
    # f and its derivative, D_f(P ‖ Q) = E_q f(p/q): table 1 of the paper
    "kl": (lambda u: u * np.log(u), lambda u: np.log(u) + 1),
    "reverse-kl": (lambda u: -np.log(u), lambda u: -1 / u),
    "pearson": (lambda u: (u - 1) ** 2, lambda u: 2 * (u - 1)),
    "hellinger": (lambda u: (np.sqrt(u) - 1) ** 2, lambda u: 1 - 1 / np.sqrt(u)),
    "js": (lambda u: u * np.log(u) - (u + 1) * np.log((1 + u) / 2), lambda u: np.log(2 * u / (1 + u))),
}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("x", [-1.9, -0.6, 0.0, 0.8, 2.3])
def test_the_fake_term_is_the_conjugate_at_the_activation(name: str, x: float) -> None:
    f, _ = F[name]
    logit = torch.tensor([x], dtype=torch.float64)
    t = -FDivergence(name).real_term(logit).item()
    best = minimize_scalar(lambda log_u: f(np.exp(log_u)) - np.exp(log_u) * t, bounds=(-12, 12), method="bounded")
    supremum = -best.fun
    assert FDivergence(name).fake_term(logit).item() == pytest.approx(supremum, abs=1e-5)


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("ratio", [0.2, 1.0, 3.0])
def test_the_best_activation_is_the_derivative_at_the_density_ratio(name: str, ratio: float) -> None:
    """T*(x) = f′(p(x)/q(x)), equation 5."""
    loss = FDivergence(name)

    def objective(x: float) -> float:
        logit = torch.tensor([x], dtype=torch.float64)
        return ratio * loss.real_term(logit).item() + loss.fake_term(logit).item()

    best = minimize_scalar(objective, bounds=(-8, 8), method="bounded", options={"xatol": 1e-10}).x
    activation = -loss.real_term(torch.tensor([best], dtype=torch.float64)).item()
    assert activation == pytest.approx(F[name][1](ratio), abs=1e-5)


@pytest.mark.parametrize("name", FORMS)
def test_activations_rise(name: str) -> None:
    x = torch.linspace(-10, 10, 201, dtype=torch.float64)
    assert (FDivergence(name).real_term(x).diff() < 0).all()


NAMED = {
    "kl": (1, "KL(p_data ‖ p_g)"),
    "reverse-kl": (1, "KL(p_g ‖ p_data)"),
    "pearson": (1, "Pearson χ²"),
    "hellinger": (1, "squared Hellinger distance"),
    "js": (2, "Jensen-Shannon divergence"),
}


@pytest.mark.parametrize("name", FORMS)
def test_the_generator_follows_the_divergence_of_its_name(name: str) -> None:
    found = theory_card(FDivergence(name)).divergence
    assert found is not None
    for named in (found.discriminator_name, found.followed_name):
        assert named is not None
        assert named.name.startswith(NAMED[name][1])
        assert named.factor == pytest.approx(NAMED[name][0], rel=1e-9)


def test_js_is_minimax_with_constants() -> None:
    x = torch.linspace(-9, 9, 37, dtype=torch.float64)
    js, minimax = FDivergence("js"), Minimax()
    for mine, theirs in (
        (js.real_term(x), minimax.real_term(x)),
        (js.fake_term(x), minimax.fake_term(x)),
        (-js.generator_term(x), -minimax.generator_term(x)),
    ):
        assert torch.allclose(mine + np.log(2), theirs, rtol=1e-12)


@pytest.mark.parametrize("name", FORMS)
def test_the_other_objective_raises_the_activation(name: str) -> None:
    x = torch.linspace(-3, 3, 7)
    plain, other = FDivergence(name), FDivergence(name, non_saturating=True)
    assert torch.equal(plain.generator_term(x), -plain.fake_term(x))
    assert torch.equal(other.generator_term(x), other.real_term(x))
    assert "non_saturating" in repr(other)


def test_an_unknown_divergence_suggests_the_nearest() -> None:
    with pytest.raises(InputError, match=r"^unknown divergence 'reverse_kl', nearest: reverse-kl"):
        FDivergence("reverse_kl")

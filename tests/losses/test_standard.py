"""The common losses against their closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar

from ganetics.losses import Hinge, LeastSquares, Minimax, NonSaturating, SeparableLoss, Wasserstein

X = np.linspace(-9.0, 9.0, 37)


def log_p(x: np.ndarray) -> np.ndarray:
    return -np.log1p(np.exp(-x))


TERMS = {
    NonSaturating: (-log_p(X), -log_p(-X), -log_p(X)),
    Minimax: (-log_p(X), -log_p(-X), log_p(-X)),
    LeastSquares: ((X - 1) ** 2 / 2, X**2 / 2, (X - 1) ** 2 / 2),
    Hinge: (np.maximum(0, 1 - X), np.maximum(0, 1 + X), -X),
    Wasserstein: (-X, X, -X),
}


@pytest.mark.parametrize("kind", TERMS)
def test_the_terms_have_their_closed_forms(kind: type[SeparableLoss]) -> None:
    x, loss = torch.from_numpy(X), kind()
    for term, expected in zip((loss.real_term, loss.fake_term, loss.generator_term), TERMS[kind], strict=True):
        assert np.allclose(term(x).numpy(), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
@pytest.mark.parametrize(
    ("loss", "optimum"),
    [
        (NonSaturating(), lambda r: math.log(r / (1 - r))),  # D* = r (Goodfellow et al. 2014, proposition 1)
        (Minimax(), lambda r: math.log(r / (1 - r))),
        (LeastSquares(), lambda r: r),  # D* = b r + a (1 − r) (Mao et al. 2017, equation 5)
        (LeastSquares(fake_target=-1, real_target=1), lambda r: r - (1 - r)),
    ],
)
def test_the_optimal_discriminator_has_its_closed_form(loss: SeparableLoss, optimum: object, share: float) -> None:
    def mixture(logit: float) -> float:
        x = torch.tensor([logit], dtype=torch.float64)
        return float(share * loss.real_term(x) + (1 - share) * loss.fake_term(x))

    best = minimize_scalar(mixture, bounds=(-5, 5), method="bounded", options={"xatol": 1e-9}).x
    assert best == pytest.approx(optimum(share), abs=1e-6)  # type: ignore[operator]


def test_the_least_squares_targets_are_settings() -> None:
    x = torch.tensor([0.25])
    loss = LeastSquares(fake_target=-1, real_target=2, generator_target=0)
    assert [term(x).item() for term in (loss.real_term, loss.fake_term, loss.generator_term)] == [
        1.75**2 / 2,
        1.25**2 / 2,
        0.25**2 / 2,
    ]


def test_minimax_saturates_where_non_saturating_does_not() -> None:
    x = torch.tensor([-20.0], requires_grad=True)  # what a discriminator says that is sure of a fake
    slopes = [torch.autograd.grad(loss.generator(fake_logits=x), x)[0].item() for loss in (Minimax(), NonSaturating())]
    assert slopes[0] == pytest.approx(-math.exp(-20), rel=1e-5)
    assert slopes[1] == pytest.approx(-1)


@pytest.mark.parametrize("kind", [NonSaturating, Minimax])
def test_cross_entropy_neither_overflows_nor_vanishes(kind: type[SeparableLoss]) -> None:
    # log(1 + exp(−t)) written out is infinite at −1e4, and log(1 − sigmoid) at 20 in float32
    x = torch.tensor([-1e4, 20.0, 1e4])
    assert kind().real_term(x).tolist() == [1e4, pytest.approx(math.exp(-20), rel=1e-5), 0]
    assert kind().fake_term(x).tolist() == [0, pytest.approx(20.0), 1e4]

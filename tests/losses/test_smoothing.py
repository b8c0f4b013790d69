from __future__ import annotations

import pytest
import torch
from scipy.optimize import minimize_scalar
from torch.nn import functional as F  # noqa: N812

from ganetics._check import InputError
from ganetics.losses import FDivergence, GANetic, Hinge, NonSaturating, RelativisticPairing, smoothed

X = torch.linspace(-6, 6, 25)


@pytest.mark.parametrize(("real", "fake"), [(0.9, 0.0), (0.8, 0.1), (1.0, 0.3)])
def test_of_cross_entropy_it_is_cross_entropy_with_soft_labels(real: float, fake: float) -> None:
    loss = smoothed(NonSaturating(), real=real, fake=fake)
    for term, label in ((loss.real_term, real), (loss.fake_term, fake), (loss.generator_term, 1.0)):
        expected = F.binary_cross_entropy_with_logits(X, torch.full_like(X, label), reduction="none")
        assert torch.allclose(term(X), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("real", "fake"), [(0.9, 0.0), (0.8, 0.1)])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_optimal_discriminator_is_the_sources(real: float, fake: float, share: float) -> None:
    loss = smoothed(NonSaturating(), real=real, fake=fake)

    def mixture(logit: float) -> float:
        x = torch.tensor([logit], dtype=torch.float64)
        return share * loss.real_term(x).item() + (1 - share) * loss.fake_term(x).item()

    best = minimize_scalar(mixture, bounds=(-9, 9), method="bounded", options={"xatol": 1e-10}).x
    p = torch.sigmoid(torch.tensor(best, dtype=torch.float64)).item()
    assert p == pytest.approx(real * share + fake * (1 - share), abs=1e-6)


def test_labels_of_1_and_0_change_nothing() -> None:
    far = torch.tensor([1e4, -1e4])
    loss, plain = smoothed(FDivergence("kl"), real=1, fake=0), FDivergence("kl")
    assert torch.equal(loss.real_term(far), plain.real_term(far))  # its fake term is infinite there
    assert torch.equal(loss.fake_term(-X), plain.fake_term(-X))


def test_it_takes_over_what_the_loss_declares() -> None:
    loss = smoothed(FDivergence("kl", reduction="sum"), real=0.7)
    assert (loss.reduction, loss.logit_range, loss.name) == ("sum", (-1e4, 80.0), "f-kl-smooth")
    assert loss.generator(fake_logits=X) == FDivergence("kl", reduction="sum").generator(fake_logits=X)
    assert repr(loss) == "smoothed(FDivergence('kl', reduction='sum'), real=0.7, fake=0)"
    twice = smoothed(smoothed(GANetic(), real=0.9), real=0.5)
    assert torch.allclose(twice.real_term(X), 0.45 * GANetic().real_term(X) + 0.55 * GANetic().fake_term(X))


@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        (1.1, 0, "real must be at most 1, got 1.1"),
        (0.9, -0.1, "fake must be at least 0, got -0.1"),
        (float("nan"), 0, "real must be finite, got nan"),
        (0.4, 0.4, "fake must be below real, got 0.4 and 0.4"),
    ],
)
def test_labels_out_of_range_are_refused(real: float, fake: float, message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}$"):
        smoothed(Hinge(), real=real, fake=fake)


def test_a_loss_without_terms_is_refused() -> None:
    with pytest.raises(InputError, match=r"^smoothed needs a separable loss, .* got RelativisticPairing"):
        smoothed(RelativisticPairing())  # type: ignore[arg-type]

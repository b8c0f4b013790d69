"""The density ratio that is read from a discriminator."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import optimize

from ganetics.anomaly.density import LOG_ODDS, log_ratio_of
from ganetics.anomaly.fanogan import FAnoGANScorer
from ganetics.catalogue import CATALOGUE
from ganetics.losses import GANetic, LeastSquares, NonSaturating
from ganetics.losses.contract import SeparableLoss
from ganetics.training.batches import scaled

READABLE = [name for name, entry in CATALOGUE.items() if log_ratio_of(entry.make()) is not None]


def test_what_the_optimal_discriminator_does_not_say_is_not_read() -> None:
    assert {"ganetic", "non-saturating", "least-squares", "f-kl", "f-hellinger"} <= set(READABLE)
    assert not {"wasserstein", "hinge", "relativistic-pairing", "ganetic-batch-sum", "ra-hinge"} & set(READABLE)


@pytest.mark.parametrize("name", READABLE)
def test_the_reading_of_the_best_logit_is_the_ratio(name: str) -> None:
    loss = CATALOGUE[name].make()
    reader = log_ratio_of(loss)
    assert isinstance(loss, SeparableLoss)
    assert reader is not None
    for odds in (-2.0, -0.5, 0.0, 0.7, 2.0):
        share = 1 / (1 + math.exp(-odds))

        def cost(logit: float, share: float = share) -> float:
            x = torch.tensor([logit], dtype=torch.float64)
            return float(share * loss.real_term(x) + (1 - share) * loss.fake_term(x))

        start = min(np.linspace(-20, 20, 4001), key=cost)
        best = optimize.minimize_scalar(
            cost, bounds=(start - 0.02, start + 0.02), method="bounded", options={"xatol": 1e-10}
        )
        assert float(reader(torch.tensor([best.x]))[0]) == pytest.approx(odds, abs=5e-3)


def test_published_optima() -> None:
    # the paper's: D*(r) = (√3.985/6 · r)^(2/7); least squares on logits: the share itself; BCE: its logit
    share = torch.tensor([0.1, 0.5, 0.9])
    odds = torch.logit(share).double()
    ganetic = torch.logit((math.sqrt(3.985) / 6 * share) ** (2 / 7))
    for loss, logits in ((GANetic(), ganetic), (LeastSquares(), share), (NonSaturating(), torch.logit(share))):
        reader = log_ratio_of(loss)
        assert reader is not None
        torch.testing.assert_close(reader(logits), odds, atol=5e-3, rtol=0)


def test_what_looks_generated_is_abnormal() -> None:
    class Reader(torch.nn.Module):
        """Says of an image the mean of its pixels."""

        def body(self, x: torch.Tensor) -> torch.Tensor:
            return x.flatten(1)

        def of_features(self, seen: torch.Tensor) -> torch.Tensor:
            return seen.mean(dim=1)

    class Gray(torch.nn.Module):
        def forward(self, code: torch.Tensor) -> torch.Tensor:
            return torch.full((len(code), 3, 8, 8), 0.5)

    scorer = FAnoGANScorer(Gray(), Reader(), torch.nn.Flatten(), kappa=1.0, log_ratio=lambda x: x)  # type: ignore[arg-type]
    images = torch.stack([torch.full((3, 8, 8), value, dtype=torch.uint8) for value in (0, 255)])  # -1 and 1
    found = dict(zip(scorer.components, scorer(images)[:-1], strict=True))
    torch.testing.assert_close(found["logit"], torch.tensor([1.0, -1.0]))
    torch.testing.assert_close(found["ratio"], torch.tensor([1.0, -1.0]))
    torch.testing.assert_close(found["ratio-gap"], torch.tensor([1.5, -0.5]))  # of the reconstruction it says 0.5
    torch.testing.assert_close(found["image"], torch.tensor([2.25, 0.25]))


def test_kappa_weighs_the_residual_of_the_features() -> None:
    class Body(torch.nn.Module):
        def body(self, x: torch.Tensor) -> torch.Tensor:
            return 2 * x.flatten(1)

        def of_features(self, seen: torch.Tensor) -> torch.Tensor:
            return seen.sum(dim=1)

    class Gray(torch.nn.Module):
        def forward(self, code: torch.Tensor) -> torch.Tensor:
            return torch.full((len(code), 3, 8, 8), 0.5)

    scorer = FAnoGANScorer(Gray(), Body(), torch.nn.Flatten(), kappa=3.0, log_ratio=None)  # type: ignore[arg-type]
    images = torch.stack([torch.full((3, 8, 8), value, dtype=torch.uint8) for value in (0, 255)])  # -1 and 1
    residual, image, features, code, *_ = scorer(images)
    torch.testing.assert_close(code, torch.ones(2))  # the code is the image here: -1 or 1 throughout
    torch.testing.assert_close(features, 4 * image)
    torch.testing.assert_close(residual, image + 3.0 * features)
    torch.testing.assert_close(scorer.izi_f(scaled(images)), residual)


def test_readings_rise_and_end_at_the_table() -> None:
    reader = log_ratio_of(GANetic())
    assert reader is not None
    found = reader(torch.linspace(-50, 50, 2001)).numpy()
    assert (np.diff(found) >= 0).all()
    assert (found[0], found[-1]) == pytest.approx((LOG_ODDS[0], LOG_ODDS[-1]))

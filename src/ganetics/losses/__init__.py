"""Losses of GANs under one contract, and penalties apart from them. Needs torch only."""

from ganetics.losses.adapters import PerSample, as_criterion, per_sample
from ganetics.losses.checked import checked
from ganetics.losses.contract import GANLoss, SeparableLoss
from ganetics.losses.f_divergences import FDivergence
from ganetics.losses.ganetic import GANetic, GANeticBatchSum
from ganetics.losses.penalties import clip_weights_, gradient_penalty, r1, r2, spectral_norm_
from ganetics.losses.relativistic import RelativisticAverage, RelativisticPairing
from ganetics.losses.smoothing import smoothed
from ganetics.losses.standard import Hinge, LeastSquares, Minimax, NonSaturating, Wasserstein

__all__ = [
    "FDivergence",
    "GANLoss",
    "GANetic",
    "GANeticBatchSum",
    "Hinge",
    "LeastSquares",
    "Minimax",
    "NonSaturating",
    "PerSample",
    "RelativisticAverage",
    "RelativisticPairing",
    "SeparableLoss",
    "Wasserstein",
    "as_criterion",
    "checked",
    "clip_weights_",
    "gradient_penalty",
    "per_sample",
    "r1",
    "r2",
    "smoothed",
    "spectral_norm_",
]

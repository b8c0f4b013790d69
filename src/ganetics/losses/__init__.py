"""Losses of GANs under one contract, and penalties apart from them. Needs torch only."""

from ganetics.losses.contract import GANLoss, SeparableLoss
from ganetics.losses.ganetic import GANetic, GANeticBatchSum
from ganetics.losses.penalties import clip_weights_, gradient_penalty, r1, r2
from ganetics.losses.standard import Hinge, LeastSquares, Minimax, NonSaturating, Wasserstein

__all__ = [
    "GANLoss",
    "GANetic",
    "GANeticBatchSum",
    "Hinge",
    "LeastSquares",
    "Minimax",
    "NonSaturating",
    "SeparableLoss",
    "Wasserstein",
    "clip_weights_",
    "gradient_penalty",
    "r1",
    "r2",
]

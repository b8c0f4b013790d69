"""Generators and discriminators as plain modules; no training code."""

from ganetics.models.build import BASELINES, Gan, build_gan

__all__ = ["BASELINES", "Gan", "build_gan"]

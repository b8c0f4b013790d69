"""Generators and discriminators as plain modules; no training code."""

from ganetics.models.build import Gan, build_gan

__all__ = ["Gan", "build_gan"]

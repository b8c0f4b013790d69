"""Evolve, prove and use loss functions for generative adversarial networks."""

__version__ = "0.1.0"

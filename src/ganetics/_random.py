"""Named random generators. Nothing in the package draws from a global generator.

A generator is named by the run's seed, a role ("weights", "latent", "mutation" ...) and indices (generation,
candidate ...). Its stream depends on that name alone: not on which worker draws, nor on what was drawn before.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def seed_of(run_seed: int, role: str, *index: int) -> int:
    """Return the 63-bit seed of the generator with this name.

    >>> seed_of(0, "weights") == seed_of(0, "weights")
    True
    >>> seed_of(0, "weights") == seed_of(0, "latent")
    False
    """
    name = "/".join([str(int(run_seed)), role, *(str(int(i)) for i in index)])
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1


def numpy_generator(run_seed: int, role: str, *index: int) -> np.random.Generator:
    """Return the NumPy generator with this name."""
    return np.random.default_rng(seed_of(run_seed, role, *index))


def torch_generator(run_seed: int, role: str, *index: int, device: torch.device | str = "cpu") -> torch.Generator:
    """Return the PyTorch generator with this name on ``device``."""
    import torch  # here, so that records and reports do not pay for it

    return torch.Generator(device).manual_seed(seed_of(run_seed, role, *index))

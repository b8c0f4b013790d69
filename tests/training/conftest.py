"""Tiny runs."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ganetics.records import Recipe


@pytest.fixture
def recipe() -> Recipe:
    return Recipe(
        name="tiny",
        image_size=8,
        channels=1,
        width=4,
        latent_dim=6,
        batch_size=8,
        steps=120,
        learning_rate=1e-3,
        extractor="none",
        eval_samples=50,
    )


@pytest.fixture
def images() -> Tensor:
    return torch.randint(0, 256, (45, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))

"""Small images of textures, normal and abnormal, that detectors learn in seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from ganetics.anomaly.settings import (
    AutoEncoderSettings,
    FAnoGANSettings,
    FeatureGANSettings,
    GANomalySettings,
    NeighboursSettings,
    PadimSettings,
    Settings,
)

SIDE = 16


@pytest.fixture(autouse=True)
def subnormal_numbers() -> Iterator[None]:
    """Take back what a script that ran in this process has set: Hypothesis refuses to draw floats without them."""
    yield
    torch.set_flush_denormal(False)


def textures(count: int, seed: int, *, abnormal: bool = False) -> Tensor:
    """Return smooth blobs ``[count, 3, 16, 16]``; abnormal ones have a fine checkerboard of 6×6 pixels somewhere.

    It leaves the mean of its place as it was: brightness and colour tell nothing.
    """
    random = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 3, 3, generator=random)
    smooth = torch.nn.functional.interpolate(coarse, size=(SIDE, SIDE), mode="bicubic") * 100 + 75
    if abnormal:
        board = (torch.arange(6)[:, None] + torch.arange(6)) % 2 * 2 - 1
        for image in smooth:
            top, left = torch.randint(2, SIDE - 8, (2,), generator=random).tolist()
            image[:, top : top + 6, left : left + 6] += 60 * board
    return smooth.round().clamp(0, 255).to(torch.uint8)


def write_images(folder: Path, names: list[str], *, size: tuple[int, int] = (16, 16), bright: int = 0) -> None:
    """Write noise, up to 150 and so much brighter."""
    random = np.random.default_rng(len(names))
    folder.mkdir(parents=True)
    for name in names:
        pixels = random.integers(0, 150, (*size, 3)) + bright
        Image.fromarray(pixels.astype(np.uint8)).save(folder / name)


TINY: Mapping[str, Settings] = {
    "fanogan": FAnoGANSettings(
        width=4, latent_dim=8, batch_size=16, steps=40, encoder_steps=100, check_every=20, learning_rate=1e-3,
        encoder_rate=3e-3, ema_half_life=100.0,
    ),
    "fanogan-features": FeatureGANSettings(steps=200, encoder_steps=100, check_every=20),
    "fanogan-maps": FeatureGANSettings(
        features="efficientnet-lite0-maps", steps=200, encoder_steps=100, check_every=20
    ),
    "ganomaly": GANomalySettings(
        width=4, latent_dim=8, batch_size=16, steps=150, check_every=25, learning_rate=2e-3, score={"image": 1.0}
    ),
    "autoencoder": AutoEncoderSettings(
        width=4, latent_dim=8, batch_size=16, steps=150, check_every=25, learning_rate=3e-3
    ),
    "padim": PadimSettings(dimensions=20),
    "padim-mean": PadimSettings(dimensions=20, pool="mean"),
    "neighbours": NeighboursSettings(),
    "neighbours-maps": NeighboursSettings(features="efficientnet-lite0-maps"),
    "pixels": NeighboursSettings(features="pixels"),
    "colour": NeighboursSettings(features="colour"),
    "brightness": NeighboursSettings(features="brightness", k=3),
    "contrast": NeighboursSettings(features="contrast"),
}  # fmt: skip
"""What a command calls a detector → settings that are fitted in seconds."""


@pytest.fixture(scope="session")
def tiny() -> Mapping[str, Settings]:
    return TINY


Folder = Callable[..., Path]


@pytest.fixture
def image_folder(tmp_path: Path) -> Folder:
    """Return what writes textures of patients, two images each, to a folder."""

    def write(name: str, patients: range, *, abnormal: bool = False, seed: int = 0) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True, exist_ok=True)
        images = textures(2 * len(patients), seed + 7, abnormal=abnormal)
        for place, image in enumerate(images):
            file = folder / f"p{patients[place // 2]:03d}_{'ab'[place % 2]}.png"
            Image.fromarray(np.ascontiguousarray(image.permute(1, 2, 0).numpy())).save(file)
        return folder

    return write

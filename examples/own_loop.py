"""GANetic in a training loop of your own: any networks, any optimizer; the discriminator gives raw logits.

    python examples/own_loop.py [STEPS]

Trains on scikit-learn's 8x8 digits for a few seconds and prints how the discriminator tells real from generated.
"""

from __future__ import annotations

import sys

import torch
from sklearn.datasets import load_digits
from torch import nn

from ganetics.losses import GANetic


def main(steps: int = 400) -> tuple[float, float]:
    """Train, and return the mean sigmoid of the discriminator's logits for real and for generated images."""
    random = torch.Generator().manual_seed(0)
    images = torch.tensor(load_digits().data, dtype=torch.float32) / 8.0 - 1.0  # [1797, 64] in [-1, 1]
    with torch.random.fork_rng():
        torch.manual_seed(0)  # of the layers' initial weights
        generator = nn.Sequential(nn.Linear(16, 128), nn.ReLU(), nn.Linear(128, 64), nn.Tanh())
        discriminator = nn.Sequential(nn.Linear(64, 128), nn.LeakyReLU(0.2), nn.Linear(128, 1))  # no sigmoid
    g_optimizer = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.999))
    d_optimizer = torch.optim.Adam(discriminator.parameters(), lr=1e-3, betas=(0.5, 0.999))
    loss = GANetic()

    for _ in range(steps):
        real = images[torch.randint(len(images), (64,), generator=random)]
        fake = generator(torch.randn(64, 16, generator=random))

        d_loss = loss.discriminator(real_logits=discriminator(real), fake_logits=discriminator(fake.detach()))
        d_optimizer.zero_grad()
        d_loss.backward()  # type: ignore[no-untyped-call]
        d_optimizer.step()

        g_loss = loss.generator(fake_logits=discriminator(fake))
        g_optimizer.zero_grad()
        g_loss.backward()  # type: ignore[no-untyped-call]
        g_optimizer.step()

    with torch.no_grad():
        fake = generator(torch.randn(len(images), 16, generator=random))
        return discriminator(images).sigmoid().mean().item(), discriminator(fake).sigmoid().mean().item()


if __name__ == "__main__":
    d_real, d_fake = main(int(sys.argv[1]) if len(sys.argv) > 1 else 400)
    print(f"D(real) {d_real:.3f}, D(generated) {d_fake:.3f}; GANetic's equilibrium: 0.599")

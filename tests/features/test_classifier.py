from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from ganetics import data
from ganetics._check import InputError
from ganetics.features.classifier import (
    DOMAINS,
    ClassifierExtractor,
    build_classifier,
    read_weights,
    shipped_weights,
)
from ganetics.features.train_classifier import Schedule, accuracy, train

REQUIRED = 0.97


def measured(dataset: str, data_dir: Path | None) -> tuple[float, int]:
    """Accuracy of the shipped weights on the test split, and the number of its images."""
    network = build_classifier(DOMAINS[dataset])
    network.load_state_dict(read_weights(shipped_weights(dataset), "weights")[0])
    test = data.load(dataset, split="test", data_dir=data_dir)
    assert test.labels is not None
    return accuracy(network.eval(), test.images, test.labels), len(test.images)


def stated(dataset: str) -> tuple[float, int]:
    metadata = read_weights(shipped_weights(dataset), "weights")[1]
    return float(metadata["accuracy"]), int(metadata["count"])


@pytest.mark.parametrize("dataset", DOMAINS)
def test_weights_are_small_and_say_where_they_come_from(dataset: str) -> None:
    assert shipped_weights(dataset).stat().st_size < 500 * 1024
    metadata = read_weights(shipped_weights(dataset), "weights")[1]
    assert metadata["dataset"] == dataset
    assert metadata["command"].startswith(f"python -m ganetics.features.train_classifier {dataset} ")
    assert float(metadata["accuracy"]) >= REQUIRED


def test_digits_accuracy() -> None:
    found, count = measured("digits", None)
    assert found >= REQUIRED
    assert (found, count) == (pytest.approx(stated("digits")[0], abs=0.004), stated("digits")[1])


@pytest.mark.realdata
def test_mnist_accuracy(data_root: Path) -> None:
    found, count = measured("mnist", data_root / "mnist")
    assert found >= REQUIRED
    assert (found, count) == (pytest.approx(stated("mnist")[0], abs=0.0005), stated("mnist")[1])


@pytest.mark.parametrize("shape", [(2, 1, 32, 32), (2, 3, 28, 28), (2, 1, 8, 8)])
def test_other_sizes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"mnist-classifier takes images of shape \[n, 1, 28, 28\], got \[2, "):
        ClassifierExtractor("mnist")(torch.zeros(shape, dtype=torch.uint8))


def test_weights_of_another_data_set_are_refused() -> None:
    with pytest.raises(InputError, match="must be trained on digits, got mnist"):
        ClassifierExtractor("digits", weights=shipped_weights("mnist"))


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(2)}, path, metadata={"dataset": "digits"})
    with pytest.raises(InputError, match="does not hold this network's tensors"):
        ClassifierExtractor("digits", weights=path)


def test_training_is_deterministic_and_learns() -> None:
    digits = data.load("digits", split="train")
    assert digits.labels is not None
    images, labels = digits.images[:320], digits.labels[:320]
    before = torch.random.get_rng_state()
    first, second = (
        train(images, labels, dataset="digits", schedule=Schedule(epochs=15, batch_size=32, shift=0)) for _ in range(2)
    )
    assert torch.equal(torch.random.get_rng_state(), before)
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
    assert accuracy(first, images, labels) > 0.9

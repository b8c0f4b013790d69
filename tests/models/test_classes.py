"""Networks that are told a class, and those that are not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganetics._check import InputError
from ganetics.catalogue import CATALOGUE
from ganetics.models import BASELINES, Gan, build_gan
from ganetics.models.layers import ClassBatchNorm2d, Projection
from ganetics.records import Recipe

FIELDS: dict[str, Any] = {
    "name": "test", "image_size": 32, "channels": 1, "width": 2, "latent_dim": 5, "steps": 1,
    "learning_rate": 1e-3, "extractor": "none",
}  # fmt: skip
MODELS = ("dcgan", "resnet")


def built(model: str, classes: int) -> Gan:
    recipe = Recipe.model_validate({**FIELDS, "model": model, "classes": classes})
    gan = build_gan(recipe, generator=torch.Generator().manual_seed(0))
    gan.discriminator.eval()
    return gan


def inputs() -> tuple[Tensor, Tensor]:
    return torch.randn(3, 5, generator=torch.Generator().manual_seed(1)), torch.tensor([0, 1, 3])


@pytest.mark.parametrize("model", MODELS)
def test_images_and_logits_depend_on_the_class(model: str) -> None:
    gan = built(model, 4)
    z, labels = inputs()
    if model == "resnet":  # all classes begin alike: scale 1, shift 0
        with torch.no_grad():
            for norm in gan.generator.modules():
                if isinstance(norm, ClassBatchNorm2d):
                    norm.shift[2] += 1.0
    gan.generator.eval()
    images = gan.generator(z, labels)
    assert images.shape == (3, 1, 32, 32)
    assert gan.discriminator(images, labels).shape == (3,)
    other = torch.tensor([0, 1, 2])
    assert [not torch.equal(a, b) for a, b in zip(images, gan.generator(z, other), strict=True)] == [False, False, True]
    differs = gan.discriminator(images, labels) != gan.discriminator(images, other)
    assert differs.tolist() == [False, False, True]


@pytest.mark.parametrize("model", MODELS)
def test_without_classes_there_is_no_trace_of_them(model: str) -> None:
    gan = built(model, 0)
    told = built(model, 4)
    z, _ = inputs()
    assert gan.generator(z).shape == (3, 1, 32, 32)
    for net, other in ((gan.generator, told.generator), (gan.discriminator, told.discriminator)):
        assert sum(w.numel() for w in net.parameters()) < sum(w.numel() for w in other.parameters())
    if model == "dcgan":
        assert {key.split(".")[0].isdigit() for key in gan.generator.state_dict()} == {True}
        assert {key.split(".")[0].isdigit() for key in gan.discriminator.state_dict()} == {True}


def test_the_projection_is_that_of_the_paper() -> None:
    generator = torch.Generator().manual_seed(0)
    last = Projection(nn.Linear(6, 1), nn.Linear(6, 3, bias=False))
    features, labels = torch.randn(4, 6, generator=generator), torch.tensor([2, 0, 1, 2])
    assert last.of_class is not None
    embedding = last.of_class.weight  # a row a class
    expected = features @ last.linear.weight[0] + last.linear.bias + (embedding[labels] * features).sum(1)
    assert torch.allclose(last(features, labels), expected, atol=1e-6)


def test_batch_normalisation_of_a_class() -> None:
    norm = ClassBatchNorm2d(2, classes=3)
    with torch.no_grad():
        norm.scale.copy_(torch.tensor([[1.0, 1.0], [2.0, 3.0], [0.0, 0.0]]))
        norm.shift.copy_(torch.tensor([[0.0, 0.0], [0.5, -0.5], [7.0, 8.0]]))
    x = torch.randn(5, 2, 3, 3, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 2, 1, 0])
    plain = nn.BatchNorm2d(2, affine=False)(x)
    expected = plain * norm.scale[labels][..., None, None] + norm.shift[labels][..., None, None]
    assert torch.allclose(norm(x, labels), expected, atol=1e-6)
    with pytest.raises(RuntimeError, match="labels must be given"):
        norm(x)


@pytest.mark.parametrize("model", sorted(set(BASELINES) - set(MODELS)))
def test_the_other_models_have_no_classes(model: str) -> None:
    recipe = Recipe.model_validate({**FIELDS, "model": model, "channels": 3, "classes": 2})
    with pytest.raises(InputError, match=rf"^{model} makes images of no class, got 2 classes; dcgan and resnet do$"):
        build_gan(recipe, generator=torch.Generator())


def test_the_baseline_of_every_model_is_in_the_catalogue() -> None:
    assert (BASELINES["dcgan"], BASELINES["resnet"]) == ("non-saturating", "hinge")
    assert set(BASELINES.values()) <= set(CATALOGUE)
    assert "baseline" not in CATALOGUE  # what the command calls them

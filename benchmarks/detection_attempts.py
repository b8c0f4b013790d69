"""What within the method might do better than f-AnoGAN on pixels? Tried on polyp sequences that are never tested on.

    python benchmarks/detection_attempts.py --data-dir DIR [--seeds 3] [--out results/detection-attempts]

The sequences that ``ganetics detect fit`` fits on and holds out (its split 0) have polyps too, which no test sees. They
are dealt into four folds; of each the AUROC of a score that was learnt from the normal patches of the other three. A
GAN of three-layer networks learns frozen features of EfficientNet-Lite0, each standardised on normals: mean and
deviation over the image of its three maps on the way (352), the deviations alone (176), the last layer (1,280), or the
maps at each of 16×16 places (176), whose scores are averaged over an image; an encoder finds the nearest generated ones
as f-AnoGAN's does. Beside it what needs no GAN. Nothing here is a figure of the test set.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean

import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from ganetics._random import numpy_generator, torch_generator
from ganetics.anomaly.protocol import split_groups
from ganetics.catalogue import loss_named_or_parsed
from ganetics.data import load
from ganetics.execution.process import prepare
from ganetics.features.efficientnet import EfficientNetExtractor
from ganetics.losses import GANLoss, r1
from ganetics.records import write_json

SEQUENCE = r"seq\d+"
FOLDS, NEIGHBOURS, COMPONENTS = 4, 5, 64
LATENT, HIDDEN, BATCH, STEPS, RATE, R1, GENERATED = 64, 256, 64, 1500, 1e-3, 1.0, 2000
CHUNK = 256
SIDE, SHRINKAGE = 16, 0.1
MANY = 10_000
"""Points for which distances to all others are not made."""
LOSSES = ("ganetic", "non-saturating", "least-squares")
Scores = Mapping[str, Tensor]
Attempt = Callable[[Tensor, Tensor], Scores]
"""From the features of normals to learn from, and of images to score: name → score, higher is more abnormal."""


def features(images: Tensor, extractor: EfficientNetExtractor) -> dict[str, Tensor]:
    """Return name → features ``[n, d]``, of places ``[n, places, d]``."""
    means, deviations, places = [], [], []
    for part in torch.split(images, CHUNK):
        maps = extractor.maps(part)
        means.append(torch.cat([one.mean(dim=(2, 3)) for one in maps], dim=1))
        deviations.append(torch.cat([one.std(dim=(2, 3)) for one in maps], dim=1))
        places.append(torch.cat([_at_places(one) for one in maps], dim=1).flatten(2).mT)
    last = torch.from_numpy(extractor(images))
    return {
        "on the way": torch.cat([torch.cat(means), torch.cat(deviations)], dim=1),
        "deviations": torch.cat(deviations),
        "last": last,
        "places": torch.cat(places),
    }


def _at_places(one: Tensor) -> Tensor:
    size = (SIDE, SIDE)
    if one.shape[2] > SIDE:
        return nn.functional.adaptive_avg_pool2d(one, size)
    return nn.functional.interpolate(one, size=size, mode="bilinear", align_corners=False)


def averaged(attempt: Attempt) -> Attempt:
    """Return the attempt on places ``[n, places, d]``, each alone; a score is the mean over an image."""

    def each(fit: Tensor, test: Tensor) -> Scores:
        found = attempt(fit.flatten(0, 1), test.flatten(0, 1))
        return {name: score.reshape(test.shape[:2]).mean(dim=1) for name, score in found.items()}

    return each


def standardised(fit: Tensor, test: Tensor) -> tuple[Tensor, Tensor]:
    """Return both in standard deviations of what is learnt from."""
    mean, deviation = fit.mean(dim=0), fit.std(dim=0) + 1e-6
    return (fit - mean) / deviation, (test - mean) / deviation


def nearest(fit: Tensor, test: Tensor) -> Tensor:
    """Return the mean distance to the nearest ones ``[n]``."""
    return torch.cdist(test, fit).topk(NEIGHBOURS, largest=False).values.mean(dim=1)


def neighbours(fit: Tensor, test: Tensor) -> Scores:
    return {"neighbours": nearest(*standardised(fit, test))}


def unit_neighbours(fit: Tensor, test: Tensor) -> Scores:
    """As the detector ``neighbours`` does."""
    return {"neighbours, unit length": nearest(nn.functional.normalize(fit), nn.functional.normalize(test))}


def principal(fit: Tensor, test: Tensor) -> Scores:
    """Return what the first components leave unexplained."""
    fit, test = standardised(fit, test)
    axes = torch.linalg.svd(fit, full_matrices=False).Vh[:COMPONENTS]
    return {f"residual of {COMPONENTS} components": (test - test @ axes.T @ axes).square().mean(dim=1)}


def gaussian(fit: Tensor, test: Tensor) -> Scores:
    """Return the Mahalanobis distance."""
    fit, test = standardised(fit, test)
    covariance = (1 - SHRINKAGE) * fit.T @ fit / len(fit) + SHRINKAGE * torch.eye(fit.shape[1])
    whiten = torch.linalg.inv(torch.linalg.cholesky(covariance))
    return {"Gaussian": (test @ whiten.T).norm(dim=1)}


def network(inputs: int, outputs: int, generator: torch.Generator) -> nn.Sequential:
    sizes = (inputs, HIDDEN, HIDDEN, outputs)
    layers: list[nn.Module] = []
    for here, there in pairwise(sizes):
        layer = nn.utils.skip_init(nn.Linear, here, there)  # type: ignore[no-untyped-call]
        bound = here**-0.5
        for weight in layer.parameters():
            nn.init.uniform_(weight, -bound, bound, generator=generator)
        layers += [layer, nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers[:-1])


def gan(loss: str, seeds: int) -> Attempt:
    """Return f-AnoGAN on features, its scores summed over training seeds."""

    def attempt(fit: Tensor, test: Tensor) -> Scores:
        fit, test = standardised(fit, test)
        every = [gan_scores(loss_named_or_parsed(loss), fit, test, seed) for seed in range(seeds)]
        return {f"GAN, {loss}: {name}": torch.stack([one[name] for one in every]).sum(dim=0) for name in every[0]}

    return attempt


def gan_scores(loss: GANLoss, fit: Tensor, test: Tensor, seed: int) -> Scores:
    """Train a GAN with R1 and an encoder on features; return the parts of a score."""
    random = torch_generator(seed, "attempt")
    maker, judge = network(LATENT, fit.shape[1], random), network(fit.shape[1], 1, random)
    of_maker, of_judge = (torch.optim.Adam(net.parameters(), RATE, betas=(0.0, 0.99)) for net in (maker, judge))
    for _ in range(STEPS):
        real = fit[torch.randint(len(fit), (BATCH,), generator=random)]
        fake = maker(torch.randn(BATCH, LATENT, generator=random))
        away = loss.discriminator(real_logits=judge(real)[:, 0], fake_logits=judge(fake.detach())[:, 0])
        _step(of_judge, away + R1 * r1(lambda x: judge(x)[:, 0], real=real))
        needed = judge(real)[:, 0] if loss.generator_needs_real else None
        _step(of_maker, loss.generator(fake_logits=judge(fake)[:, 0], real_logits=needed))
    found = _residuals(maker, judge, fit, test, random)
    return found if len(test) > MANY else {**found, **_distances(maker, test, random)}


def _residuals(
    maker: nn.Sequential, judge: nn.Sequential, fit: Tensor, test: Tensor, random: torch.Generator
) -> Scores:
    for weight in (*maker.parameters(), *judge.parameters()):
        weight.requires_grad_(False)
    body, encoder = judge[:-1], network(fit.shape[1], LATENT, random)
    optimizer = torch.optim.Adam(encoder.parameters(), RATE)

    def parts(x: Tensor) -> tuple[Tensor, Tensor]:
        again = maker(encoder(x))
        return (again - x).square().mean(dim=1), (body(again) - body(x)).square().mean(dim=1)

    for _ in range(STEPS):
        _step(optimizer, sum(parts(fit[torch.randint(len(fit), (BATCH,), generator=random)])).mean())  # type: ignore[union-attr]
    with torch.no_grad():
        image, inner = parts(test)
        found = {"residual": image, "residual and discriminator's": image + inner, "logit": -judge(test)[:, 0]}
        return {**found, "code": encoder(test).square().mean(dim=1)}


@torch.no_grad()
def _distances(maker: nn.Sequential, test: Tensor, random: torch.Generator) -> Scores:
    return {"distance to generated": nearest(maker(torch.randn(GENERATED, LATENT, generator=random)), test)}


def _step(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def folds(groups: Sequence[str], labels: Sequence[int]) -> Iterator[tuple[list[int], list[int]]]:
    """Yield the places of normals to learn from and of images to score, fold after fold."""
    normal = [group for group, label in zip(groups, labels, strict=True) if label == 0]
    parts = split_groups(normal)
    free = sorted({*parts.fit, *parts.held_out})
    order = [free[place] for place in numpy_generator(0, "attempts").permutation(len(free))]
    for number in range(FOLDS):
        out = set(order[number::FOLDS])
        kept = set(order) - out
        yield (
            [i for i, group in enumerate(groups) if group in kept and labels[i] == 0],
            [i for i, group in enumerate(groups) if group in out],
        )


def main() -> None:
    """Try them all and write down what each comes to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", required=True, type=Path)
    parser.add_argument("--seeds", type=int, default=3, help="of each GAN, whose scores are summed")
    parser.add_argument("--out", type=Path, default=Path("results/detection-attempts"))
    given = parser.parse_args()
    prepare()
    given.out.mkdir(parents=True, exist_ok=True)
    found = load(str(given.data_dir / "polyp-patches"), split="all", groups=SEQUENCE)
    if found.labels is None or found.classes != ("normal", "polyp"):
        raise SystemExit(f"polyp-patches must hold folders normal and polyp, got {found.classes}")
    labels = found.labels.tolist()
    parts = list(folds(found.groups, labels))
    near: tuple[Attempt, ...] = (unit_neighbours, neighbours)
    learnt: tuple[Attempt, ...] = (principal, gaussian, *(gan(loss, given.seeds) for loss in LOSSES))
    result: dict[str, list[float]] = {}
    for space, values in features(found.images, EfficientNetExtractor()).items():
        for attempt in map(averaged, learnt) if values.ndim == 3 else (*near, *learnt):
            for fit, test in parts:
                for name, score in attempt(values[fit], values[test]).items():
                    area = float(roc_auc_score([labels[i] for i in test], score.numpy()))
                    result.setdefault(f"{space}, {name}", []).append(area)
                    print(space, name, f"{area:.3f}", flush=True)
    ranked = sorted(result, key=lambda name: -fmean(result[name]))
    counts = {"fit": [len(fit) for fit, _ in parts], "scored": [len(test) for _, test in parts]}
    write_json(
        given.out / "summary.json",
        {
            "command": f"python benchmarks/detection_attempts.py --data-dir DIR --seeds {given.seeds}",
            "folds": counts,
            "sequences": len({re.sub(r"\D", "", found.groups[i]) for _, test in parts for i in test}),
            "auroc": [{"attempt": name, "mean": fmean(result[name]), "folds": result[name]} for name in ranked],
        },
    )


if __name__ == "__main__":
    main()

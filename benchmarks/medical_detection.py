"""All detectors on polyps and glaucoma: rates chosen on held-out normals, several seeds, tested once, compared.

    python benchmarks/medical_detection.py {polyp,fundus} --data-dir DIR [--out results/detection] [--workers 2]

1. ``protocol.json`` says what is compared and how the best is named, before anything is fitted; a study that another
   protocol was written for is refused.
2. Rates. Each loss of f-AnoGAN with two penalties (or none), on polyps with the one that was better on fundus, as many
   trials for each, with half the steps and a seed of their own, judged by held-out *normals* alone: by the kernel
   distance of what the generator makes from them (before there is an encoder, so that no discriminator's features have
   a say). GANomaly by the mean residual of their pixels. A rate that is best at an edge is followed.
3. Score. One f-AnoGAN of each loss, all its steps: which sum of parts tells held-out normals best from abnormal images
   that are for choosing; on fundus one for all losses, on polyps each its own, the discriminator's logit among them.
4. Runs. Each GAN at its penalty and rate with five seeds (GANomaly and other sizes: three), and the detectors that need
   none or few. Of each, how well it tells held-out normals from the calibration images, then ``evaluate``, which looks
   at the labelled test images once. Polyps also pixel by pixel, on whole frames.
5. ``chosen.json``: the best loss, GAN and detector on frozen features by the calibration images, as the protocol has
   it, never by the test.
6. Comparisons, paired over the same test images.

Killed and started again it goes on where it was, on another machine from what OUT holds (after kill -9 once its
commands, which go on, have ended). A training that does not stay finite is a result: ``failures.json`` names it, and
its row has a seed less. What is fitted stays in WORK (default: build/detection), which is not published; tables, scores
and pages without pictures of test images go to OUT as each run ends.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean

from commands import Command, call, carry_out
from detection_study import (
    CALIBRATION_PATIENTS,
    DOMAINS,
    DONE,
    FRAME_CROP,
    FRAME_SCALE,
    FRAME_SEEDS,
    STRIDE,
    Run,
    Study,
    failed,
)

from ganetics._random import numpy_generator, torch_generator
from ganetics.anomaly.compare import labels_of, read_run
from ganetics.anomaly.detectors import FAnoGAN, FeatureGAN, GANomaly
from ganetics.anomaly.fit import fitted_detector, prepared_again
from ganetics.execution.process import prepare
from ganetics.features import load_extractor
from ganetics.metrics import kernel_distance
from ganetics.records import write_json
from ganetics.training.sampling import decode, latents

RATE = 2e-4
"""What the factors of learning rates are of."""
RATES = {"fundus": (1.0, 3.0), "polyp": (9.0, 27.0)}
"""Where trials begin: on fundus, which came first, most were best at nine times."""
WIDEN = 3
"""Most further rates of a variant that is best at an edge."""
SAMPLES = 1000
"""Generated images that held-out normals are compared with."""
RATE_SEED = 100
"""Of the trials that choose rates and the score; no other run has it."""
WHOLE, HALF = ("--steps", "2000"), ("--steps", "1000")
"""Of f-AnoGAN's generator, so that no fit takes more than some eight minutes; and where its rate is looked for."""
NO_ENCODER = ("--set", "encoder_steps=1")
"""A rate is judged by what is generated."""
RESIDUALS = ("residual=1", "image=1", "residual=1,code=1", "image=1,code=1")
SCORES = {"fundus": RESIDUALS, "polyp": (*RESIDUALS, "logit=1", "residual=1,logit=1")}
"""Sums of parts that f-AnoGAN's score may be, the original first."""
COPIES = {"polyp": "turned", "fundus": "mirrored"}
"""What all but the trivial detectors learn from as well: a patch has no up and down, an eye has."""


@dataclass(frozen=True)
class Variant:
    """A way to train a GAN."""

    name: str
    options: tuple[str, ...]
    for_rates: tuple[str, ...] = ()
    """Further options where only its rate is looked for."""


@dataclass(frozen=True)
class Gan:
    """A row of the table: of its variants that which held-out normals say is best."""

    variants: tuple[Variant, ...]
    seeds: int
    role: str = ""
    """In the comparisons."""


def fanogan(loss: str, *penalties: str, further: Sequence[str] = ()) -> Variant:
    """Return f-AnoGAN with a loss and penalties."""
    options = penalised("fanogan", loss, *penalties)
    return Variant(named("fanogan", loss, *penalties), (*options, *WHOLE, *further), (*HALF, *NO_ENCODER))


def penalised(detector: str, loss: str, *penalties: str) -> tuple[str, ...]:
    """Return the options of a detector with a loss and penalties, or none."""
    given = [word for penalty in penalties or ("none",) for word in ("--penalty", penalty)]
    return ("--detector", detector, "--loss", loss, *given)


def named(family: str, loss: str, *penalties: str) -> str:
    """Return what runs are called.

    >>> named("fanogan", "hinge", "r1:0.5")
    'fanogan-hinge-r10.5'
    """
    return "-".join((family, loss, *(penalty.replace(":", "") for penalty in penalties)))


def ganomaly(loss: str) -> Variant:
    # a run ends when held-out normals say so, and so does that which judges a rate
    return Variant(f"ganomaly-{loss}", ("--detector", "ganomaly", "--loss", loss))


ON_FUNDUS = (
    Gan((fanogan("wasserstein", "gradient:10"), fanogan("wasserstein", "gradient:1")), 5, "original"),
    Gan((fanogan("non-saturating"), fanogan("non-saturating", "r1:0.05")), 5),
    Gan((fanogan("ganetic"), fanogan("ganetic", "r1:0.05")), 5),
    # "the best of the rest"
    Gan((fanogan("least-squares"), fanogan("evolved-pairing", "r1:0.05", "r2:0.05")), 5),
    Gan((ganomaly("non-saturating"),), 3, "original"),
    Gan((ganomaly("least-squares"),), 3),
    Gan((ganomaly("ganetic"),), 3),
)
CHOSEN_ON_FUNDUS = (
    "fanogan-wasserstein-gradient1",
    "fanogan-non-saturating-r10.05",
    "fanogan-ganetic-r10.05",
    "fanogan-evolved-pairing-r10.05-r20.05",
)
"""By its first rule, before polyps were begun: there each of f-AnoGAN's losses has this way alone, so that they take
half as many trials."""
GANS: Mapping[str, tuple[Gan, ...]] = {
    "fundus": ON_FUNDUS,
    "polyp": tuple(replace(gan, variants=tuple(one for one in gan.variants if one.name in CHOSEN_ON_FUNDUS)
                           or gan.variants) for gan in ON_FUNDUS),
}  # fmt: skip
LARGE = ("--image-size", "128", "--set", "width=8")
"""On fundus one loss at 128 pixels as well, at the rate of 64."""
LARGE_SEEDS = 3
FROZEN = ("neighbours", "neighbours-maps", "padim", "padim-mean")
TRIVIAL = ("pixels", "colour", "brightness", "contrast")
OTHERS = {"autoencoder": 3, **dict.fromkeys((*FROZEN, *TRIVIAL), 1)}
"""Detector → seeds."""
TO_BEAT = (*FROZEN, *TRIVIAL)
RULES = (
    "best loss of f-AnoGAN, and best GAN of all at 64 pixels: the highest mean AUROC, over training seeds, of held-out "
    "normals and the calibration images; never by the test images",
    "best of the frozen features' detectors: in the same way",
    "the original of f-AnoGAN: Wasserstein with a gradient penalty, whose weight is chosen by the first rule",
    "questions: the best loss against f-AnoGAN's original; the best GAN against what is to be beaten; whether the best "
    "GAN's score added to that of the best of the frozen features' detectors is better than the latter alone",
    "mean AUROC over training seeds on the test images; 95 % interval by draws of groups and of seeds; p by "
    "Holm within each table, of all rows but the reference; of ten groups and more, so none on polyps, which have nine",
)
SCORE_RULES = {
    "fundus": "score of f-AnoGAN, one for all losses: of the listed sums that with the highest AUROC of held-out "
    "normals and the calibration images, which are of no group that is tested, mean over one f-AnoGAN of each loss",
    "polyp": "score of f-AnoGAN, of each loss its own: of the listed sums that with the highest AUROC of held-out "
    "normals and the calibration images, which are of no group that is tested, by one f-AnoGAN of that loss",
}
"""On fundus, which was tested first, the density ratio alone told glaucoma better than what had been chosen. It orders
images as the discriminator's logit does, which every loss has: so on polyps all may be scored by that."""
RATE_RULES = {
    "fundus": "penalty and rate of a GAN: the smallest kernel distance to held-out normals (GANomaly: pixel residual "
    "of these, which ends its training, too)",
    "polyp": "penalty: that which this study chose on fundus. Rate of a GAN: the smallest kernel distance to held-out "
    "normals (GANomaly: pixel residual of these; its training ends by the distances that it learns by)",
}
WITHIN = (
    "beside it, which decides nothing: AUROC over pairs of a normal and an abnormal image of one sequence, as seven of "
    "the nine test sequences have polyps and a mean level of a sequence is no finding; and pixels of frames, cut and "
    "enlarged as said"
)
"""On polyps."""
CALIBRATION = f"polyps of six held-out sequences; {CALIBRATION_PATIENTS} patients with glaucoma, set aside"


def told(gans: Sequence[Gan]) -> list[dict[str, object]]:
    """Return GANs as a protocol has them."""
    return [{"variants": [asdict(one) for one in gan.variants], "seeds": gan.seeds} for gan in gans]


def protocol(study: Study) -> dict[str, object]:
    """Return all that is decided before anything is fitted."""
    frames = {"frames": {"crop": FRAME_CROP, "scale": FRAME_SCALE, "stride": STRIDE}} if study.domain.frames else {}
    within = [WITHIN] if study.domain.mixed else []
    return {
        "rules": [RATE_RULES[study.name], SCORE_RULES[study.name], *RULES, *within],
        "gans": told(GANS[study.name]),
        "large": {"loss": "ganetic", "options": LARGE, "seeds": LARGE_SEEDS, "where": "fundus"},
        "rates": [RATE * factor for factor in RATES[study.name]],
        "widen": WIDEN,
        "rate_seed": RATE_SEED,
        "rate_samples": SAMPLES,
        "scores": list(SCORES[study.name]),
        "copies": COPIES[study.name],
        "others": OTHERS,
        "frame_seeds": FRAME_SEEDS,
        **frames,
        "to_beat": list(TO_BEAT),
        "calibration": CALIBRATION,
    }


def declare(study: Study, own: Mapping[str, object], name: str = "protocol") -> None:
    """Write a protocol down, once, beside what is published and beside what is fitted.

    Raises:
        SystemExit: the study was begun by another one.
    """
    own = json.loads(json.dumps(own))
    for file in (study.out / f"{name}.json", study.work / f"{name}.json"):
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            write_json(file, own)
        elif (begun := json.loads(file.read_text())) != own:
            other = next(word for word in {**begun, **own} if begun.get(word) != own.get(word))
            raise SystemExit(f"{file}: the study was begun by another protocol: {other}")


def fitted_as(study: Study) -> tuple[str, ...]:
    """Return what all but the trivial detectors are told."""
    return ("--set", f"copies={COPIES[study.name]}")


def tried(study: Study, variant: Variant, factor: float) -> None:
    """Fit at a rate, and write down what it is judged by; None if a training failed."""
    name = rate_name(variant, factor)
    options = (*variant.options, *fitted_as(study), *variant.for_rates, "--rate", f"{RATE * factor:g}")
    call(study.fit(f"rates/{name}", options, RATE_SEED, *study.steps))
    run = study.work / "rates" / name
    (study.out / "rates").mkdir(parents=True, exist_ok=True)
    value = None if failed(run) else judged(run)
    write_json(study.out / "rates" / f"{name}.json", {"rate": RATE * factor, "judged": value})


def rate_name(variant: Variant, factor: float) -> str:
    return f"{variant.name}-x{factor:.3g}"


def judged(run: Path) -> float:
    """Return what a rate is judged by, smaller is better."""
    config, detector, _ = fitted_detector(run)
    if isinstance(detector, GANomaly):
        return detector.frozen.means["image"]
    held_out = prepared_again(run).part(config.parts.held_out).images
    if isinstance(detector, FeatureGAN):
        made, real = detector.generated[:SAMPLES].numpy(), detector.features(held_out).numpy()
        return float(kernel_distance(real, made, generator=numpy_generator(RATE_SEED, "rates")).mean)
    assert isinstance(detector, FAnoGAN)
    z = latents(SAMPLES, detector.settings.latent_dim, generator=torch_generator(RATE_SEED, "rates"))
    extractor = load_extractor("efficientnet-lite0")
    made, real = extractor(decode(detector.generator, z)), extractor(held_out)
    return float(kernel_distance(real, made, generator=numpy_generator(RATE_SEED, "rates")).mean)


def chosen_rates(study: Study, gans: Sequence[Gan], begin: Sequence[float], workers: int) -> dict[Variant, float]:
    """Fit each variant at each rate; return the best variant of each GAN → its rate, chosen on held-out normals.

    Args:
        study: of the domain.
        gans: whose rates are looked for.
        begin: factors of ``RATE`` that are tried first.
        workers: processes side by side.

    Raises:
        SystemExit: a fit has not ended, or every rate of a GAN fails.
    """
    variants = [variant for gan in gans for variant in gan.variants]
    rates = {variant: list(begin) for variant in variants}
    values: dict[Variant, dict[float, float | None]] = {}
    for _ in range(1 + WIDEN):
        asked = [(variant, factor) for variant in variants for factor in rates[variant]]
        where = {one: study.out / "rates" / f"{rate_name(*one)}.json" for one in asked}
        missing = {rate_name(*one): partial(tried, study, *one) for one in asked if not where[one].exists()}
        carry_out(missing, workers=workers, title="rates")
        for variant in variants:
            values[variant] = {factor: json.loads(where[variant, factor].read_text())["judged"]
                               for factor in rates[variant]}  # fmt: skip
            best, known = best_of(values[variant]), sorted(rates[variant])
            further = known[0] / 3 if best == known[0] else known[-1] * 3 if best == known[-1] else None
            if further is not None:
                rates[variant].append(further)
    found = {}
    for gan in gans:
        ends = {variant: best for variant in gan.variants if (best := best_of(values[variant])) is not None}
        if not ends:
            raise SystemExit(f"{gan.variants[0].name}: its training fails at every rate")
        best_variant = min(ends, key=lambda one: values[one][ends[one]] or 0.0)
        found[best_variant] = RATE * ends[best_variant]
    return found


def best_of(values: Mapping[float, float | None]) -> float | None:
    """Return the factor with the smallest value; None if all failed."""
    ended = {factor: value for factor, value in values.items() if value is not None}
    return min(ended, key=lambda factor: ended[factor]) if ended else None


def scored(study: Study, variant: Variant, rate: float, scores: Sequence[str]) -> None:
    """Fit an f-AnoGAN with all its steps, and write down what each score tells of calibration images."""
    name = f"scores/{variant.name}"
    call(study.fit(name, (*variant.options, *fitted_as(study), "--rate", f"{rate:g}"), RATE_SEED, *study.steps))
    run = study.work / name
    (study.out / "scores").mkdir(parents=True, exist_ok=True)
    found = {} if failed(run) else {score: study.calibrated(run, parts(score))["auroc"] for score in scores}
    write_json(study.out / "scores" / f"{variant.name}.json", found)


def parts(score: str) -> dict[str, float]:
    """Return part → weight.

    >>> parts("residual=1,code=0.5")
    {'residual': 1.0, 'code': 0.5}
    """
    return {name: float(weight) for name, weight in (one.split("=") for one in score.split(","))}


def chosen_scores(
    study: Study, rates: Mapping[Variant, float], scores: Sequence[str], workers: int, *, together: bool
) -> dict[Variant, str]:
    """Return variant → the score that the calibration images say is best, the first where they are level.

    Args:
        study: of the domain.
        rates: variant → learning rate.
        scores: what there is to choose from.
        workers: processes side by side.
        together: whether one is chosen over all of them. What failed has that one, too.

    Raises:
        SystemExit: a fit has not ended, or all trainings failed.
    """
    where = {variant: study.out / "scores" / f"{variant.name}.json" for variant in rates}
    missing = {variant.name: partial(scored, study, variant, rate, scores)
               for variant, rate in rates.items() if not where[variant].exists()}  # fmt: skip
    carry_out(missing, workers=workers, title="scores")
    found: dict[Variant, dict[str, float]] = {
        variant: known for variant, file in where.items() if (known := json.loads(file.read_text()))
    }
    if not found:
        raise SystemExit("scores: every training failed")

    def best(of: Sequence[Variant]) -> str:
        return max(scores, key=lambda score: fmean(found[variant][score] for variant in of))

    return {variant: best(list(found) if together or variant not in found else [variant]) for variant in rates}


def runs(
    study: Study, gans: Sequence[Gan], rates: Mapping[Variant, float], scores: Mapping[Variant, str]
) -> Iterator[Run]:
    """Yield every run, seed after seed; a headline is a GAN at 64 pixels with all its steps."""
    seeds = {variant: gan.seeds for gan in gans for variant in gan.variants}
    for seed in range(max(seeds.values())):
        for variant, rate in rates.items():
            of_score = ("--score", scores[variant]) if variant in scores else ()
            options = (*variant.options, *fitted_as(study), *of_score, "--rate", f"{rate:g}")
            if seed < seeds[variant]:
                label = f"{variant.name}-seed{seed}"
                fit = study.fit(label, options, seed, *study.steps)
                yield Run(label, fit, headline=not study.steps, frames=seed < FRAME_SEEDS)
            if variant.name.startswith("fanogan-ganetic") and not study.domain.mixed and seed < LARGE_SEEDS:
                label = f"{variant.name}-128px-seed{seed}"
                yield Run(label, study.fit(label, (*options, *LARGE), seed, *study.steps))
        for name in (one for one, count in OTHERS.items() if seed < count):
            yield without_gan(study, name, seed)


def without_gan(study: Study, name: str, seed: int, mark: str = "", further: Sequence[str] = ()) -> Run:
    """Return the run of a detector that is no GAN; of other images than the study's with a mark in its label."""
    label, steps = f"{name}{mark}-seed{seed}", study.steps if name == "autoencoder" else ()
    learns_from = () if name in TRIVIAL else fitted_as(study)
    fit = study.fit(label, ("--detector", name, *learns_from, *further), seed, *steps)
    return Run(label, fit, frames=seed < FRAME_SEEDS and not mark)


@dataclass(frozen=True)
class Best:
    """Rows that the calibration sets say are best, of each kind; None where none has ended."""

    loss: str | None
    """Of the family: f-AnoGAN, on pixels or on features."""
    gan: str | None
    frozen: str | None
    calibration: Mapping[str, float]
    """Row → mean AUROC over seeds."""


def named_best(
    study: Study, gans: Sequence[Gan], labels: Sequence[str], family: str = "fanogan", frozen: Sequence[str] = FROZEN
) -> Best:
    """Return what the calibration sets say is best of the GANs and of the detectors on frozen features."""
    variants = [variant.name for gan in gans for variant in gan.variants]
    found: dict[str, list[float]] = defaultdict(list)
    for label in labels:
        if seedless(label) in (*variants, *frozen):
            file = study.out / label / "calibration.json"
            found[seedless(label)].append(json.loads(file.read_text())["auroc"])
    means = {name: fmean(values) for name, values in found.items()}

    def highest(names: Iterable[str]) -> str | None:
        return max(filter(means.__contains__, names), key=lambda name: means[name], default=None)

    losses = [name for name in variants if name.startswith(family)]
    return Best(highest(losses), highest(variants), highest(frozen), means)


def seedless(label: str) -> str:
    return label.rpartition("-seed")[0]


def compared(study: Study, name: str, labels: Sequence[str], reference: str | None, *options: str) -> None:
    """Compare runs with those of the row ``reference``, named as their folders are."""
    folders = [study.out / label for label in labels]
    rows = labels_of([read_run(folder) for folder in folders])
    row = next((row for row, label in zip(rows, labels, strict=True) if seedless(label) == reference), None)
    if row is None:
        raise SystemExit(f"{study.name}: {name} must be compared with {reference}, and no run of it has ended")
    out = study.out / f"compared-{name}"
    (out / "comparison.json").unlink(missing_ok=True)  # of what there is now
    line = ("detect", "compare", *map(str, folders), "--reference", row, "--out", str(out), *options)
    call(Command(line, out / "comparison.json"))


def comparisons(study: Study, gans: Sequence[Gan], ended: Sequence[str]) -> dict[str, Callable[[], object]]:
    """Return what is compared with what."""
    families = {family: [label for label in ended if label.startswith(family) and "128px" not in label]
                for family in ("fanogan", "ganomaly")}  # fmt: skip
    originals = [variant.name for gan in gans if gan.role == "original" for variant in gan.variants]
    best = named_best(study, gans, [label for label in ended if "128px" not in label])
    write_json(study.out / "chosen.json", asdict(best))
    made: dict[str, Callable[[], object]] = {}
    for family, labels in families.items():
        # where every training of it failed there is nothing to compare with: failures.json says it
        if original := next((name for name in map(seedless, labels) if name in originals), None):
            made[family] = partial(compared, study, family, labels, original)
    asked = [label for label in ended if seedless(label) in (best.gan, *TO_BEAT)]
    made["chosen"] = partial(compared, study, "chosen", asked, best.gan)
    asked = [label for label in ended if seedless(label) in (best.gan, best.frozen)]
    made["added"] = partial(compared, study, "added", asked, best.frozen, "--added")
    made["all"] = partial(compared, study, "all", ended, "neighbours", "--ensembles")
    return made


def given_study(about: str | None) -> tuple[Study, int]:
    """Return the study that a command line asks for, and how many workers it has."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("domain", choices=sorted(DOMAINS))
    parser.add_argument("--data-dir", required=True, type=Path)
    parser.add_argument("--out", type=Path, default=Path("results/detection"))
    parser.add_argument("--work", type=Path, default=Path("build/detection"))
    parser.add_argument("--steps", type=int, help="updates of each network: a rehearsal, which tests nothing")
    parser.add_argument("--look", action="store_true", help="a rehearsal tests, too: on images that are made up")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    # a rehearsal lies apart: nothing of it is taken for the real one
    name = given.domain if given.steps is None else f"{given.domain}-{given.steps}-steps"
    steps = () if given.steps is None else ("--steps", str(given.steps))
    out, work = (place.resolve() / name for place in (given.out, given.work))
    out.mkdir(parents=True, exist_ok=True)
    study = Study(given.domain, given.data_dir.resolve(), out, work, steps, looks=given.look or not steps)
    return study, given.workers


def through(study: Study, every: Sequence[Run], workers: int, name: str = "failures") -> list[str]:
    """Carry all runs through that are not; return the labels of those whose training did not fail."""
    missing = {run.label: partial(study.carry_through, run) for run in every
               if not (study.out / run.label / DONE).exists()}  # fmt: skip
    carry_out(missing, workers=workers, title="runs")
    failures = {run.label: json.loads((study.out / run.label / DONE).read_text())["failure"] for run in every}
    write_json(study.out / f"{name}.json", {label: str(one["message"]) for label, one in failures.items() if one})
    return [label for label, one in failures.items() if not one]


def main() -> None:
    """Carry a domain out."""
    study, workers = given_study(__doc__)
    declare(study, protocol(study))
    prepare()
    study.lay_out()
    gans = GANS[study.name]
    rates = chosen_rates(study, gans, RATES[study.name], workers)
    of_fanogan = {variant: rate for variant, rate in rates.items() if variant.name.startswith("fanogan")}
    scores = chosen_scores(study, of_fanogan, SCORES[study.name], workers, together=study.name == "fundus")
    ended = through(study, list(runs(study, gans, rates, scores)), workers)
    if study.looks:
        carry_out(comparisons(study, gans, ended), workers=1, title="comparisons")


if __name__ == "__main__":
    main()

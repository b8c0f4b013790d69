"""Configurations and results: frozen, validated, to JSON and back. Imports no torch.

Every record that is written to disk carries ``schema_version``. A version that this release does not know is
refused, never guessed at.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from ganetics._check import InputError

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
RECORD_EVERY = 50
"""Steps between two lines of a training run's history; part of the result, so not a setting."""


class Record(BaseModel):
    """Base of all records: immutable, unknown fields and numbers that are not finite refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def digest(self) -> str:
        """Return a hash of the content (16 hex digits), the same on every machine."""
        return hashlib.sha256(to_json(self).encode()).hexdigest()[:16]


T = TypeVar("T", bound=Record)


def to_json(value: Record | Any, *, indent: int | None = None) -> str:
    """Return JSON in one stable form: sorted keys, no NaN or infinity.

    Raises:
        ValueError: a number is not finite (``ValueError`` of :func:`json.dumps`).
    """
    plain = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    separators = (",", ":") if indent is None else None
    return json.dumps(plain, sort_keys=True, allow_nan=False, ensure_ascii=False, indent=indent, separators=separators)


def from_json(kind: type[T], text: str, *, where: str) -> T:
    """Read a record of class ``kind`` from JSON.

    Raises:
        InputError: not JSON, or a field is missing, unknown or out of range; names ``where`` and the field.
    """
    with _named(where):
        return kind.model_validate_json(text)


def from_values(kind: type[T], values: Mapping[str, Any], *, where: str) -> T:
    """Make a record of class ``kind`` from plain values or records.

    Raises:
        InputError: a field is missing, unknown or out of range; names ``where`` and the field.
    """
    with _named(where):
        return kind.model_validate(dict(values))


@contextmanager
def _named(where: str) -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        first = error.errors()[0]
        if not first["loc"] and first["type"] == "value_error":  # of fields together
            raise InputError(f"{where}: {first['ctx']['error']}") from None
        field = ".".join(str(part) for part in first["loc"]) or "the file"
        raise InputError(f"{where}: {field}: {first['msg']}, got {str(first['input'])[:80]!r}") from None


def without_defaults(values: dict[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return a dumped record without the fields that are at their default.

    For fields that came later: records from before there were any keep their text and digest.
    """
    return {name: value for name, value in values.items() if name not in defaults or value != defaults[name]}


RECIPE_SINCE = {
    "classes": 0,
    "discriminator_steps": 1,
    "rate_half_life": None,
    "ema_half_life": None,
    "augment": "none",
}
"""Fields of a recipe that came later, and their defaults."""


class Penalty(Record):
    """A regulariser of the discriminator, added to its loss (or a projection after its step)."""

    kind: Literal["r1", "r2", "gradient", "clip"]
    weight: Positive = 1.0
    """Factor of the penalty; for ``clip`` the largest absolute weight."""
    every: Count = 1
    """Lazy regularisation (Karras et al. 2020, arXiv 1912.04958, section 3.1): only in steps 0, k, 2k … of the
    discriminator, with k times the weight; ``clip`` projects in these steps, to the same limit."""

    @model_serializer(mode="wrap")
    def _as_before(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return without_defaults(plain(self), {"every": 1})

    @property
    def text(self) -> str:
        """As a command line says it.

        >>> Penalty(kind="r1", weight=0.5, every=16).text
        'r1:0.5/16'
        """
        weight = repr(self.weight).removesuffix(".0")  # not rounded: a command repeats a run
        return f"{self.kind}:{weight}" + (f"/{self.every}" if self.every > 1 else "")


class Recipe(Record):
    """Everything about a training run but the loss, the data's place and the seed."""

    schema_version: Literal[1] = 1
    name: str
    model: Literal["dcgan", "dcgan-paper", "resnet", "fanogan"] = "dcgan"
    image_size: Annotated[int, Field(ge=8, le=256)]
    """Height and width in pixels."""
    channels: Literal[1, 3]
    classes: Annotated[int, Field(ge=0)] = 0
    """Images are made of a class that is asked for, one of so many; 0: of none."""
    width: Annotated[int, Field(ge=1, le=1024)] = 16
    """The networks' base width: channels of the largest feature maps; they double at each halving of the size."""
    latent_dim: Count = 100
    batch_size: Annotated[int, Field(ge=2)] = 64
    discriminator_batch: Annotated[int, Field(ge=1)] | None = None
    """Real, and as many generated, images in a step of the discriminator; None: ``batch_size``."""
    steps: Count
    """The budget: updates of the generator."""
    discriminator_steps: Count = 1
    """Updates of the discriminator before each of the generator."""
    learning_rate: Positive
    """Of both networks' Adam."""
    rate_half_life: Positive | None = None
    """Steps in which the learning rate halves, whatever the budget; None: it stays."""
    beta1: Annotated[float, Field(ge=0, lt=1)] = 0.5
    beta2: Annotated[float, Field(ge=0, lt=1)] = 0.999
    ema_half_life: Positive | None = None
    """Images in which a weight's share in the generator's moving average halves; None: no average is kept."""
    augment: Literal["none", "diffaugment", "adaptive"] = "none"
    """What happens to real and to generated images before the discriminator sees them."""
    precision: Literal["float32", "bfloat16"] = "float32"
    channels_last: bool = False
    penalties: tuple[Penalty, ...] = ()
    train_size: Count | None = None
    """Use the first so many training images; None: all."""
    extractor: str
    """Name of the feature extractor that scores."""
    eval_samples: Annotated[int, Field(ge=10)] = 5000
    """Generated images for a score, and at most so many real ones."""
    seconds: Positive = 60.0
    """Expected time of one run on one core; the time-out is 20 times this."""

    @model_validator(mode="before")
    @classmethod
    def _from_before(cls, values: Any) -> Any:
        if not isinstance(values, Mapping) or "ema_decay" not in values:
            return values
        if values["ema_decay"] is not None:
            raise ValueError(
                "ema_decay is called ema_half_life now, in images: batch_size · ln(0.5) / ln(decay); got "
                f"{values['ema_decay']}"
            )
        return {name: value for name, value in values.items() if name != "ema_decay"}

    @model_serializer(mode="wrap")
    def _as_before(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # recipes that use nothing new keep the text, so the digest, that they have in published archives
        kept = without_defaults(plain(self), RECIPE_SINCE)
        return kept if "ema_half_life" in kept else {**kept, "ema_decay": None}

    def at_rate(self, factor: float) -> Self:
        """Return the recipe at ``factor`` times its learning rate."""
        return self.model_copy(update={"learning_rate": self.learning_rate * factor})


class DataIdentity(Record):
    """Which images: equal identities mean equal tensors."""

    name: str
    split: str
    sha256: str
    """Of the bytes of the tensor of 8 or 16 bits, its shape, and nothing else."""
    count: int
    channels: int
    height: int
    width: int


class ExtractorIdentity(Record):
    """Which features: figures of different identities are never compared."""

    name: str
    version: str
    weights_sha256: str
    resize: str
    """The filter and size that images are brought to, or "none"."""
    dimension: int


class FailureKind(StrEnum):
    """How a trial can fail. A failed trial is a result, not an exception."""

    DIVERGED = "diverged"
    TIMED_OUT = "timed out"
    OUT_OF_MEMORY = "out of memory"
    CRASHED = "crashed"
    REJECTED = "rejected"
    """By the toy gate of a search: it was not trained."""


class Failure(Record):
    """A named failure."""

    kind: FailureKind
    message: str
    step: int | None = None


class Outcome(Record):
    """What a trial came to: metrics, or a named failure. Free of times and host names."""

    schema_version: Literal[1] = 1
    step: int
    seed: int
    metrics: dict[str, float] | None
    failure: Failure | None = None
    data: str
    """Digest of the training data's and the reference data's identities."""
    extractor: str
    """Digest of the extractor's identity."""
    recipe: str
    """Digest of the recipe, learning rate included."""

    @property
    def log_fid(self) -> float:
        """Natural logarithm of the Fréchet distance; infinite for a failed trial."""
        return math.log(max(self.metrics["fid"], 1e-12)) if self.metrics else math.inf


class Provenance(Record):
    """Where an evolved loss comes from: enough to make it again and to know what it was chosen for."""

    run: str
    """The folder in ``results/`` that ``figures`` are from: of the search, or of a benchmark."""
    command: str
    dataset: str
    seeds: tuple[int, ...]
    """Training seeds of ``figures``."""
    figures: dict[str, float]
    """What was measured, by name, such as the median log Fréchet distance over the seeds at the best rate."""


class EvolvedLoss(Record):
    """A loss that a search of this project found, for the catalogue."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$")]
    title: str
    expression: str
    logit_range: tuple[float, float] = (-30.0, 30.0)
    """Where the expression's value and gradient are finite in float32."""
    provenance: Provenance


class EvolvedLosses(Record):
    """The file of the evolved losses."""

    schema_version: Literal[1] = 1
    losses: tuple[EvolvedLoss, ...]


class Rung(Record):
    """How far a candidate of a search is trained before it is compared with the others."""

    steps: Count
    """Updates of the generator, over all rungs."""
    seeds: Count = 1
    """Training seeds 0, 1 …: the same for all candidates, so that their differences are paired."""
    rates: tuple[Positive, ...] = (1.0,)
    """Factors of the recipe's learning rate; 1 is among them."""
    samples: Annotated[int, Field(ge=10)] | None = None
    """Generated images for a score, which is then the Fréchet distance alone; None: as the recipe says."""

    @property
    def scored(self) -> tuple[int, int | None]:
        """Steps, generated images: figures that differ in them are not compared."""
        return self.steps, self.samples


class SearchConfig(Record):
    """Everything that decides a search's result. Two equal ones give equal archives on equal machines."""

    schema_version: Literal[2] = 2
    dataset: str
    """A named dataset, or the absolute path of a folder of images."""
    data: DataIdentity
    reference: DataIdentity
    extractor: ExtractorIdentity
    skipped: tuple[str, ...] = ()
    """Images of the folder that could not be read: path and reason."""
    groups: str | None = None
    """Of image files: regular expression of the patient, sequence … in their names, kept in one split."""
    accept_audit: bool = False
    """Whether it was to train although the audit of the images found errors; ``audit.json`` says which."""
    recipe: Recipe
    seed: int = 0
    mode: Literal["tied", "separate", "pairs"] = "tied"
    """One L(y, p), three functions of the logit, or two of the difference of a real and a generated logit."""
    trials: Count | None = None
    """Training runs of the search, short ones included; None: until the minutes are over, or nothing gets better."""
    minutes: Positive | None = None
    """Of the search for candidates, over all the times it is gone on with; the last round comes after them."""
    plateau: Count | None = None
    """End after so many trials in which the front did not get better."""
    lag: Count = 8
    """Trial n is decided from the results of trials up to n - lag: as many can run at once."""
    rungs: Annotated[tuple[Rung, ...], Field(min_length=1)]
    promote: Annotated[float, Field(gt=0, lt=1)] = 1 / 4
    """Share of those that finished a rung that goes on to the next."""
    population: Annotated[int, Field(ge=2)] = 30
    """The best so many can have children; as many random losses come first."""
    tournament: Annotated[int, Field(ge=1)] = 4
    crossover: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Share of the children made by crossover; the rest by mutation."""
    immigrants: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Share of candidates that are random, whatever is known."""
    choices: Count = 4
    """Losses drawn for one candidate; the one is trained of which most is expected; 1: the first is."""
    toy_gate: bool = False
    """Random losses train a tiny GAN on a ring of Gaussians first, and what cannot is not trained on images."""
    max_depth: Count = 7
    max_size: Count = 25
    """Nodes of a tree."""
    parsimony: Annotated[float, Field(ge=0)] = 0.002
    """Added to the score (log Fréchet distance) for each node."""
    guesses: tuple[str, ...] = ()
    """Losses that the search begins with: names of the catalogue or expressions."""
    finalists: Annotated[int, Field(ge=0)] = 5
    final_seeds: Annotated[int, Field(ge=1)] = 5
    final_rates: tuple[Positive, ...] = (0.3, 1.0, 3.0)
    """Factors of the recipe's learning rate."""
    rivals: tuple[str, ...] = ("ganetic", "least-squares", "hinge", "non-saturating")
    """Losses of the catalogue trained beside the finalists."""

    @model_serializer(mode="wrap")
    def _as_before(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # searches from before there were these fields keep their digest
        return without_defaults(plain(self), {"groups": None, "accept_audit": False})

    @model_validator(mode="after")
    def _climbs(self) -> Self:
        done: set[tuple[object, ...]] = set()
        for lower, upper in pairwise(self.rungs):
            if upper.steps < lower.steps or upper.seeds < lower.seeds:
                raise ValueError(f"steps and seeds must not fall from rung to rung, got {lower} before {upper}")
        for rung in self.rungs:
            if 1.0 not in rung.rates or len(set(rung.rates)) < len(rung.rates):
                raise ValueError(f"each rung's rates must contain 1, and none twice, got {rung}")
            runs = {(rung.scored, rate, seed) for rate in rung.rates for seed in range(rung.seeds)}
            if runs <= done:
                raise ValueError(f"each rung must have runs that none before it has, got {rung}")
            done |= runs
        if self.rungs[-1].steps != self.recipe.steps:
            raise ValueError(f"the last rung must have the recipe's {self.recipe.steps} steps, got {self.rungs[-1]}")
        return self


class Contender(Record):
    """A loss of a benchmark, with the penalties that belong to it."""

    label: Annotated[str, Field(min_length=1)]
    """What it is called in tables; no two of a benchmark share it."""
    loss: Annotated[str, Field(min_length=1)]
    """Name in the catalogue, or the text of an expression."""
    penalties: tuple[Penalty, ...] = ()
    """Added to the recipe's."""


class BenchConfig(Record):
    """Everything that decides a benchmark's result. Two equal ones give equal archives on equal machines."""

    schema_version: Literal[1] = 1
    dataset: str
    """A named dataset, or the name of a folder of images; ``data`` says which images, wherever they lie."""
    groups: str | None = None
    """Of a folder: regular expression of the patient, sequence … in file names, kept in one split."""
    accept_audit: bool = False
    """Whether it was to train although the audit of the images found errors; ``audit.json`` says which."""
    data: DataIdentity
    reference: DataIdentity
    """The validation images: learning rates are chosen on them."""
    test: DataIdentity | None = None
    """The images that figures are reported on, if ``split`` is "test"."""
    extractor: ExtractorIdentity
    skipped: tuple[str, ...] = ()
    """Images of the folder that could not be read: path and reason."""
    recipe: Recipe
    contenders: Annotated[tuple[Contender, ...], Field(min_length=1)]
    baseline: str
    """Label of the contender that the others are compared with."""
    rates: Annotated[tuple[Positive, ...], Field(min_length=1)] = (0.3, 1.0, 3.0)
    """Factors of the recipe's learning rate that every contender is tuned over, rising."""
    widen: Annotated[int, Field(ge=0)] = 2
    """Most further rates of a contender that is best at an edge of those it was tuned over."""
    tuning_seeds: Annotated[int, Field(ge=0)] = 3
    """Training seeds on which rates are chosen; none of them is used for anything else."""
    common_seeds: Annotated[int, Field(ge=0)] = 5
    """Fresh seeds of all contenders at the recipe's own rate."""
    final_seeds: Count = 10
    """Fresh seeds of each contender at its own best rate."""
    batch_sizes: tuple[Annotated[int, Field(ge=2)], ...] = ()
    """Each contender is trained at these too, at its own best rate."""
    batch_seeds: Count = 3
    score_at: tuple[Count, ...] = ()
    """Steps, rising, at which the Fréchet distance is measured before the last."""
    split: Literal["validation", "test"] = "validation"
    """What all but the tuning runs are scored on."""
    seed: int = 0
    """Training seeds are made from it; another one makes others."""
    protocol: str | None = None
    """Digest of the protocol that it began under; None: it is exploratory."""
    command: str = ""
    """What makes this benchmark again."""

    @model_serializer(mode="wrap")
    def _as_before(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # benchmarks from before there was this field keep their text
        return without_defaults(plain(self), {"accept_audit": False})

    @model_validator(mode="after")
    def _fits(self) -> Self:
        labels = [contender.label for contender in self.contenders]
        for name, values in (("labels", labels), ("rates", self.rates), ("batch_sizes", self.batch_sizes)):
            if len(set(values)) < len(values):
                raise ValueError(f"{name} must differ, got {', '.join(map(str, values))}")
        if self.baseline not in labels:
            raise ValueError(f"baseline must be one of {', '.join(labels)}, got {self.baseline}")
        if list(self.rates) != sorted(self.rates):
            raise ValueError(f"rates must rise, got {self.rates}")
        if [*self.score_at, self.recipe.steps] != sorted({*self.score_at, self.recipe.steps}):
            raise ValueError(f"score_at must rise, below the recipe's {self.recipe.steps} steps, got {self.score_at}")
        if (self.split == "test") != (self.test is not None):
            raise ValueError(f"test images must be given with split 'test' and with no other, got {self.split!r}")
        if self.tuning_seeds == 0 and (len(self.rates) > 1 or self.widen):
            raise ValueError("without tuning_seeds there must be one rate and widen 0, as nothing can be chosen")
        return self


class Protocol(Record):
    """What a confirmatory benchmark has bound itself to before its first run."""

    schema_version: Literal[1] = 1
    dataset: str
    groups: str | None
    data: DataIdentity
    reference: DataIdentity
    test: DataIdentity | None
    extractor: ExtractorIdentity
    recipe: Recipe
    contenders: tuple[Contender, ...]
    baseline: str
    rates: tuple[float, ...]
    rates_rule: str
    """How each contender's rate is chosen."""
    batch_sizes: tuple[int, ...]
    score_at: tuple[int, ...]
    seeds: dict[str, tuple[int, ...]]
    """Phase → training seeds."""
    splits: dict[str, str]
    """Phase → what its runs are scored on."""
    collapse: str
    """When a run counts as collapsed."""
    analysis: str
    """Tests, their correction, intervals."""
    runs: int
    """Without further rates."""
    most_runs: int
    """With as many further rates as there can be."""
    hours: float
    """Expected of one worker for ``most_runs``."""


def read_text(path: Path, what: str) -> str:
    """Read a UTF-8 file.

    Raises:
        InputError: it is missing, unreadable or not UTF-8; names ``what`` and the path.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{what}: no file at {path}") from None
    except UnicodeDecodeError:
        raise InputError(f"{what}: {path} must be text (UTF-8), it holds other bytes") from None
    except OSError as error:
        raise InputError(f"{what}: cannot read {path}: {error}") from None

"""Configurations and results: frozen, validated, to JSON and back. Imports no torch.

Every configuration and result that a run goes on from carries ``schema_version``. A version that this release does
not know is refused, never guessed at.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
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
from ganetics._files import write_atomically

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
RECORD_EVERY = 50
"""Steps between two lines of a training run's history; part of the result, so not a setting."""
SMALLEST = 1e-12
"""What a distance of zero counts as, where its logarithm is taken."""


def log_distance(value: float) -> float:
    """Return the natural logarithm of a Fréchet distance, which may be zero."""
    return math.log(max(value, SMALLEST))


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


OF_THE_MACHINE = frozenset({FailureKind.TIMED_OUT, FailureKind.OUT_OF_MEMORY, FailureKind.CRASHED})
"""Failures that are, or may be, those of the machine and not of the loss: a run with one is outside of the promise that
the same configuration gives the same archive."""


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

    @model_validator(mode="after")
    def _ended_one_way(self) -> Self:
        if (self.metrics is None) == (self.failure is None):
            raise ValueError(
                f"an outcome has metrics or a failure, got {'neither' if self.failure is None else 'both'}"
            )
        return self

    @property
    def log_fid(self) -> float:
        """Natural logarithm of the Fréchet distance; infinite for a failed trial."""
        return log_distance(self.metrics["fid"]) if self.metrics else math.inf


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


def read_record(kind: type[T], path: Path, what: str | None = None) -> T:
    """Read a record of class ``kind`` from a file of JSON.

    Raises:
        InputError: no such file, or it holds something else; names ``what``, by default the file's name, and the path.
    """
    return from_json(kind, read_text(path, what or path.stem), where=str(path))


def read_record_if_there(kind: type[T], path: Path) -> T | None:
    """Read a record as :func:`read_record` does; None where there is no such file.

    Raises:
        InputError: the file holds something else; names it.
    """
    return read_record(kind, path) if path.exists() else None


def write_json(path: Path, value: Record | Any, *, indent: int | None = 1) -> None:
    """Write JSON in the stable form of :func:`to_json`, whole or not at all.

    Raises:
        OSError: the disk is full or the folder not writable; names the file.
    """
    write_atomically(path, (to_json(value, indent=indent) + "\n").encode())


def optional_object(path: Path) -> dict[str, Any]:
    """Return a JSON object from a file that need not be there."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: must be JSON: {error}") from None
    if not isinstance(found, dict):
        raise InputError(f"{path}: must be a JSON object, got {type(found).__name__}")
    return found

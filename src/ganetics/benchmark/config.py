"""What decides a benchmark's result, and what a confirmatory one binds itself to. Imports no torch."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from ganetics.records import Count, DataIdentity, ExtractorIdentity, Penalty, Positive, Recipe, Record, without_defaults


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
    """Of a folder: what finds the patient, sequence … of a file, kept in one split."""
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
    final_seeds: Annotated[int, Field(ge=0)] = 10
    """Fresh seeds of each contender at its own best rate; 0: rates are chosen, and nothing is compared."""
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
        if self.batch_sizes and self.final_seeds == 0:
            raise ValueError("batch_sizes need final_seeds, which they are held beside, got 0")
        if self.tuning_seeds == self.final_seeds == 0:
            raise ValueError(
                "tuning_seeds or final_seeds must be above 0: no rate would be chosen and none reported on"
            )
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

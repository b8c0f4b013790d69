"""What decides a search's result. Imports no torch."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from ganetics.records import Count, DataIdentity, ExtractorIdentity, Positive, Recipe, Record, without_defaults


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
    max_depth: Annotated[int, Field(ge=2)] = 7
    max_size: Annotated[int, Field(ge=2)] = 25
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

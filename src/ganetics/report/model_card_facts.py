"""What a model card says, in words: model, data, audit, training and limits."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import PurePath
from typing import TYPE_CHECKING

from ganetics.records import Penalty
from ganetics.report.charts import number
from ganetics.report.markdown import code
from ganetics.report.words import counted

if TYPE_CHECKING:  # it comes with PyTorch
    from ganetics.generation.card import CardFacts

Rows = list[tuple[str, str]]
NAMED = 20
"""Classes up to which a card names them: so many more might be people."""
PUBLIC = ("digits", "mnist", "cifar10")
PHOTOGRAPHS = ("efficientnet-lite0", "inception")
"""Extractors that have learnt from photographs of everyday things."""


def model_rows(facts: CardFacts) -> Rows:
    """Return what the network is, and where its weights come from."""
    config, recipe, result = facts.config, facts.config.recipe, facts.result
    colour = "gray" if recipe.channels == 1 else "RGB"
    given = f"{recipe.latent_dim} normal random numbers" + (" and a class" if recipe.classes else "")
    average = recipe.ema_half_life is not None
    weights = "moving average over training" if average else "as trained"
    if result is None:
        weights += "; training has not ended"
    elif result.outcome.failure is not None:
        weights += "; training failed, " + (
            "and no state was kept" if facts.step is None else f"so these are of step {facts.step:,}"
        )
    else:
        weights += f", after {counted(facts.step or result.outcome.step, 'step')}"
        if result.stopped is not None:
            weights += f", the best of the evaluations up to step {result.stopped:,}"
    size = f"{recipe.image_size}×{recipe.image_size} pixels, {colour}"
    rows = [
        ("What it is", f"the generator of a GAN ({recipe.model}, base width {recipe.width}): {given} in, {size}, out"),
        ("Weights", weights),
    ]
    if config.classes:
        few = len(config.classes) <= NAMED
        rows.append(("Classes", ", ".join(config.classes) if few else f"{len(config.classes)}, not named here"))
    return rows


def data_rows(facts: CardFacts) -> Rows:
    """Return which images it was trained on, how they were split, and under which licence."""
    data, audit, result = facts.config.data, facts.audit, facts.result
    trained = min(facts.config.recipe.train_size or data.count, data.count)
    rows = [
        (
            "Images",
            f"{data.name}; trained on {trained:,} of {data.width}×{data.height} pixels, {_colours(data.channels)}",
        ),
        ("Known by", f"SHA-256 of the training images' pixels {data.sha256}"),
        ("Split by", split_by(facts)),
    ]
    if facts.config.groups is not None:
        rows.append(("A group is what this finds in a name", code(facts.config.groups)))
    if result is not None:
        rows.append(("Held out", f"figures are made with {result.n_real:,} validation images that it has not seen"))
    if audit is not None:
        sizes = ", ".join(f"{size} ({count:,})" for size, count in audit.sizes.items())
        depths = ", ".join(f"{depth} ({count:,})" for depth, count in audit.depths.items())
        rows.append(("Groups (patients, sequences …)", audit.groups_told))
        rows.append(("Before they were cut and resized", f"{sizes}; {depths}"))
    if facts.config.skipped:
        rows.append(("Left out", f"{counted(len(facts.config.skipped), 'image')} that could not be read"))
    return [*rows, ("Licence", "not stated" if facts.about is None else facts.about.licence)]


def split_by(facts: CardFacts) -> str:
    """Return what decided which images train and which are held out."""
    config, audit = facts.config, facts.audit
    if config.groups is not None:
        return "group, found in each file's name, path or header: all images of a group are on one side"
    if audit is not None and audit.groups is not None:
        return "group, as the list of images says: all images of a group are on one side"
    if config.dataset in PUBLIC:
        return "image, always the same"
    if PurePath(config.dataset).suffix.lower() in (".csv", ".npz") or ":" in config.dataset:
        return "the list itself where it names a split, else by image; groups were not given"
    return "image: groups were not given, so images of one patient may be on both sides"


def audit_text(facts: CardFacts) -> str:
    """Return what the audit came to."""
    audit = facts.audit
    if audit is None:
        public = facts.config.dataset in PUBLIC
        return (
            "None: a public data set, which is always the same." if public else "None: the run was begun without one."
        )
    if not audit.errors and not audit.warnings:
        return f"{audit.images:,} images were looked at; no errors, no warnings."
    errors, warnings = counted(len(audit.errors), "error"), counted(len(audit.warnings), "warning")
    text = f"{audit.images:,} images were looked at: {errors}, {warnings}."
    if audit.errors and facts.config.accept_audit:
        text += " The errors were known and training went on all the same (--accept-audit)."
    return text


def training_rows(facts: CardFacts) -> Rows:
    """Return recipe, loss, rate, seed and the work done."""
    config, recipe, loss = facts.config, facts.config.recipe, facts.loss
    half = "" if recipe.rate_half_life is None else f", halved every {number(recipe.rate_half_life)} steps"
    rows: Rows = [
        ("Recipe", f"{recipe.name}: batches of {recipe.batch_size}, {recipe.precision}, augmentation {recipe.augment}"),
        ("Loss", loss.title + (f" ({loss.reference})" if loss.reference else "")),
        (
            "Its formula",
            "none over single logits: it depends on the batch" if loss.formula is None else code(loss.formula),
        ),
    ]
    rows += [("Of its theory card", sentence) for sentence in loss.theory]
    rows.append(("The whole card", code(shlex.join(["ganetics", "loss", "card", config.loss]))))
    if recipe.penalties:
        rows.append(("Penalties", "; ".join(map(_penalty, recipe.penalties))))
    rate = f"{recipe.learning_rate:g} of both networks' Adam, betas {recipe.beta1:g} and {recipe.beta2:g}{half}"
    return [*rows, ("Rate", rate), ("Seed", str(config.seed)), ("Work", work(facts))]


def work(facts: CardFacts) -> str:
    """Return what was done, in steps and images: the same on every machine."""
    recipe, result = facts.config.recipe, facts.result
    if result is None:
        return f"up to {counted(recipe.steps, 'step')}; not ended"
    steps = result.outcome.step if result.stopped is None else result.stopped
    seen = steps * recipe.discriminator_steps * (recipe.discriminator_batch or recipe.batch_size)
    trained = min(recipe.train_size or facts.config.data.count, facts.config.data.count)
    each = f"each {number(seen / trained)} times on average"
    return f"{counted(steps, 'step')} of the generator; {seen:,} images shown, {each}"


def limits(facts: CardFacts) -> list[str]:
    """Return what the card's reader must not overlook: each rule says something or nothing."""
    rules = (_ended, _data_limits, _figure_limits, _copies)
    return [sentence for rule in rules for sentence in rule(facts)]


def _ended(facts: CardFacts) -> Iterator[str]:
    if facts.result is None:
        yield "Training has not ended: this card is of a run on its way."
    elif facts.result.outcome.failure is not None:
        yield "Training ended in a failure: what it generates is not to be used."


def _data_limits(facts: CardFacts) -> Iterator[str]:
    count, audit = facts.config.data.count, facts.audit
    seen = counted(min(facts.config.recipe.train_size or count, count), "image")
    yield f"It has seen {seen}; what these do not show, it cannot show, and what is rare there it may leave out."
    if facts.config.groups is None and facts.config.dataset not in PUBLIC and (audit is None or audit.groups is None):
        yield "Groups were not given: if several images are of one patient, the figures are too good."
    if audit is not None and audit.errors:
        yield f"The audit found {counted(len(audit.errors), 'error')}: until these are mended its figures mean little."


def _figure_limits(facts: CardFacts) -> Iterator[str]:
    result = facts.result
    if result is None or result.outcome.metrics is None:
        return
    yield "One run of one seed: other seeds give other images and other figures."
    yield "FID is biased upwards at few images: compare it at the same n, extractor and resize alone."
    if result.stopped is not None:
        yield "The state was chosen on the validation images: figures made with them are somewhat too good."
    if result.extractor.name in PHOTOGRAPHS:
        yield (
            "The features are those of a network that learnt from photographs: they may miss what a physician looks at."
        )


def _copies(facts: CardFacts) -> Iterator[str]:
    if all(one.copy_rate is None for one in facts.evaluations):
        yield "Nobody has looked yet whether it copies training images."


def _colours(channels: int) -> str:
    return "gray" if channels == 1 else "RGB"


def _penalty(penalty: Penalty) -> str:
    """Say a penalty in words.

    >>> _penalty(Penalty(kind="r1", weight=0.5, every=16))
    'r1, weight 0.5, every 16 steps'
    """
    return f"{penalty.kind}, weight {penalty.weight:g}" + (
        f", every {penalty.every} steps" if penalty.every > 1 else ""
    )

"""Names and expressions: what a loss may be called, and what an unknown one is told."""

from __future__ import annotations

import json
import re
from dataclasses import astuple
from inspect import isabstract
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ganetics._check import InputError
from ganetics.catalogue import CATALOGUE, evolved, expression_of, loss_named_or_parsed, paired_expression_of
from ganetics.expressions.compile import CompiledLoss, compile_loss
from ganetics.expressions.numeric import term_gradients
from ganetics.expressions.text import parse, to_text
from ganetics.expressions.tree import Expression
from ganetics.losses import GANLoss
from ganetics.losses.checked import Checked

LOGITS = torch.linspace(-8, 8, 33)


def test_every_loss_of_the_package_is_in_the_catalogue() -> None:
    def kinds(kind: type) -> set[type]:
        return {kind}.union(*map(kinds, kind.__subclasses__()))

    ours = {kind for kind in kinds(GANLoss) if kind.__module__.startswith("ganetics.losses.")}
    wrappers = {Checked}  # the same loss, looked at
    evolved_ones = {CompiledLoss}  # an expression each
    assert {type(entry.make()) for entry in CATALOGUE.values()} - evolved_ones == {
        kind for kind in ours - wrappers if not isabstract(kind)
    }
    assert all(name == entry.name == entry.make().name for name, entry in CATALOGUE.items())
    assert all(entry.title and entry.reference for entry in CATALOGUE.values())


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_name_gives_its_loss_and_its_expression(name: str) -> None:
    loss = loss_named_or_parsed(name)
    assert type(loss) is type(CATALOGUE[name].make())
    assert loss.reduction == "mean"
    expression = expression_of(name)
    assert (expression is not None) == loss.separable
    if expression is not None:
        assert expression == parse(CATALOGUE[name].expression or "")
        twin = compile_loss(expression)
        for side in (loss, twin):
            assert side.generator(fake_logits=LOGITS).isfinite()
        torch.testing.assert_close(twin.generator(fake_logits=LOGITS), loss.generator(fake_logits=LOGITS))
        both = {"real_logits": LOGITS, "fake_logits": LOGITS.flip(0) * 0.5}
        torch.testing.assert_close(twin.discriminator(**both), loss.discriminator(**both))


@pytest.mark.parametrize("kind", ["relativistic-pairing", "relativistic-average"])
def test_a_relativistic_loss_is_made_of_any_separable_one(kind: str) -> None:
    text = f"{kind}(real: relu(1 - x); fake: relu(1 + x); generator: -x)"
    both = {"real_logits": LOGITS, "fake_logits": LOGITS.flip(0) * 0.5}
    one, other = loss_named_or_parsed(text), loss_named_or_parsed(f" {kind} ( hinge ) ")
    assert torch.equal(one.discriminator(**both), other.discriminator(**both))
    assert torch.equal(one.generator(**both), other.generator(**both))
    assert one.generator_needs_real
    assert expression_of(text) is None
    named = loss_named_or_parsed("relativistic-pairing(non-saturating)")
    assert torch.equal(named.generator(**both), loss_named_or_parsed("relativistic-pairing").generator(**both))
    assert loss_named_or_parsed(named.name).name == named.name


@pytest.mark.parametrize("call", [loss_named_or_parsed, expression_of, paired_expression_of])
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("relativistic-pairing(ganetic-batch-sum)", "must hold a separable loss, got 'ganetic-batch-sum'"),
        ("relativistic-average(relativistic-average)", "must hold a separable loss, got 'relativistic-average'"),
        ("relativistic-pairing(relativistic-average(hinge))", "separable loss, got 'relativistic-average(hinge)'"),
        ("relativistic-pairing(" * 1500 + "hinge" + ")" * 1500, "must hold a separable loss, got 'relativistic-"),
        ("relativistic-pairing(hinges)", "unknown loss 'hinges', nearest"),
        ("relativistic-average(hinges)", "unknown loss 'hinges', nearest"),
        ("relativistic-pairing()", "unknown loss '', known: "),
        ("relativistic-pairing(hinge", "expression \"relativistic-pairing(hinge\": '(' was never closed"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_what_no_relativistic_loss_can_be_made_of_is_told(call: Any, text: str, told: str) -> None:
    with pytest.raises(InputError, match=re.escape(told)):
        call(text)


def test_a_relativistic_loss_has_a_name_of_its_own() -> None:
    for text in ("relativistic-average(least-squares)", "relativistic-average(p**2)", "relativistic-pairing(p**2)"):
        assert loss_named_or_parsed(text).name == text
    both = {"real_logits": LOGITS, "fake_logits": LOGITS.flip(0) * 0.5}
    one, other = loss_named_or_parsed("relativistic-average(least-squares)"), loss_named_or_parsed("ra-least-squares")
    assert not torch.equal(one.discriminator(**both), other.discriminator(**both))


@pytest.mark.parametrize("text", ["p**3 + sqrt(3.985*y/p)", "y - p", "real: -x; fake: x; generator: -x", "p", "-p*y"])
def test_an_expression_gives_a_loss_of_its_own(text: str) -> None:
    loss = loss_named_or_parsed(text)
    assert isinstance(loss, CompiledLoss)
    assert loss.expression == expression_of(text) == parse(text)
    assert loss.name == to_text(parse(text))


@pytest.mark.parametrize("read", [loss_named_or_parsed, expression_of])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hinges", "unknown loss 'hinges', nearest: hinge"),
        ("least-square", "unknown loss 'least-square', nearest: least-squares"),
        ("non saturating", "unknown loss 'non saturating', nearest: non-saturating"),
        ("GANetic", "unknown loss 'GANetic', nearest: ganetic"),
        ("ganetic-batch", "unknown loss 'ganetic-batch', nearest: ganetic-batch-sum, ganetic"),
        ("bce", "unknown loss 'bce', known: "),
        ("", "unknown loss '', known: "),
    ],
)
def test_an_unknown_name_suggests_the_nearest(read: type, text: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"^{re.escape(message)}[^\n]*$") as caught:
        read(text)
    assert 1 <= len(str(caught.value).partition("nearest: ")[2].split(", ")) <= 3


@pytest.mark.parametrize("read", [loss_named_or_parsed, expression_of])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("p + q", "expression \"p + q\": unknown variable 'q'"),
        ("y - q", "expression \"y - q\": unknown variable 'q'"),
        ("hinge(p)", "expression \"hinge(p)\": unknown function 'hinge'"),
        ("p**", 'expression "p**": invalid syntax'),
        ("p**4", 'expression "p**4": the only powers are **2 and **3'),
        ("real: x", "the terms real, fake and generator are needed, missing fake, generator"),
    ],
)
def test_a_wrong_expression_says_what_is_wrong(read: type, text: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"^[^\n]*{re.escape(message)}[^\n]*$"):
        read(text)


WIDE = {
    "name": "wide-1",
    "title": "A wide window of learning rates",
    "expression": "(y - p)**2 + p*y/3",
    "provenance": {
        "run": "results/search-made-up",
        "command": "ganetics search results/search-made-up --dataset digits --seed 3",
        "dataset": "digits",
        "seeds": [11, 12],
        "figures": {"median log fid": 3.5},
    },
}


def file_of(folder: Path, *losses: dict[str, Any], **other: Any) -> Path:
    path = folder / "evolved.json"
    path.write_text(json.dumps({"schema_version": 1, "losses": losses, **other}), encoding="utf-8")
    return path


def test_evolved_losses_are_data(tmp_path: Path) -> None:
    found = evolved(file_of(tmp_path, WIDE, {**WIDE, "name": "wide-2", "expression": "y - p"}), CATALOGUE)
    assert list(found) == ["wide-1", "wide-2"]
    entry = found["wide-1"]
    assert (entry.name, entry.title, entry.reference) == (
        "wide-1",
        WIDE["title"],
        "ganetics search results/search-made-up --dataset digits --seed 3",
    )
    assert entry.provenance is not None
    assert entry.provenance.seeds == (11, 12)
    loss = entry.make(reduction="none")
    assert (loss.name, loss.reduction, entry.make().reduction) == ("wide-1", "none", "mean")
    p = torch.sigmoid(LOGITS)
    torch.testing.assert_close(loss.generator(fake_logits=LOGITS), (1 - p) ** 2 + p / 3)


def test_an_evolved_loss_may_be_relativistic(tmp_path: Path) -> None:
    text = " relativistic-pairing ( real: relu(1 - x); fake: relu(1 + x); generator: -x ) "
    entry = evolved(file_of(tmp_path, {**WIDE, "expression": text}), CATALOGUE)["wide-1"]
    loss = entry.make(reduction="sum")
    assert (loss.name, loss.reduction, entry.expression) == ("wide-1", "sum", None)
    real, fake = torch.tensor([0.0, 3.0]), torch.tensor([0.5, -0.5])
    assert loss.generator(real_logits=real, fake_logits=fake).item() == -0.5 + 3.5


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        ([WIDE, WIDE], "a name must occur once in the catalogue, got 'wide-1' again"),
        ([{**WIDE, "name": "hinge"}], "a name must occur once in the catalogue, got 'hinge' again"),
        ([{**WIDE, "name": "Wide 1"}], "losses.0.name: String should match pattern"),
        ([{**WIDE, "expression": "p + q"}], "wide-1: expression \"p + q\": unknown variable 'q'"),
        ([{**WIDE, "expression": "relativistic-pairing(hinge)"}], 'wide-1: expression "hinge": unknown variable'),
        (
            [{**WIDE, "expression": "relativistic-pairing(relativistic-average(p))"}],
            "wide-1: relativistic-pairing(…): must hold a separable loss, got 'relativistic-average(p)'",
        ),
        ([{**WIDE, "provenance": None}], "losses.0.provenance"),
        ([{key: value for key, value in WIDE.items() if key != "title"}], "losses.0.title: Field required"),
    ],
)
def test_a_wrong_file_of_evolved_losses_is_named(losses: list[Any], message: str, tmp_path: Path) -> None:
    path = file_of(tmp_path, *losses)
    with pytest.raises(InputError, match=rf"^evolved losses: [^\n]*{re.escape(message)}[^\n]*$") as caught:
        evolved(path, CATALOGUE)
    assert str(path) in str(caught.value)
    with pytest.raises(InputError, match="schema_version"):
        evolved(file_of(tmp_path, schema_version=2), CATALOGUE)


def test_figures_of_evolved_losses_are_those_of_their_runs() -> None:
    root = Path(__file__).parents[1]
    file = json.loads((root / "src/ganetics/evolved.json").read_text())
    assert file["losses"]
    for loss in file["losses"]:
        given = loss["provenance"]
        if given["run"].startswith("results/bench-"):
            assert given["figures"] == _benchmarked(root / given["run"], loss)
            continue
        found = parse(loss["expression"])
        fame = json.loads((root / given["run"] / "hall_of_fame.json").read_text())
        (entry,) = (
            one for one in fame if one["seeds"] == given["seeds"] and _same_slopes(parse(one["expression"]), found)
        )
        assert given["figures"]["mean log FID at the best rate"] == entry["objectives"]["log_fid"]
        assert given["figures"]["worst log FID over rates x0.3, x1, x3"] == entry["objectives"]["worst_log_fid"]
        assert given["figures"]["best rate"] == entry["best_rate"]


def _benchmarked(run: Path, loss: dict[str, Any]) -> dict[str, float]:
    """Return what a benchmark's tables say of a loss that it had by the catalogue's name and expression."""
    config = json.loads((run / "config.json").read_text())
    (contender,) = (one for one in config["contenders"] if one["label"] == loss["name"])
    assert contender["loss"] == loss["expression"]
    lines = map(json.loads, (run / "archive.jsonl").read_text().splitlines())
    seeds = {line["seed"] for line in lines if line["phase"] == "final" and line["loss"] == loss["name"]}
    assert loss["provenance"]["seeds"] == sorted(seeds)
    table = json.loads((run / "tables.json").read_text())["tables"]["final"]
    (row,) = (one for one in table["rows"] if one["loss"] == loss["name"])
    (ratio,) = (one["ratio"] for one in table["comparisons"] if one["loss"] == loss["name"])
    return {
        "geometric mean FID": row["fid"]["geometric"]["mean"],
        "ratio to the FID of ganetic": ratio["mean"],
        "best rate": row["rate"],
    }


def _same_slopes(one: Expression, other: Expression) -> bool:
    logits = np.linspace(-8.0, 8.0, 33)
    pairs = zip(astuple(term_gradients(one, logits)), astuple(term_gradients(other, logits)), strict=True)
    return all(np.allclose(a, b, rtol=1e-9, atol=1e-12) for a, b in pairs)

"""``ganetics loss``: list the losses of the catalogue, show one, write one as a file, print theory cards."""

from __future__ import annotations

import math
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import typer
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

import ganetics
from ganetics._check import InputError
from ganetics.catalogue import CATALOGUE, Entry, expression_of, loss_named_or_parsed, paired_expression_of
from ganetics.cli.console import console, help_if_alone, print_json
from ganetics.cli.losses_given import loss_text
from ganetics.execution.process import prepared
from ganetics.expressions.bind import terms_of
from ganetics.expressions.dialects import DIALECTS
from ganetics.expressions.export import to_source
from ganetics.expressions.numeric import term_gradients, terms
from ganetics.expressions.primitives import Array, sigmoid
from ganetics.expressions.symbolic import latex, simplify
from ganetics.expressions.text import TERMS, to_json, to_text, tree_to_text
from ganetics.expressions.tree import Expression, complexity
from ganetics.losses import GANLoss
from ganetics.losses.theory import theory_card
from ganetics.records import to_json as record_text
from ganetics.report.card import LossCard, render_cards
from ganetics.report.card_facts import groups
from ganetics.search.screen import FINE_LOGITS, SHARES

LOGITS = np.array([-8.0, -4.0, -2.0, 0.0, 2.0, 4.0, 8.0])
"""Where values and gradients are shown."""
LONGEST_LABEL = 40
WITH_SIGN = {"ignore_unknown_options": True}
"""An expression may begin with a minus, and is no option then."""
FILES = "@hall_of_fame.json: a search's best; #N: that in row N, or in line N of a text"
Given = Annotated[str, typer.Argument(metavar="NAME|EXPRESSION|@FILE[#N]", help=FILES)]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]

app = typer.Typer(help="List, show and export losses.", add_completion=False, rich_markup_mode=None)
app.callback(invoke_without_command=True)(help_if_alone)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the losses of the catalogue."""
    if as_json:
        print_json([_facts(entry, entry.make(), *_expressions(name)) for name, entry in CATALOGUE.items()])
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "title", "expression", "reference"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "name")
    for entry in CATALOGUE.values():
        otherwise = f"pairs of: {entry.paired}" if entry.paired else "none: not separable"
        table.add_row(entry.name, entry.title, entry.expression or otherwise, entry.reference)
    console.print(table, markup=False)


@app.command(context_settings=WITH_SIGN)
def show(loss: Given, as_json: AsJson = False) -> None:
    """Show a loss: its formula, its three terms, values and gradients, and its optimal discriminator."""
    entry, expression, paired = _read(loss)
    facts = _facts(entry, entry.make() if entry else loss_named_or_parsed(loss_text(loss)), expression, paired)
    if expression is not None:
        facts |= _described(expression)
    if paired is not None:
        facts |= {"terms": {term: text for term, text in _terms(paired).items() if term != "fake"}}
    if expression is not None and entry is None:  # what is in the catalogue is as simple as it gets
        facts |= {"simplified": to_text(simplify(expression))}
    if as_json:
        print_json(facts)
    else:
        _print(facts)


@app.command(context_settings=WITH_SIGN)
def export(
    loss: Given,
    to: Annotated[Literal["pytorch", "keras", "numpy", "json", "latex"], typer.Option(help="what to write")],
    out: Annotated[Path | None, typer.Option(help="file to write; without it, to standard output")] = None,
) -> None:
    """Write a loss as a PyTorch, Keras or NumPy file that needs nothing of this package, as JSON, or as LaTeX."""
    entry, expression, paired = _read(loss)
    if expression is not None:
        text = _exported(entry, expression, to)
    elif paired is not None and to in DIALECTS:
        text = _source(entry, paired, to, paired=True)
    elif paired is not None:
        raise InputError(f"loss {loss}: cannot be exported to {to}: it is of pairs: no formula of one logit")
    else:
        raise InputError(
            f"loss {loss}: cannot be exported to {to}: its terms depend on the whole batch, so no expression says it; "
            f"use it from Python: ganetics.catalogue.loss_named_or_parsed({loss_text(loss)!r})"
        )
    if out is None:
        sys.stdout.write(text)
        return
    _write_new("--out", out, text)
    console.print(f"written: {out}", markup=False, soft_wrap=True)


@app.command(context_settings=WITH_SIGN)
def card(
    losses: Annotated[
        list[str], typer.Argument(metavar="NAME|EXPRESSION|@FILE[#N]...", help=f"one, or some to compare; {FILES}")
    ],
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="write a page with curves instead")] = None,
    as_json: AsJson = False,
) -> None:
    """Print theory cards: what can be known of losses before anything is trained. Several stand side by side."""
    with prepared():  # small tensors: a second thread only waits
        found = [_carded(given, i) for i, given in enumerate(losses)]
    if html is not None:
        command = shlex.join(["ganetics", "loss", "card", *losses, "--html", html.name])
        _write_new("--html", html, render_cards(found, command))
    if as_json:
        cards = [{"expression": one.text or None, **one.card.model_dump(mode="json")} for one in found]
        print_json({"cards": cards, "html": html and str(html)})
    elif html is not None:
        console.print(f"written: {html}", markup=False, soft_wrap=True)
    else:
        _print_cards(found)


def _carded(given: str, index: int) -> LossCard:
    """Return a loss with its theory card; what has no name and is long is called by its place."""
    text = loss_text(given)
    entry, expression, pairs = _read(given)
    return LossCard(
        label=entry.name if entry else text if len(text) <= LONGEST_LABEL else f"loss {index + 1}",
        card=theory_card(loss_named_or_parsed(text)),
        title=entry.title if entry else "",
        reference=entry.reference if entry else "",
        expression=expression,
        pairs=pairs,
    )


def _write_new(option: str, path: Path, text: str) -> None:
    """Write a file that must not be there yet."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise InputError(f"{option}: {path} is there already and is not overwritten; choose another name") from None
    except FileNotFoundError:
        raise InputError(f"{option}: the folder must exist, there is none at {path.parent}") from None


def _read(given: str) -> tuple[Entry | None, Expression | None, Expression | None]:
    """Return the loss's entry in the catalogue, its expression, and that of which it takes pairs; None: it has none."""
    text = loss_text(given)
    found = _expressions(text)
    if text in CATALOGUE:
        return CATALOGUE[text], *found
    if found == (None, None):
        return None, *found
    twins = (entry for name, entry in CATALOGUE.items() if _expressions(name) == found)
    return next(twins, None), *found


def _expressions(text: str) -> tuple[Expression | None, Expression | None]:
    return expression_of(text), paired_expression_of(text)


def _exported(entry: Entry | None, expression: Expression, to: str) -> str:
    if to == "latex":
        return latex(expression) + "\n"
    if to == "json":
        return record_text({"name": entry and entry.name, **to_json(expression)}) + "\n"
    return _source(entry, expression, to)


def _source(entry: Entry | None, expression: Expression, to: str, *, paired: bool = False) -> str:
    title = f"{entry.title}: a loss for generative adversarial networks." if entry else "A loss for GANs."
    found = f"Source: {entry.reference}." if entry else ""
    version = ganetics.__version__
    return to_source(expression, DIALECTS[to], title=title, version=version, provenance=found, paired=paired)


def _facts(
    entry: Entry | None, kind: GANLoss, expression: Expression | None, paired: Expression | None
) -> dict[str, Any]:
    """Return what is known of a loss, and what the catalogue says of it if it is there."""
    return {
        "name": entry and entry.name,
        "title": entry and entry.title,
        "reference": entry and entry.reference,
        "separable": kind.separable,
        "generator_needs_real": kind.generator_needs_real,
        "logit_range": list(kind.logit_range),
        "expression": expression and to_text(expression),
        "latex": expression and latex(expression),
        "paired": paired and to_text(paired),
    }


def _described(expression: Expression) -> dict[str, Any]:
    """Return what an expression says."""
    return {
        "terms": _terms(expression),
        "complexity": complexity(expression),
        "values": _values(expression),
        "optimal_discriminator": [_optimum(expression, float(share)) for share in SHARES],
    }


def _terms(expression: Expression) -> dict[str, str]:
    return {term: tree_to_text(tree) for term, tree in zip(TERMS, terms_of(expression), strict=True)}


def _values(expression: Expression) -> list[dict[str, float | None]]:
    values, slopes = terms(expression, LOGITS), term_gradients(expression, LOGITS)
    columns = {"logit": LOGITS, "p": sigmoid(LOGITS)}
    for term in TERMS:
        columns |= {term: getattr(values, term), f"{term}_gradient": getattr(slopes, term)}
    return [{key: _finite(column[i]) for key, column in columns.items()} for i in range(len(LOGITS))]


def _optimum(expression: Expression, share: float) -> dict[str, float | None]:
    """Return where r·real + (1 − r)·fake is smallest; None if that is not one place between logits −12 and 12."""
    low, high, logit = float(FINE_LOGITS[0]), float(FINE_LOGITS[-1]), 0.0
    for turn in range(4):  # each looks 120 times closer
        grid = np.linspace(low, high, len(FINE_LOGITS))
        at = terms(expression, grid)
        mixture = share * at.real + (1.0 - share) * at.fake
        best = int(mixture.argmin())
        if turn == 0 and not _is_one_place(mixture, best):
            return {"r": share, "logit": None, "p": None}
        logit, low, high = (float(grid[min(max(best + step, 0), len(grid) - 1)]) for step in (0, -1, 1))
    return {"r": share, "logit": logit, "p": float(sigmoid(np.array(logit)))}


def _is_one_place(values: Array, best: int) -> bool:
    """Tell whether all values are finite and the smallest is neither at an end nor one of a plateau."""
    if not np.isfinite(values).all() or best in (0, len(values) - 1):
        return False
    return bool(np.count_nonzero(values <= values[best] + 1e-12 * (1.0 + abs(values[best]))) <= 2)


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _print(facts: dict[str, Any]) -> None:
    """Print what is known of a loss, for people."""
    lines = {key: facts[key] for key in ("name", "title", "reference", "expression", "latex")}
    if facts.get("simplified") not in (None, facts["expression"]):
        lines |= {"simplified": facts["simplified"]}
    lines |= {"pairs of": facts["paired"]}
    lines |= {f"{term} term": text for term, text in facts.get("terms", {}).items()}
    lines |= {"nodes": facts.get("complexity")}
    for key, value in lines.items():
        if value is not None:  # long ones are not broken: formulas are there to be copied
            console.print(f"{key:<15}{value}", markup=False, soft_wrap=True)
    if facts["paired"] is not None:
        console.print(
            "Its terms depend on differences of pairs: the real term's x is real - generated logit, the generator "
            "term's generated - real logit; p = sigmoid(x)."
        )
        return
    if "values" not in facts:
        console.print("Its terms depend on the whole batch: no expression says it.")
        return
    console.print()
    # a generator's term that is the real one again need not be shown; without it there is room for p
    again = facts["terms"]["generator"] == facts["terms"]["real"]
    hidden = {"generator", "generator_gradient"} if again else {"p"}
    _print_table([{key: value for key, value in row.items() if key not in hidden} for row in facts["values"]])
    console.print("\nOptimal discriminator, where a share r of the samples is real:")
    _print_table(facts["optimal_discriminator"])
    if any(line["logit"] is None for line in facts["optimal_discriminator"]):
        console.print("none: the minimum is not one place between logits -12 and 12")


def _print_table(rows: list[dict[str, float | None]]) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in rows[0]:
        table.add_column("slope" if heading.endswith("_gradient") else heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*("none" if value is None else f"{round(value, 9) + 0.0:.4g}" for value in row.values()))
    console.print(table, markup=False)


def _print_cards(found: Sequence[LossCard]) -> None:
    """Print the verdicts, and below them the facts of all losses in one table."""
    for one in found:
        text = "" if one.label == one.text else one.text
        console.print(f"{one.label}  {text}".rstrip(), markup=False, soft_wrap=True)
        for sentence in one.card.verdict:
            console.print(Padding(Text(f"· {sentence}"), (0, 0, 0, 2)))
        console.print()
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=len(found) > 1)
    for heading in ("", *(one.label for one in found)):
        table.add_column(Text(heading), overflow="fold", no_wrap=not heading)
    for of_all in zip(*(groups(one.card) for one in found), strict=True):
        table.add_row(Text(of_all[0][0], style="bold"))
        for rows in zip(*(rows for _, rows in of_all), strict=True):
            table.add_row(Text(f"  {rows[0][0]}"), *(Text(value) for _, value in rows))
    console.print(table)

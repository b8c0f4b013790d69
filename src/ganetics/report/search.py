"""The page itself: one HTML file that needs no script and no network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

import ganetics
from ganetics._files import write_atomically
from ganetics.expressions.bind import terms_of
from ganetics.expressions.dialects import PYTORCH
from ganetics.expressions.export import to_source
from ganetics.expressions.symbolic import equation, mathml
from ganetics.expressions.text import parse, to_text
from ganetics.expressions.tree import Call, Constant, Expression, Tied, Tree
from ganetics.report import search_facts as facts
from ganetics.report import search_figures as figures
from ganetics.report.search_run import Contender, SearchRun, read_search
from ganetics.report.search_verdict import Verdict, verdict
from ganetics.report.template import REFRESH_SECONDS, environment, picture
from ganetics.search.pairs import PAIRS, as_pairs, nodes, trained_as


@dataclass(frozen=True)
class Featured:
    """The loss that the page shows in full: the best that the search found."""

    label: str
    history: str | None
    expression: Expression
    pairs: bool = False
    """Whether pairs are taken of it."""

    @property
    def text(self) -> str:
        """The loss as a command takes it."""
        return trained_as(to_text(self.expression), PAIRS if self.pairs else "")

    @property
    def complexity(self) -> int:
        """Nodes in the trees that are used."""
        return nodes(self.expression, PAIRS if self.pairs else "")

    @property
    def tied(self) -> bool:
        """Whether it is one L(y, p)."""
        return isinstance(self.expression, Tied)

    @property
    def equations(self) -> list[Markup]:
        """MathML of the loss and, if it is tied, of its terms for real and generated images; of pairs of both terms."""
        real, fake, generator = map(_rounded, terms_of(self.expression))
        if self.pairs:
            return [Markup(equation("x", real)), Markup(equation("x", generator))]
        bound = [equation("1, p", real), equation("0, p", fake)] if self.tied else []
        return [Markup(text) for text in [mathml(self.expression), *bound]]

    def code(self, provenance: str) -> str:
        """Return the loss as a file that needs PyTorch only."""
        return to_source(
            self.expression,
            PYTORCH,
            title=self.label,
            version=ganetics.__version__,
            provenance=provenance,
            paired=self.pairs,
        )

    def curves(self) -> Mapping[str, Expression]:
        """Return the losses to draw: this one and those that it is measured by."""
        known = {name: parse(text) for name, text in figures.REFERENCES.items()}
        if self.pairs:  # of them the terms that a pair looks at
            known = {f"{name} in pairs": as_pairs(one) for name, one in known.items()}
        return {self.label: self.expression, **{n: e for n, e in known.items() if e != self.expression}}


@dataclass(frozen=True)
class Preview:
    """A grid of generated images; ``url`` is a data: URI, None where there is no picture."""

    contender: Contender
    url: str | None


def write_search_report(run: Path) -> Path:
    """Write ``report.html`` from what a search has recorded so far, and return its path.

    Raises:
        InputError: the folder holds no search, or a file in it is damaged.
        OSError: the disk is full or the folder not writable.
    """
    page = Path(run) / "report.html"
    write_atomically(page, render(read_search(Path(run))).encode())
    return page


def render(run: SearchRun) -> str:
    """Return the page."""
    return environment().get_template("search.html").render(_context(run))


def _context(run: SearchRun) -> dict[str, Any]:
    found = verdict(run)
    featured = _featured(run, found)
    floor = facts.floor(run)
    losses = featured.curves() if featured is not None else {}
    ringed = frozenset(c.candidate for c in run.contenders if not c.rival and c.candidate is not None)
    rungs = [(figures.shade(i, len(run.config.rungs)), rung) for i, rung in enumerate(run.config.rungs)]
    return {
        "run": run,
        "version": ganetics.__version__,
        "verdict": found,
        "featured": featured,
        "losses": list(losses),
        "curves": figures.curves(losses, called=_drawn(featured)),
        "floor": floor,
        "forest": figures.forest(run.contenders, None if floor is None else floor[0]),
        "standing": facts.standing(run),
        "refresh": REFRESH_SECONDS,
        "progress": figures.progress(run, ringed),
        "rungs": rungs,
        "levels": facts.levels(run),
        "front": figures.front(run.contenders),
        "strips": list(zip(run.contenders, figures.strips(run.contenders), strict=True)),
        "previews": [_preview(run, contender) for contender in _pictured(run, found)],
        "totals": facts.totals(run),
        "provenance": facts.provenance(run.config),
        "configuration": facts.configuration(run),
        "command": facts.command(run),
        "beyond_command": facts.beyond_command(run.config),
    }


def _featured(run: SearchRun, found: Verdict) -> Featured | None:
    for contender in (found.found, found.rival):
        if contender is not None and contender.expression is not None:
            return Featured(contender.label, contender.history, contender.expression, contender.paired)
    best = run.best
    return None if best is None else Featured(best.label, best.history, parse(best.text), run.config.mode == PAIRS)


def _drawn(featured: Featured | None) -> Mapping[str, str]:
    if featured is None or featured.tied:
        return figures.TIED
    return figures.PAIRS if featured.pairs else figures.SEPARATE


def _pictured(run: SearchRun, found: Verdict) -> Iterator[Contender]:
    if found.found is not None:
        yield found.found
    yield from (contender for contender in run.contenders if contender.rival)


def _preview(run: SearchRun, contender: Contender) -> Preview:
    name = next((final.preview for final in contender.at_best if final.preview is not None), None)
    return Preview(contender, None if name is None else picture(run.path, name))


def _rounded(tree: Tree) -> Tree:
    """Return the tree with six digits of each constant: those that were computed have sixteen."""
    if isinstance(tree, Call):
        return Call(tree.primitive, tuple(map(_rounded, tree.arguments)))
    return Constant(float(f"{tree.value:.6g}")) if isinstance(tree, Constant) else tree

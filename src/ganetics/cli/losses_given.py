"""What a command line may say for a loss, or for several: names, expressions, @FILE; with penalties, with labels."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ganetics._check import InputError
from ganetics.benchmark.config import Contender
from ganetics.catalogue import expression_of, paired_expression_of
from ganetics.cli.console import warn
from ganetics.cli.loss_files import LossFile, Row, parted, read_losses
from ganetics.expressions.bind import terms_of
from ganetics.expressions.text import parse
from ganetics.records import Penalty, from_values

PENALTY = re.compile(r"\+([a-z]\w*):([^+:/;]+)(?:/(\d+))?$")
"""At the end of a loss: kind, weight and, for a lazy one, the steps between two."""
WEIGHTS = {"r1": "1", "r2": "1", "gradient": "10", "clip": "0.01"}
"""What a penalty may weigh, to say to somebody who gives no weight."""
UNWEIGHTED = re.compile(rf"\+({'|'.join(WEIGHTS)})[:/\d\s]*$")
"""At the end of a loss: a penalty without a weight."""


def loss_text(given: str, *, what: str = "loss") -> str:
    """Return the name or the expression's text that ``given`` says or that its file holds; not yet looked up or parsed.

    Args:
        given: a name of the catalogue, an expression, ``@FILE`` or ``@FILE#N``. The file holds a name or an
            expression's text, an expression's JSON, or a search's hall of fame, of which the best loss that the search
            found is taken, be a rival of the catalogue before it or not; the first entry if there is none. ``#N`` takes
            that in row N of the hall of fame, or in line N of a text, instead; the first is 1.
        what: what asks for it, for messages.

    Raises:
        InputError: no such file, or it holds none of these, or no such row; names the file.

    >>> loss_text("p**3 + sqrt(3.985*y/p)")
    'p**3 + sqrt(3.985*y/p)'
    """
    if not given.startswith("@"):
        return given
    file, picked = _opened(given, what)
    if picked is not None:
        return picked.loss
    if file.unit == "line" and len(file.rows) > 1 and not _is_expression(file.whole):
        raise InputError(f"{what}: {file.path} must hold one loss, got {len(file.rows)}: pick line N as @{file.path}#N")
    return file.whole


def contenders_given(text: str) -> tuple[Contender, ...]:
    """Return the contenders that ``text`` lists; losses are not looked up. What is given twice is taken once, and told.

    They are separated by commas outside of parentheses. Each is a name of the catalogue or an expression, perhaps with
    penalties behind it (``+kind:weight``, ``+kind:weight/steps`` every so many steps) and with ``label=`` before it; or
    all losses of @FILE: a search's hall of fame, whose found losses are labelled by their numbers, or a text file of
    one a line, each perhaps with ``label=`` before it. ``@FILE#N`` and ``label=@FILE`` are one loss, as
    :func:`loss_text` has it.

    Raises:
        InputError: none, no such file or row, an unknown penalty, two of one label, or a bracket that is not closed.

    >>> [one.label for one in contenders_given("hinge, wasserstein+gradient:10, ours=max(p, y)**2+r1:0.5/16")]
    ['hinge', 'wasserstein+gradient:10', 'ours']
    >>> contenders_given("ours=p**2+r1:0.5/16")[0]
    Contender(label='ours', loss='p**2', penalties=(Penalty(kind='r1', weight=0.5, every=16),))
    """
    found: dict[str, Contender] = {}
    again: list[str] = []
    for label, loss in _listed(text):
        one = _contender(label, loss)
        if one.label in found:
            again.append(repr(one.label))
        if found.setdefault(one.label, one) != one:
            raise InputError(f"losses: no two may have one label, got {one.label!r} for another: give LABEL=LOSS")
    if not found:
        raise InputError(f"losses: there must be at least one, got {text!r}")
    if again:
        warn(f"losses: given more than once and taken once: {', '.join(dict.fromkeys(again))}")
    return tuple(found.values())


def warn_of_losses(contenders: Sequence[Contender]) -> None:
    """Name on standard error contenders that are one loss under two labels, and those under which nothing is learnt.

    Raises:
        InputError: a loss is neither in the catalogue nor an expression.
    """
    from ganetics.expressions.numeric import term_gradients
    from ganetics.search.screen import FINE_LOGITS, idle

    first: dict[Any, str] = {}
    for one in contenders:
        expression, paired = expression_of(one.loss), paired_expression_of(one.loss)
        counted = paired and terms_of(paired)[::2]  # of pairs the fake term is not used
        same = first.setdefault((expression or counted or one.loss, one.penalties), one.label)
        if same != one.label:
            warn(f"losses: {one.label!r} is the same loss as {same!r}: it is trained twice")
        if expression is not None and (reason := idle(expression)) is not None:
            warn(f"losses: {one.label!r} can teach nothing: {reason}")
        if paired is not None:
            slopes = term_gradients(paired, FINE_LOGITS)
            for name, slope in (("real", slopes.real), ("generator", slopes.generator)):
                if not slope.any():
                    warn(f"losses: {one.label!r} can teach nothing: its {name} term never changes")


def penalised(text: str, *, what: str) -> tuple[str, tuple[Penalty, ...]]:
    """Return a loss and the penalties that are written behind it, ``+kind:weight`` or ``+kind:weight/steps``.

    Args:
        text: what was given.
        what: what asks for it, for messages.

    Raises:
        InputError: an unknown penalty, one without a weight, or a weight or steps out of range.

    >>> penalised("hinge+r1:0.5/16", what="loss")
    ('hinge', (Penalty(kind='r1', weight=0.5, every=16),))
    """
    penalties: list[Penalty] = []
    loss = text.strip()
    while match := PENALTY.search(loss):
        kind, weight, every = match.groups()
        where = f"{what}: {text!r}: penalty {kind!r}"
        penalties.insert(0, from_values(Penalty, {"kind": kind, "weight": weight, "every": every or 1}, where=where))
        loss = loss[: match.start()].rstrip()
    if bare := UNWEIGHTED.search(loss):
        kind, name = bare.group(1), loss[: bare.start()].rstrip()
        raise InputError(
            f"{what}: {text!r}: penalty {kind!r} needs a weight, such as {name}+{kind}:{WEIGHTS[kind]}, got none"
        )
    return loss, tuple(penalties)


def loss_and_penalties(
    given: str, *, what: str = "loss", known: Mapping[str, str] | None = None
) -> tuple[str, tuple[Penalty, ...]]:
    """Return the text of a loss that was named, written or lies in a file, and the penalties behind it and in there.

    Args:
        given: as :func:`loss_text` has it, with what :func:`penalised` takes behind it.
        what: what asks for it, for messages.
        known: further names → losses.

    Raises:
        InputError: no such file or row, or as :func:`penalised`.

    >>> loss_and_penalties("hinge+r1:0.5", what="loss")
    ('hinge', (Penalty(kind='r1', weight=0.5, every=1),))
    """
    named, penalties = penalised(given, what=what)
    text, further = penalised((known or {}).get(named) or loss_text(named), what=what)  # a file may have some, too
    return text, (*penalties, *further)


def penalties_given(texts: Sequence[str]) -> tuple[Penalty, ...]:
    """Return penalties that stand alone, ``kind:weight`` or ``kind:weight/steps``.

    Raises:
        InputError: one is not of that form, unknown, or out of range.

    >>> penalties_given(["r1:0.5/16"])
    (Penalty(kind='r1', weight=0.5, every=16),)
    """
    found: list[Penalty] = []
    for text in texts:
        match = PENALTY.fullmatch(f"+{text}")
        if match is None:
            raise InputError(f"--penalty: must be KIND:WEIGHT or KIND:WEIGHT/STEPS, got {text!r}")
        kind, weight, every = match.groups()
        found.append(from_values(Penalty, {"kind": kind, "weight": weight, "every": every or 1}, where="--penalty"))
    return tuple(found)


def _contender(label: str | None, text: str) -> Contender:
    loss, penalties = penalised(text, what="losses")
    values = {"label": label or text.strip(), "loss": loss, "penalties": penalties}
    return from_values(Contender, values, where=f"losses: {label or text!r}")


def _listed(text: str) -> Iterator[tuple[str | None, str]]:
    """Yield label and loss of what is between commas, and of what is in files, with the penalties behind it."""
    for part in _parts(text):
        label, given = (None, part) if part.startswith("@") else parted(part)
        loss, _ = penalised(given, what="losses")
        behind = given.strip()[len(loss) :]
        if not loss.startswith("@"):
            yield label, given
        elif label is not None:
            yield label, loss_text(loss, what="losses") + behind
        else:
            file, picked = _opened(loss, "losses")
            for row in file.rows if picked is None else (picked,):
                yield row.label and row.label + behind, row.loss + behind


def _opened(given: str, what: str) -> tuple[LossFile, Row | None]:
    """Return the file that @FILE or @FILE#N names, and the loss that #N picks."""
    path, sign, number = given[1:].rpartition("#")
    if not (sign and number.isdecimal()):
        return read_losses(Path(given[1:]), what=what), None
    file = read_losses(Path(path), what=what)
    return file, file.picked(int(number), what=what)


def _is_expression(text: str) -> bool:
    try:
        parse(text)
    except InputError:
        return False
    return True


def _parts(text: str) -> Iterator[str]:
    depth = begin = 0
    for place, sign in enumerate(f"{text},"):
        depth += (sign in "([") - (sign in ")]")
        if sign == "," and depth <= 0:
            if part := text[begin:place].strip():
                yield part
            begin = place + 1
    if depth > 0:  # else what follows the bracket would be lost without a word
        raise InputError(f"losses: every bracket must be closed, one is not in {text[begin:].strip()!r}")

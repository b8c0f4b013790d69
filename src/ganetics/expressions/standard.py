"""The separable losses in common use as text. No torch: the catalogue reads these, and so does the Keras adapter."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ganetics._check import InputError, one_of
from ganetics.expressions.text import parse
from ganetics.expressions.tree import Expression

PAIRING = "relativistic-pairing"
"""What a loss of pairs is called, and with a loss in brackets behind it that of pairs of this one."""
STANDARD: Mapping[str, str] = {
    "ganetic": "p**3 + sqrt(3.985*y/p)",
    "non-saturating": "-(y*log(p) + (1 - y)*log(1 - p))",
    "non-saturating-smooth": "real: 0.9*softplus(-x) + 0.1*softplus(x); fake: softplus(x); generator: softplus(-x)",
    "minimax": "real: softplus(-x); fake: softplus(x); generator: -softplus(x)",
    "least-squares": "real: 0.5*(x - 1)**2; fake: 0.5*x**2; generator: 0.5*(x - 1)**2",
    "hinge": "real: relu(1 - x); fake: relu(1 + x); generator: -x",
    "wasserstein": "real: -x; fake: x; generator: -x",
    # exp(x/2)**2, not exp(x): the primitive does not go beyond exp(30)
    "f-kl": "real: -x; fake: exp((x - 1)/2)**2; generator: -exp((x - 1)/2)**2",
    "f-reverse-kl": "real: exp(-x/2)**2; fake: x - 1; generator: 1 - x",
    "f-pearson": "real: -x; fake: 0.25*x**2 + x; generator: -(0.25*x**2 + x)",
    "f-hellinger": "real: exp(-x/2)**2 - 1; fake: exp(x/2)**2 - 1; generator: 1 - exp(x/2)**2",
    "f-js": (
        "real: softplus(-x) - 0.6931471805599453; fake: softplus(x) - 0.6931471805599453; "
        "generator: 0.6931471805599453 - softplus(x)"
    ),
}
"""Name in the catalogue to expression; sources: :data:`ganetics.catalogue.CATALOGUE`."""


def named_or_parsed(text: str, names: Iterable[str] = STANDARD) -> Expression:
    """Return the expression with this name, or the one that this text says.

    Args:
        text: a key of :data:`STANDARD`, or an expression.
        names: what to suggest from if it is neither.

    Raises:
        InputError: neither; names the nearest three, or what is wrong with the expression.

    >>> named_or_parsed("hinge").generator
    Call(primitive='neg', arguments=(Variable(name='x'),))
    >>> named_or_parsed("hinges")
    Traceback (most recent call last):
    ganetics._check.InputError: unknown loss 'hinges', nearest: hinge, f-hellinger
    """
    try:
        return parse(STANDARD.get(text, text))
    except InputError:
        # words are a name that is not known; whatever has an operator in it was meant as an expression
        if re.fullmatch(r"\w*([-_ ]\w+)*", text.strip()):
            one_of("loss", text, names)
        raise

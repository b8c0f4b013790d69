"""A loss as a file that needs nothing of this package."""

from __future__ import annotations

from ganetics.expressions.bind import terms_of
from ganetics.expressions.dialects import Dialect
from ganetics.expressions.text import number_text, render, to_text, tree_to_text
from ganetics.expressions.tree import Call, Constant, Expression, Tied, Tree, Variable

HEADER = '''"""{title}

    {formula}

Written by ganetics {version}. Needs {needs} only.{provenance}
"""
'''


def to_source(
    expression: Expression, dialect: Dialect, *, title: str, version: str, provenance: str = "", paired: bool = False
) -> str:
    """Return Python source with ``discriminator_loss(real_logits, fake_logits)`` and ``generator_loss(fake_logits)``.

    Args:
        expression: the loss, or the base of one of pairs.
        dialect: in whose functions, of :data:`ganetics.expressions.dialects.DIALECTS`.
        title: first line of the file's docstring.
        version: of this package.
        provenance: where the loss comes from, one paragraph.
        paired: write :class:`ganetics.losses.RelativisticPairing` of it: ``generator_loss(fake_logits, real_logits)``.
    """
    real, fake, generator = terms_of(expression)
    terms = {"_pair_term": real} if paired else {"_real_term": real, "_fake_term": fake}
    formula = to_text(expression).replace("; ", "\n    ")
    if paired:
        of = "p = sigmoid(x), x" if isinstance(expression, Tied) else "x"
        formula = f"{tree_to_text(real)}, {of} = real - generated logit\n"
        formula += f"    {tree_to_text(generator)}, of the generator, {of} = generated - real logit"
    header = HEADER.format(
        title=_plain(title),
        formula=formula,
        version=version,
        needs=dialect.needs,
        provenance=f"\n\n{_plain(provenance)}" if provenance else "",
    )
    first = next(iter(terms))
    functions = "".join(_function(name, tree, dialect) for name, tree in terms.items())
    functions += (
        f"\n\n_generator_term = {first}\n" if generator == real else _function("_generator_term", generator, dialect)
    )
    for name, text in dialect.helpers.items():  # a helper stands before those that it calls
        if f"{name}(" in functions:
            functions = text + functions
    return header + dialect.imports + (dialect.paired if paired else dialect.separable) + functions


def _function(name: str, tree: Tree, dialect: Dialect) -> str:
    known: dict[str, str] = {}
    value = render(
        _substituted(tree, dialect, known),
        lambda primitive: dialect.primitives.get(primitive.name, primitive.text),
        number_text,
        str,
    )
    if "x" not in value and not known:  # a constant still has the logits' shape
        value = f"{value} + 0 * x"
    return "\n\n" + "\n    ".join([f"def {name}(x):", *known.values(), f"return {value}"]) + "\n"


def _substituted(tree: Tree, dialect: Dialect, known: dict[str, str]) -> Tree:
    """Return the tree with variables for what is computed from the logit; note these, and how, in ``known``."""
    if tree in dialect.from_logit:
        name, line = dialect.from_logit[tree]
        known[name] = line
        return Variable(name)
    if isinstance(tree, Call):
        arguments = tuple(_substituted(argument, dialect, known) for argument in tree.arguments)
        if tree.primitive == "div" and isinstance(arguments[1], Constant):  # no need of protection
            return Call("mul", (arguments[0], Constant(1.0 / arguments[1].value)))
        return Call(tree.primitive, arguments)
    return tree


def _plain(text: str) -> str:
    """Keep text that comes from outside from ending the docstring it stands in."""
    return " ".join(text.replace("\\", "/").replace('"', "'").split())

"""Text that others have written, as Markdown shows it."""

from __future__ import annotations

import re

from markupsafe import Markup

SIGNS = re.compile(r"([\\`*_\[\]<>|#~&$])")
"""What Markdown could take for more than a letter."""


def escaped(value: object) -> str:
    r"""Return a value as Markdown shows it, in one line; what is Markup stays as it is.

    >>> print(escaped("a_b <c>\n# d"))
    a\_b \<c\> \# d
    """
    return value if isinstance(value, Markup) else SIGNS.sub(r"\\\1", " ".join(str(value).split()))


def code(text: str) -> Markup:
    """Return a text to be shown as it is, within a line.

    >>> print(code("a*b"), code("a`b"))
    `a*b` ``a`b``
    """
    fence = "`" * (_longest_run(text) + 1)
    edge = " " if text[:1] == "`" or text[-1:] == "`" else ""
    return Markup(f"{fence}{edge}{' '.join(text.splitlines())}{edge}{fence}")


def fenced(text: str) -> Markup:
    """Return a command to be shown as it is, in a block."""
    fence = "`" * max(3, _longest_run(text) + 1)
    return Markup(f"{fence}sh\n{text}\n{fence}")


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)

"""Checks of what comes from outside. Every message says what, the rule and the value received."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
import numpy.typing as npt


class InputError(ValueError):
    """What was given is wrong. The message is one line: what, where, the rule, the value.

    The command prints it and exits with status 2; nothing was changed.
    """


class MissingDependencyError(InputError):
    """An optional part is not installed. The message names what to install."""


def error_line(error: BaseException, most: int = 300) -> str:
    r"""Return an error's message on one line, of at most so many characters.

    >>> error_line(ValueError("sizes differ:\n  3 and 4"))
    'sizes differ: 3 and 4'
    """
    return " ".join(str(error).split())[:most]


def printable(text: str) -> str:
    r"""Return text with line breaks and control characters escaped: what comes from outside stays on its line.

    >>> printable("no file at a\nb")
    'no file at a\\nb'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def number(
    name: str, value: float, *, low: float = -math.inf, high: float = math.inf, above: float = -math.inf
) -> float:
    """Return ``value`` as a float if it is finite, in ``[low, high]`` and greater than ``above``.

    Raises:
        InputError: it is not.

    >>> number("learning rate", 0.001, above=0)
    0.001
    >>> number("learning rate", -1, above=0)
    Traceback (most recent call last):
    ganetics._check.InputError: learning rate must be above 0, got -1
    """
    if not math.isfinite(value):
        raise InputError(f"{name} must be finite, got {value}")
    if value <= above:
        raise InputError(f"{name} must be above {above:g}, got {value}")
    if value < low:
        raise InputError(f"{name} must be at least {low:g}, got {value}")
    if value > high:
        raise InputError(f"{name} must be at most {high:g}, got {value}")
    return float(value)


def one_of(name: str, value: str, allowed: Iterable[str]) -> str:
    """Return ``value`` if it is among ``allowed``; else raise an error that suggests the nearest three.

    Raises:
        InputError: it is not.

    >>> one_of("loss", "hinje", ["hinge", "ganetic"])
    Traceback (most recent call last):
    ganetics._check.InputError: unknown loss 'hinje', nearest: hinge
    """
    names = sorted(allowed)
    if value in names:
        return value
    near = get_close_matches(value, names, n=3, cutoff=0.5)
    hint = f"nearest: {', '.join(near)}" if near else f"known: {', '.join(names)}"
    raise InputError(f"unknown {name} {value!r}, {hint}")


def features(name: str, values: npt.ArrayLike, *, at_least: int = 2) -> npt.NDArray[np.float64]:
    """Return feature vectors as a float64 array ``[n, d]``.

    Raises:
        InputError: not two-dimensional, fewer than ``at_least`` rows, no columns, or not finite.
    """
    array: npt.NDArray[np.float64] = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] == 0:
        raise InputError(f"{name} must have shape [n, d] with d > 0, got {list(array.shape)}")
    if array.shape[0] < at_least:
        raise InputError(f"{name} must have at least {at_least} rows, got {array.shape[0]}")
    bad = int(np.count_nonzero(~np.isfinite(array)))
    if bad:
        raise InputError(f"{name} must be finite, got {bad} of {array.size} values that are not")
    return array


def images(name: str, tensor: Any, *, channels: Sequence[int] = (1, 3)) -> None:
    """Check a batch of images: uint8 or uint16 ``[n, c, h, w]`` with ``c`` in ``channels``.

    Raises:
        InputError: another dtype or shape.
    """
    if str(tensor.dtype).removeprefix("torch.") not in ("uint8", "uint16"):
        raise InputError(f"{name} must be uint8 (0 to 255) or uint16 (0 to 65535), got {tensor.dtype}")
    shape = list(tensor.shape)
    if len(shape) != 4 or shape[1] not in channels or 0 in shape:
        allowed = " or ".join(str(c) for c in channels)
        raise InputError(f"{name} must have shape [n, c, h, w] with c {allowed} and no empty side, got {shape}")

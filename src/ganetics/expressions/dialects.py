"""How expressions are written as source: the texts that :mod:`ganetics.expressions.export` puts together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ganetics.expressions.primitives import LARGEST_EXPONENT, SMALLEST_DIVISOR, SMALLEST_RADICAND
from ganetics.expressions.tree import LOG_ONE_MINUS_P, LOG_P, ONE_MINUS_P, P, Tree


@dataclass(frozen=True)
class Dialect:
    """A library in whose functions a loss can be written.

    Attributes:
        needs: what the file imports, in words.
        imports: of the file.
        separable: the two public functions, which call ``_real_term``, ``_fake_term`` and ``_generator_term``.
        paired: the same of a relativistic loss of pairs, which call ``_pair_term`` and ``_generator_term``.
        primitives: templates of primitives, where not as in an expression's text.
        from_logit: what is computed from the logit x: the variable's name, and the line that gives it.
        helpers: functions of the file by name, put in where they are called.
    """

    needs: str
    imports: str
    separable: str
    paired: str
    primitives: Mapping[str, str]
    from_logit: Mapping[Tree, tuple[str, str]]
    helpers: Mapping[str, str]


def _from_logit(sigmoid: str, log_sigmoid: str) -> dict[Tree, tuple[str, str]]:
    """Return the lines, given the templates of two functions of the logit."""
    return {
        P: ("p", f"p = {sigmoid.format('x')}"),
        ONE_MINUS_P: ("q", f"q = {sigmoid.format('-x')}  # 1 - p, without losing digits where p is near 1"),
        LOG_P: ("log_p", f"log_p = {log_sigmoid.format('x')}"),
        LOG_ONE_MINUS_P: ("log_q", f"log_q = {log_sigmoid.format('-x')}  # log(1 - p)"),
    }


PYTORCH = Dialect(
    needs="torch",
    imports="""
import torch
import torch.nn.functional as F
""",
    separable='''

def discriminator_loss(real_logits: torch.Tensor, fake_logits: torch.Tensor) -> torch.Tensor:
    """Return what the discriminator minimises: mean of the real terms plus mean of the fake terms."""
    return _real_term(real_logits.float()).mean() + _fake_term(fake_logits.float()).mean()


def generator_loss(fake_logits: torch.Tensor) -> torch.Tensor:
    """Return what the generator minimises."""
    return _generator_term(fake_logits.float()).mean()
''',
    paired='''

def discriminator_loss(real_logits: torch.Tensor, fake_logits: torch.Tensor) -> torch.Tensor:
    """Return what the discriminator minimises; each real logit is paired with one generated, so both have one shape."""
    return _pair_term(_differences(real_logits.float(), fake_logits.float())).mean()


def generator_loss(fake_logits: torch.Tensor, real_logits: torch.Tensor) -> torch.Tensor:
    """Return what the generator minimises; compute the real logits under torch.no_grad()."""
    return _generator_term(_differences(fake_logits.float(), real_logits.float())).mean()


def _differences(a, b):  # in pairs: nothing is broadcast
    if a.shape != b.shape:
        raise ValueError(f"logits must be of one shape, got {tuple(a.shape)} and {tuple(b.shape)}")
    return a - b
''',
    primitives={
        "div": "_divide({0}, {1})",
        "sqrt": f"torch.sqrt(torch.clamp(torch.abs({{0}}), min={SMALLEST_RADICAND}))",
        "log": f"torch.log(torch.clamp(torch.abs({{0}}), min={SMALLEST_DIVISOR}))",
        "exp": f"torch.exp(torch.clamp({{0}}, max={LARGEST_EXPONENT}))",
        "abs": "torch.abs({0})",
        "tanh": "torch.tanh({0})",
        "sin": "torch.sin({0})",
        "cos": "torch.cos({0})",
        "sigmoid": "torch.sigmoid({0})",
        "softplus": "F.softplus({0})",
        "relu": "torch.relu({0})",
        "maximum": "_maximum({0}, {1})",
        "minimum": "_minimum({0}, {1})",
    },
    from_logit=_from_logit("torch.sigmoid({})", "F.logsigmoid({})"),
    helpers={
        "_divide": f"""

def _divide(a, b):
    sign = torch.where(b < 0, -1.0, 1.0)
    return a / (sign * torch.clamp(torch.abs(b), min={SMALLEST_DIVISOR}))  # divisors stay away from zero
""",
        "_maximum": """

def _maximum(a, b):
    return torch.maximum(torch.as_tensor(a), torch.as_tensor(b))
""",
        "_minimum": """

def _minimum(a, b):
    return torch.minimum(torch.as_tensor(a), torch.as_tensor(b))
""",
    },
)

KERAS = Dialect(
    needs="keras (3, on any backend)",
    imports="""
from keras import ops


def _logits(values):
    return ops.cast(ops.convert_to_tensor(values), "float32")
""",
    separable='''

def discriminator_loss(real_logits, fake_logits):
    """Return what the discriminator minimises: mean of the real terms plus mean of the fake terms."""
    return ops.mean(_real_term(_logits(real_logits))) + ops.mean(_fake_term(_logits(fake_logits)))


def generator_loss(fake_logits):
    """Return what the generator minimises."""
    return ops.mean(_generator_term(_logits(fake_logits)))
''',
    paired='''

def discriminator_loss(real_logits, fake_logits):
    """Return what the discriminator minimises; each real logit is paired with one generated, so both have one shape."""
    return ops.mean(_pair_term(_differences(_logits(real_logits), _logits(fake_logits))))


def generator_loss(fake_logits, real_logits):
    """Return what the generator minimises; the real logits need no gradient."""
    return ops.mean(_generator_term(_differences(_logits(fake_logits), _logits(real_logits))))


def _differences(a, b):  # in pairs: nothing is broadcast; a size that is not known yet is None
    sizes = list(zip(a.shape, b.shape))
    if len(a.shape) != len(b.shape) or any(m != n for m, n in sizes if m is not None and n is not None):
        raise ValueError(f"logits must be of one shape, got {tuple(a.shape)} and {tuple(b.shape)}")
    return a - b
''',
    primitives={
        "div": "_divide({0}, {1})",
        "sqrt": f"ops.sqrt(_at_least(ops.abs({{0}}), {SMALLEST_RADICAND}))",
        "log": f"ops.log(_at_least(ops.abs({{0}}), {SMALLEST_DIVISOR}))",
        "exp": f"ops.exp(_at_most({{0}}, {LARGEST_EXPONENT}))",
        "abs": "ops.abs({0})",
        "tanh": "ops.tanh({0})",
        "sin": "ops.sin({0})",
        "cos": "ops.cos({0})",
        "sigmoid": "ops.sigmoid({0})",
        "softplus": "ops.softplus({0})",
        "relu": "ops.relu({0})",
        "maximum": "_maximum({0}, {1})",
        "minimum": "_minimum({0}, {1})",
    },
    from_logit=_from_logit("ops.sigmoid({})", "ops.log_sigmoid({})"),
    helpers={
        "_divide": f"""

def _divide(a, b):
    size = _at_least(ops.abs(b), {SMALLEST_DIVISOR})  # divisors stay away from zero
    return a / ops.where(b < 0, -size, size)
""",
        "_minimum": """

def _minimum(a, b):
    return -_maximum(-a, -b)
""",
        "_maximum": """

def _maximum(a, b):  # where both are equal half the slope is each one's, on every backend
    return ops.where(a > b, a, ops.where(a < b, b, 0.5 * a + 0.5 * b))
""",
        "_at_least": """

def _at_least(a, limit):
    return ops.where(a < limit, limit, a)
""",
        "_at_most": """

def _at_most(a, limit):
    return ops.where(a > limit, limit, a)
""",
    },
)

NUMPY = Dialect(
    needs="numpy",
    imports="""
import numpy as np


def _logits(values):
    return np.asarray(values, dtype=np.float64)
""",
    separable='''

def discriminator_loss(real_logits: np.ndarray, fake_logits: np.ndarray) -> float:
    """Return what the discriminator minimises: mean of the real terms plus mean of the fake terms."""
    return float(np.mean(_real_term(_logits(real_logits))) + np.mean(_fake_term(_logits(fake_logits))))


def generator_loss(fake_logits: np.ndarray) -> float:
    """Return what the generator minimises."""
    return float(np.mean(_generator_term(_logits(fake_logits))))
''',
    paired='''

def discriminator_loss(real_logits: np.ndarray, fake_logits: np.ndarray) -> float:
    """Return what the discriminator minimises; each real logit is paired with one generated, so both have one shape."""
    return float(np.mean(_pair_term(_differences(_logits(real_logits), _logits(fake_logits)))))


def generator_loss(fake_logits: np.ndarray, real_logits: np.ndarray) -> float:
    """Return what the generator minimises."""
    return float(np.mean(_generator_term(_differences(_logits(fake_logits), _logits(real_logits)))))


def _differences(a, b):  # in pairs: nothing is broadcast
    if a.shape != b.shape:
        raise ValueError(f"logits must be of one shape, got {tuple(a.shape)} and {tuple(b.shape)}")
    return a - b
''',
    primitives={
        "div": "_divide({0}, {1})",
        "sqrt": f"np.sqrt(np.maximum(np.abs({{0}}), {SMALLEST_RADICAND}))",
        "log": f"np.log(np.maximum(np.abs({{0}}), {SMALLEST_DIVISOR}))",
        "exp": f"np.exp(np.minimum({{0}}, {LARGEST_EXPONENT}))",
        "abs": "np.abs({0})",
        "tanh": "np.tanh({0})",
        "sin": "np.sin({0})",
        "cos": "np.cos({0})",
        "sigmoid": "_sigmoid({0})",
        "softplus": "np.logaddexp(0, {0})",
        "relu": "np.maximum({0}, 0)",
        "maximum": "np.maximum({0}, {1})",
        "minimum": "np.minimum({0}, {1})",
    },
    from_logit=_from_logit("_sigmoid({})", "-np.logaddexp(0, -({}))"),
    helpers={
        "_divide": f"""

def _divide(a, b):
    return a / (np.where(b < 0, -1, 1) * np.maximum(np.abs(b), {SMALLEST_DIVISOR}))  # divisors stay away from zero
""",
        "_sigmoid": """

def _sigmoid(a):
    return np.exp(-np.logaddexp(0, -a))  # without overflow
""",
    },
)

DIALECTS: Mapping[str, Dialect] = {"pytorch": PYTORCH, "keras": KERAS, "numpy": NUMPY}
"""By name."""

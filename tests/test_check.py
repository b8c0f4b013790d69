"""Messages say what, the rule and the value received, in one line."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
import torch

from ganetics import _check
from ganetics._check import InputError, MissingDependencyError


@pytest.mark.parametrize("value", [0, 0.5, 1, np.float32(0.25), np.int64(1)])
def test_a_number_in_its_range_comes_back_as_a_float(value: float) -> None:
    found = _check.number("share", value, low=0, high=1)
    assert type(found) is float
    assert found == value


@pytest.mark.parametrize(
    ("value", "rule", "message"),
    [
        (-1, {"above": 0}, "rate must be above 0, got -1"),
        (0.0, {"above": 0}, "rate must be above 0, got 0.0"),
        (1, {"low": 2}, "rate must be at least 2, got 1"),
        (3, {"low": 0, "high": 2.5}, "rate must be at most 2.5, got 3"),
        (1.0000001, {"high": 1}, "rate must be at most 1, got 1.0000001"),
        (math.nan, {"low": 0}, "rate must be finite, got nan"),
        (-math.inf, {}, "rate must be finite, got -inf"),
    ],
)
def test_a_number_outside_is_refused_with_rule_and_value(value: float, rule: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        _check.number("rate", value, **rule)


def test_an_unknown_name_suggests_the_nearest_three() -> None:
    names = {"train", "trace", "brain", "grain", "test", "all"}
    assert _check.one_of("split", "train", names) == "train"
    with pytest.raises(InputError, match=r"^unknown split 'rain', nearest: (\w+), (\w+), (\w+)$") as caught:
        _check.one_of("split", "rain", names)
    assert set(str(caught.value).split("nearest: ")[1].split(", ")) == {"train", "brain", "grain"}


def test_a_name_like_none_lists_all_and_stays_in_one_line() -> None:
    with pytest.raises(InputError, match=r"^unknown split 'x\\ny', known: test, train$"):
        _check.one_of("split", "x\ny", ["train", "test"])


def test_features_come_back_in_double_precision() -> None:
    given = torch.arange(6, dtype=torch.float32).reshape(3, 2)
    found = _check.features("features", given)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, [[0, 1], [2, 3], [4, 5]])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros(3), "real must have shape [n, d] with d > 0, got [3]"),
        (np.zeros((3, 0)), "real must have shape [n, d] with d > 0, got [3, 0]"),
        (np.zeros((2, 2, 2)), "real must have shape [n, d] with d > 0, got [2, 2, 2]"),
        (np.zeros((1, 4)), "real must have at least 2 rows, got 1"),
        ([[0.0, np.nan], [np.inf, 1.0]], "real must be finite, got 2 of 4 values that are not"),
    ],
)
def test_other_features_are_refused(values: Any, message: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        _check.features("real", values)


@pytest.mark.parametrize("library", [np, torch])
@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_images_of_both_libraries_pass(library: Any, kind: str) -> None:
    _check.images("batch", library.zeros((2, 3, 4, 5), dtype=getattr(library, kind)))


@pytest.mark.parametrize(
    ("shape", "dtype", "message"),
    [
        ((2, 1, 4, 4), torch.float32, "batch must be uint8 (0 to 255) or uint16 (0 to 65535), got torch.float32"),
        ((2, 2, 4, 4), torch.uint8, "c 1 or 3 and no empty side, got [2, 2, 4, 4]"),
        ((1, 4, 4), torch.uint8, "batch must have shape [n, c, h, w] with c 1 or 3 and no empty side, got [1, 4, 4]"),
        ((0, 1, 4, 4), torch.uint8, "got [0, 1, 4, 4]"),
        ((2, 1, 4, 0), torch.uint8, "got [2, 1, 4, 0]"),
    ],
)
def test_other_images_are_refused(shape: tuple[int, ...], dtype: torch.dtype, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        _check.images("batch", torch.zeros(shape, dtype=dtype))


def test_a_missing_dependency_is_an_input_error_too() -> None:
    assert issubclass(MissingDependencyError, InputError)
    assert issubclass(InputError, ValueError)

from __future__ import annotations

import numpy as np
import pytest

from ganetics.expressions.text import parse
from ganetics.search.surrogate import predictions, shape

KNOWN = np.array([[0.0], [1.0], [10.0], [11.0], [12.0], [30.0]])
SCORES = [1.0, 2.0, 9.0, 8.0, 7.0, 10.0]


def test_what_lies_near_good_losses_is_expected_to_be_good() -> None:
    good, bad = predictions(np.array([[0.2], [10.9]]), KNOWN, SCORES)
    assert good < 0.3 < 0.5 < bad
    known = predictions(KNOWN, KNOWN, SCORES)
    assert known == pytest.approx(np.array([0, 1, 4, 3, 2, 5]) / 5, abs=1e-4)  # its own rank, it is its nearest


def test_of_scores_the_order_alone_counts() -> None:
    wanted = np.array([[0.5], [20.0]])
    assert predictions(wanted, KNOWN, SCORES).tolist() == predictions(wanted, KNOWN, np.exp(SCORES).tolist()).tolist()


def test_scale_of_a_loss_is_not_in_its_shape() -> None:
    one, twice, other = (shape(parse(text)) for text in ("(y - p)**2", "2*(y - p)**2", "y*log(p)"))
    np.testing.assert_allclose(one, twice, atol=1e-9)
    assert np.abs(one - other).max() > 0.5

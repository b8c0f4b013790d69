"""Generators depend on their name alone: not on the process, nor on what was drawn before, nor on the release."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import product

import numpy as np
import pytest
import torch

from ganetics._random import numpy_generator, seed_of, torch_generator

PINNED = {
    (0, "weights"): 133441691874178746,
    (0, "latent"): 2015146304195746824,
    (1, "weights"): 5164344575451445340,
    (-1, "weights"): 4437782077609557464,
    (0, "mutation", 3, 14): 8031031710203420703,
}
"""A change of one of these changes every result that was ever published."""


@pytest.mark.parametrize("name", PINNED)
def test_seeds_are_pinned(name: tuple[int, str]) -> None:
    assert seed_of(*name) == PINNED[name]


def test_first_draws_are_pinned() -> None:
    assert numpy_generator(0, "mutation", 3).integers(0, 2**32, 3).tolist() == [151700290, 1152448489, 3573267787]
    draws = torch.randint(0, 2**31, (3,), generator=torch_generator(0, "weights"))
    assert draws.tolist() == [1161308377, 402544540, 254178520]


def test_seeds_are_the_same_in_other_processes() -> None:
    program = (
        "import sys; from ganetics._random import seed_of, numpy_generator; "
        "assert 'torch' not in sys.modules; "
        "print(seed_of(7, 'data', 2), numpy_generator(7, 'data', 2).integers(0, 2**40))"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert answers == {f"{seed_of(7, 'data', 2)} {numpy_generator(7, 'data', 2).integers(0, 2**40)}\n"}


def test_no_two_names_share_a_seed() -> None:
    names = [
        (run, role, *index)
        for run, role, index in product(range(-5, 20), ("weights", "latent", "data"), [(), (0,), (1,), (0, 1), (1, 0)])
    ]
    names += [(1, "data", 11), (11, "data", 1), (1, "data", 1, 1), (111, "data")]
    seeds = {seed_of(*name) for name in names}
    assert len(seeds) == len(set(names))
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_a_stream_depends_on_its_name_alone() -> None:
    before_numpy, before_torch = np.random.get_state()[1].tolist(), torch.get_rng_state()  # noqa: NPY002
    one, other = numpy_generator(0, "a"), numpy_generator(0, "b")
    mixed = [(one.random(), other.random()) for _ in range(5)]
    assert [a for a, _ in mixed] == numpy_generator(0, "a").random(5).tolist()
    first = torch.rand(5, generator=torch_generator(0, "a"))
    assert torch.equal(first, torch.rand(5, generator=torch_generator(0, "a")))
    assert not torch.equal(first, torch.rand(5, generator=torch_generator(0, "b")))
    assert np.random.get_state()[1].tolist() == before_numpy  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before_torch)

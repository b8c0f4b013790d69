from __future__ import annotations

from dataclasses import replace

import pytest

from ganetics.cli.images import warn_of_data
from ganetics.data import Skipped
from ganetics.training import RECIPES
from ganetics.trial import load_trial_data


@pytest.mark.parametrize("count", [49, 50])
def test_skipped_images_and_few_real_ones_are_told(count: int, capsys: pytest.CaptureFixture[str]) -> None:
    data = load_trial_data("digits", None, RECIPES["digits"].model_copy(update={"eval_samples": count}))
    bad = Skipped("a/1.png", "cannot be read: no image\n")
    warn_of_data(replace(data, train=replace(data.train, skipped=(bad,))))
    first, *others = capsys.readouterr().err.splitlines()
    assert first == r"ganetics: skipped a/1.png: cannot be read: no image\n"
    dimension = data.reference.features.shape[1]
    few = (
        f"ganetics: only 49 real images to compare with: a Fréchet distance of {dimension} features against 49 images "
        "is mostly noise, at any quality: go by the kernel distance (KID)"
    )
    assert others == ([few] if count < 50 else [])

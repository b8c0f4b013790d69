"""The page of the losses names every loss and every fault that is tested, and its code runs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import torch

from ganetics.catalogue import CATALOGUE
from ganetics.losses import SeparableLoss, per_sample

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "losses.md").read_text(encoding="utf-8")
FAULTS = (ROOT / "tests" / "losses" / "test_known_faults.py").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| ")]


def test_every_loss_has_its_formula_and_its_place_beside_public_code() -> None:
    names = [row[0].strip("`") for row in ROWS if re.fullmatch(r"`[\w*-]+`", row[0])]
    formulas = names[: names.index("f-js") + 1]
    published = [name for name, entry in CATALOGUE.items() if entry.provenance is None]
    assert formulas == published
    beside = names[len(formulas) :]
    assert sorted(beside) == sorted([name for name in published if not name.startswith("f-")] + ["f-*"])


def test_the_formulas_are_those_of_the_losses() -> None:
    x = np.linspace(-5, 5, 23)
    p = 1 / (1 + np.exp(-x))
    known = {"x": x, "p": p, "exp": np.exp, "sp": lambda a: np.logaddexp(0, a), "max": np.maximum, "log2": np.log(2)}
    checked = 0
    for name, *cells in ROWS:
        entry = CATALOGUE.get(name.strip("`"))
        if entry is None or len(cells) != 3 or not isinstance(loss := entry.make(), SeparableLoss):
            continue
        for cell, term in zip(cells, per_sample(loss), strict=True):
            code = cell.replace("√(3.985/p)", "(3.985/p)**0.5").replace("²", "**2").replace("³", "**3")
            code = code.replace("−", "-").replace("·", "*").replace("log 2", "log2")
            assert np.allclose(eval(code, {}, known), term(torch.from_numpy(x)).numpy(), rtol=1e-9), (name, cell)
            checked += 1
    assert checked == 3 * sum(entry.expression is not None for entry in CATALOGUE.values() if entry.provenance is None)


def test_relativistic_losses_are_said_to_be_of_separable_ones() -> None:
    assert "**A relativistic loss of any separable one**" in PAGE
    assert "`relativistic-average(least-squares)`\n  is not `ra-least-squares`" in PAGE


def test_every_fault_has_its_test_and_every_test_its_fault() -> None:
    faults = [row for row in ROWS if re.fullmatch("[A-Z]", row[0])]
    assert [row[0] for row in faults] == list("ABCDEFGHIJKL")
    named = [name for row in faults for name in re.findall(r"`(test_\w+)`", row[3])]
    assert sorted(named) == sorted(re.findall(r"^def (test_\w+)", FAULTS, flags=re.MULTILINE))
    comparison = " ".join(cell for row in ROWS if len(row) == 7 for cell in row[1:])
    used = set(re.findall(r"(?<![A-Za-z'*])[A-L](?![A-Za-z'‖])", comparison))
    assert used | {"L"} == set("ABCDEFGHIJKL")  # L is in no library


def test_the_code_runs() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    found: dict[str, torch.Tensor] = {}
    exec(compile(block, "docs/losses.md", "exec"), found)
    assert found["d_loss"].isfinite()
    assert found["g_loss"].isfinite()

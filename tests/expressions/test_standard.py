from __future__ import annotations

import subprocess
import sys

import pytest

from ganetics._check import InputError
from ganetics.catalogue import CATALOGUE
from ganetics.expressions.standard import STANDARD, named_or_parsed
from ganetics.expressions.text import parse


def test_these_are_the_catalogues_separable_losses() -> None:
    published = {name: entry for name, entry in CATALOGUE.items() if entry.provenance is None}
    separable = {name: entry.expression for name, entry in published.items() if entry.expression is not None}
    assert separable == STANDARD


def test_a_name_or_a_text() -> None:
    assert named_or_parsed("hinge") == parse(STANDARD["hinge"])
    assert named_or_parsed("p**3") == parse("p**3")
    with pytest.raises(InputError, match=r"unknown loss 'hinje', nearest: hinge, f-hellinger$"):
        named_or_parsed("hinje")
    with pytest.raises(InputError, match=r"unknown loss 'hinje', nearest: hunge$"):
        named_or_parsed("hinje", ["hunge"])
    with pytest.raises(InputError, match="unknown variable 'q'"):
        named_or_parsed("q + 1")


def test_no_torch_is_needed() -> None:
    program = (
        "import sys; sys.modules['torch'] = None\n"  # as if it were not installed
        "import ganetics.expressions.standard, ganetics.expressions.bind, ganetics.expressions.numeric"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr

"""What one is told where Keras is not installed. (What it does where it is: test_keras.py.)"""

from __future__ import annotations

import importlib
import sys

import pytest

from ganetics._check import MissingDependencyError


def test_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ganetics.keras", raising=False)
    monkeypatch.setitem(sys.modules, "keras", None)  # as if it were not installed
    with pytest.raises(MissingDependencyError, match=r"^keras is not installed: .* pip install keras tensorflow"):
        importlib.import_module("ganetics.keras")

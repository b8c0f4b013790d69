"""What all tests share: a cache of their own, the place of the real data, the blocks of docs/recipes.md."""

from __future__ import annotations

import ast
import importlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from uuid import uuid4

import pytest
from hypothesis import settings

# the same examples on each run: a test that fails on another commit says nothing of that commit
settings.register_profile("same", derandomize=True, deadline=None)
settings.load_profile("same")

os.environ.setdefault("KERAS_BACKEND", "torch")  # Keras's own default is TensorFlow, installed or not

# Ray reads its token once a process; without one of the tests' own it would write one into the home folder
os.environ.setdefault("RAY_AUTH_TOKEN", uuid4().hex)


@pytest.fixture(autouse=True, scope="session")
def session_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep decoded images and features in a folder of this session, shared by its processes; never the user's."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANETICS_CACHE", str(shared / "cache"))
        yield shared / "cache"


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Return the folder that holds ``mnist/`` and the other real data sets; for tests marked ``realdata``."""
    chosen = os.environ.get("GANETICS_TEST_DATA")
    folder = Path(chosen) if chosen else Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data: GANETICS_TEST_DATA names their folder, there is none at {folder}")
    return folder


@pytest.fixture(scope="session")
def jobs() -> Iterator[ModuleType]:
    """Return the module of jobs that the workers of an executor can import."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent / "jobs"))
        yield importlib.import_module("executor_jobs")


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Return what imports a script of benchmarks/ by its name."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))
    return importlib.import_module


@dataclass(frozen=True)
class Recipes:
    """The code blocks of docs/recipes.md, which stand there and nowhere else."""

    text: str

    @property
    def sections(self) -> dict[str, str]:
        """Heading → text below it."""
        return dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", self.text, flags=re.DOTALL | re.MULTILINE))

    def blocks(self, heading: str, language: str = "python") -> list[str]:
        """Return a section's code blocks in this language."""
        return re.findall(rf"^```{language}\n(.*?)^```$", self.sections[heading], flags=re.DOTALL | re.MULTILINE)

    @staticmethod
    def changed(source: str, block: str) -> str:
        """Return a host's source with the block's lines in place of those that do the same; the others go to its top.

        Two lines do the same if they assign to one name (a number or None does not count: the host prepares for the
        line to come), or call one function with one first argument.
        """
        top = ast.parse(block).body
        new = {what: line for line in top if (what := _what_it_does(line))}
        used = set()

        class Put(ast.NodeTransformer):
            def visit(self, node: ast.AST) -> ast.AST:
                what = _what_it_does(node)
                if what is None or what not in new:
                    return self.generic_visit(node)
                used.add(what)
                return new[what]

        host = Put().visit(ast.parse(source))
        kept = [line for line in top if _what_it_does(line) not in used]
        return "\n".join(ast.unparse(part) for part in (*kept, host))


def _what_it_does(node: ast.AST) -> str | None:
    match node:
        case ast.Assign(value=ast.Constant()):
            return None
        case ast.Assign(targets=[target]):
            return ast.unparse(target)
        case ast.Expr(value=ast.Call(func=function, args=[first, *_])):
            return f"{ast.unparse(function)}({ast.unparse(first)})"
    return None


@pytest.fixture(scope="session")
def recipes() -> Recipes:
    """Return the blocks of docs/recipes.md."""
    return Recipes((Path(__file__).parents[1] / "docs" / "recipes.md").read_text(encoding="utf-8"))

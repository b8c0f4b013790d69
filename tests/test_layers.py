"""Imports go down the levels of docs/design.md only, and no module imports itself on any way."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "ganetics"
LEVELS: tuple[tuple[str, ...], ...] = (
    ("_check.py", "_files.py", "_random.py", "records.py"),
    ("losses/", "metrics/", "models/", "data/", "execution/"),
    ("expressions/", "training/"),
    ("catalogue.py", "keras.py", "features/"),
    ("trial/",),
    ("search/", "generation/", "benchmark/", "anomaly/"),
    ("report/",),
    ("cli/",),
)
LEVEL_OF = {part.rstrip("/").removesuffix(".py"): level for level, parts in enumerate(LEVELS) for part in parts}
GROUND = 0
"""The level whose files may import each other; on all others only what lies in one folder may."""

OPTIONAL: Mapping[str, set[str]] = {
    "keras": {"ganetics.keras"},
    "lightning_fabric": {"ganetics.training.ranks"},
    "onnx": {"ganetics.models.graph"},
    "onnxruntime": {"ganetics.anomaly.onnx_script", "ganetics.generation.onnx_script", "ganetics.models.graph"},
    "onnxscript": {"ganetics.models.graph"},
    "pydicom": {"ganetics.data.dicom"},
    "ray": {"ganetics.execution.ray"},
}
"""What is not installed with the package → where it is imported; the scripts that exports come with stand alone."""

Imports = Mapping[str, Mapping[str, int]]
"""Module → the package's modules that it imports → the line."""


def sources() -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted((ROOT / "src" / PACKAGE).rglob("*.py")):
        parts = path.relative_to(ROOT / "src").with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text(encoding="utf-8")
    return found


def imported_names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield every dotted name that is imported anywhere: at the top, in functions, under TYPE_CHECKING, by a string."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((alias.name, node.lineno) for alias in names)
            case ast.ImportFrom(module=module, names=names, level=0):
                yield from ((f"{module}.{alias.name}", node.lineno) for alias in names)
            case ast.ImportFrom():
                raise AssertionError(f"line {node.lineno}: imports are written with the package's name")
            case ast.Call(
                func=ast.Attribute(attr="import_module") | ast.Name(id="import_module" | "__import__"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield name, node.lineno


def imports_of(modules: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """Return what each module imports of ``modules`` (name → source): the module itself, not its packages."""
    found: dict[str, dict[str, int]] = {}
    for module, source in modules.items():
        found[module] = {}
        for name, line in imported_names(ast.parse(source)):
            # a name inside a module is not a module: the longest prefix that is one is what is imported
            while name and name not in modules:
                name = name.rpartition(".")[0]
            if name:
                found[module].setdefault(name, line)
    return found


def part_of(module: str) -> str | None:
    """Return the part that a module belongs to; None for the package itself: below all levels, it imports nothing."""
    return module.split(".")[1] if "." in module else None


def wrong_directions(imports: Imports) -> list[str]:
    found = []
    for module, targets in imports.items():
        for target, line in targets.items():
            one, other = part_of(module), part_of(target)
            if one == other or other is None:
                continue
            here, there = -1 if one is None else LEVEL_OF[one], LEVEL_OF[other]
            if there > here or (there == here != GROUND):
                found.append(f"{module}, line {line}: imports {target} of level {there} from level {here}")
    return found


def circle(imports: Imports) -> list[str]:
    """Return the modules of a circle, the first again at the end; empty if there is none."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_every_module_has_a_level() -> None:
    parts = {part_of(module) for module in sources()} - {None}
    assert parts == set(LEVEL_OF)


def test_the_levels_are_those_of_the_design() -> None:
    rows = re.findall(r"^\| (\d+) \| `(\S+)` \|", (ROOT / "docs" / "design.md").read_text(encoding="utf-8"), re.M)
    assert rows == [(str(level), part) for level, parts in enumerate(LEVELS) for part in parts]


def test_imports_go_down() -> None:
    imports = imports_of(sources())
    assert sum(map(len, imports.values())) > 100  # the checker sees what there is
    assert wrong_directions(imports) == []


def test_there_is_no_circle() -> None:
    assert circle(imports_of(sources())) == []


MADE_UP = {
    "ganetics": "",
    "ganetics._check": "",
    "ganetics.records": "from ganetics._check import InputError",
    "ganetics.data": "from ganetics.data.cache import cached",
    "ganetics.data.cache": "import numpy\nfrom ganetics import _check, records",
    "ganetics.losses": "",
    "ganetics.trial": "from ganetics.data import cached",
}


@pytest.mark.parametrize(
    ("module", "source", "message"),
    [
        ("ganetics.data.cache", "from ganetics.trial import run", "line 1: imports ganetics.trial of level 4"),
        ("ganetics._check", "def f():\n    import ganetics.data.cache as c", "line 2: imports ganetics.data.cache of"),
        ("ganetics.losses", "if TYPE_CHECKING:\n    from ganetics import trial", "line 2: imports ganetics.trial of"),
        ("ganetics.losses", "from ganetics.data.cache import x", "imports ganetics.data.cache of level 1 from level 1"),
        ("ganetics", "from ganetics.records import Record", "imports ganetics.records of level 0 from level -1"),
        ("ganetics.losses", "importlib.import_module('ganetics.trial')", "imports ganetics.trial of level 4"),
    ],
    ids=["at the top", "in a function", "for types", "between folders of a level", "of the package", "by a string"],
)  # fmt: skip
def test_a_wrong_direction_is_found(module: str, source: str, message: str) -> None:
    assert wrong_directions(imports_of(MADE_UP)) == []
    (found,) = wrong_directions(imports_of({**MADE_UP, module: source}))
    assert found.startswith(module)
    assert message in found


def test_a_circle_is_found() -> None:
    assert circle(imports_of(MADE_UP)) == []
    bent = {**MADE_UP, "ganetics._check": "def f():\n    from ganetics.records import Record"}
    assert set(circle(imports_of(bent))) == {"ganetics._check", "ganetics.records"}
    whole_folder = {**MADE_UP, "ganetics.data.cache": "from ganetics.data import cached"}
    assert set(circle(imports_of(whole_folder))) == {"ganetics.data", "ganetics.data.cache"}


def test_a_relative_import_is_refused() -> None:
    with pytest.raises(AssertionError, match="line 1"):
        imports_of({"ganetics.data": "from .cache import cached"})


def test_what_is_optional_is_imported_in_one_place() -> None:
    found: dict[str, set[str]] = {name: set() for name in OPTIONAL}
    for module, source in sources().items():
        for name, _ in imported_names(ast.parse(source)):
            if (package := name.partition(".")[0]) in OPTIONAL:
                found[package].add(module)
    assert found == OPTIONAL

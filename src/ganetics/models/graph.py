"""A network as an ONNX graph: written by PyTorch, run by ONNX Runtime, and left only where both were found equal."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ganetics._check import MissingDependencyError
from ganetics._files import in_place_of

INSTALL = "pip install onnx onnxruntime onnxscript, or ganetics[onnx]"
OPSET = 18
EXAMPLE = 3
"""Rows of the inputs that a graph is traced with: neither 0 nor 1, which would be taken for constants."""


def runtime() -> Any:
    """Return ONNX Runtime.

    Raises:
        MissingDependencyError: it, or what writes graphs, is not installed.
    """
    try:
        import onnx  # type: ignore[import-not-found, import-untyped, unused-ignore]  # noqa: F401
        import onnxruntime  # type: ignore[import-not-found, import-untyped, unused-ignore]
        import onnxscript  # type: ignore[import-not-found, import-untyped, unused-ignore]  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(f"export to ONNX: {error.name} is not installed: {INSTALL}") from None
    return onnxruntime


def write_graph(
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    path: Path,
    *,
    outputs: Sequence[str],
    check: Callable[[Path], None],
) -> None:
    """Write the graph of a module to ``path``, once ``check`` has accepted it; else nothing is there.

    Args:
        module: in evaluation mode.
        inputs: name → tensor ``[n, …]``, n at least 3, in the order of the module's arguments; any n can be given to
            the graph.
        path: the file.
        outputs: names of what the module returns.
        check: gets the path of the written graph, and raises where it is not equal to the module.

    Raises:
        MissingDependencyError: ONNX is not installed.
    """
    runtime()  # before anything is written
    rows = torch.export.Dim("n")
    with in_place_of(path) as temporary, _quiet():
        torch.onnx.export(
            module,
            tuple(tensor[:EXAMPLE] for tensor in inputs.values()),
            str(temporary),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_shapes=tuple({0: rows} for _ in inputs),
            opset_version=OPSET,
            external_data=False,
            dynamo=True,
            verbose=False,
        )
        _without_notes(temporary)
        check(temporary)


def _without_notes(path: Path) -> None:
    """Take out what the exporter notes of each operation, such as the file of this machine that it is written in."""
    import onnx  # type: ignore[import-not-found, import-untyped, unused-ignore]

    model = onnx.load(path)
    _clear(model)
    onnx.save(model, path)


def _clear(message: Any) -> None:
    for name in ("doc_string", "metadata_props"):
        if name in message.DESCRIPTOR.fields_by_name:
            message.ClearField(name)
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in value if hasattr(value, "__len__") else (value,):
                _clear(part)


def run_graph(model: Path, inputs: Mapping[str, Tensor], outputs: Sequence[str]) -> list[npt.NDArray[np.generic]]:
    """Return the named outputs of a graph for these inputs, from ONNX Runtime on the processor.

    Raises:
        MissingDependencyError: ONNX is not installed.
    """
    session = runtime().InferenceSession(model, providers=["CPUExecutionProvider"])
    found: list[npt.NDArray[np.generic]] = session.run(
        list(outputs), {name: tensor.numpy() for name, tensor in inputs.items()}
    )
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's notes about itself from the user: what matters is checked."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)

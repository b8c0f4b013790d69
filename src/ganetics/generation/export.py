"""A generator to take elsewhere: its weights, an ONNX graph that was checked, and a script that needs no PyTorch."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

import ganetics
from ganetics._check import InputError, MissingDependencyError, error_line
from ganetics._files import write_atomically
from ganetics._random import torch_generator
from ganetics.generation import onnx_script
from ganetics.generation.results import FitConfig, stored_configuration
from ganetics.generation.sample import best_state
from ganetics.models import build_gan
from ganetics.models.graph import OPSET, run_graph, runtime, write_graph
from ganetics.records import DataIdentity, Recipe, Record, read_record, write_json
from ganetics.training import TrainingState

WEIGHTS, DESCRIPTION, GRAPH, SCRIPT = "generator.safetensors", "generator.json", "generator.onnx", "sample.py"
CHECKED = 64
"""Latents that the graph and PyTorch are compared on."""
SAME = 1e-3
"""Values of images, between −1 and 1, may differ by this: an eighth of one of 256 grays."""
OUTPUT = "images"


class GraphCheck(Record):
    """How the graph was found equal to PyTorch."""

    opset: int
    latents: int
    largest_difference: float
    """Of values between −1 and 1."""
    tolerance: float


class ExportedGenerator(Record):
    """All that is needed to build the generator, and what it came from."""

    schema_version: Literal[1] = 1
    recipe: Recipe
    classes: tuple[str, ...] = ()
    """Names of the labels 0, 1 …; none where the generator knows no classes."""
    average: bool
    """Whether the weights are the moving average over training."""
    step: int
    """Updates of the generator after which they were taken."""
    seed: int
    loss: str
    data: DataIdentity
    """The training images."""
    weights_sha256: str
    graph: GraphCheck | None
    """None: no graph was written."""
    versions: dict[str, str]


def export(run: Path, out: Path) -> tuple[list[str], str | None]:
    """Write the network that ``ganetics sample`` takes images from to a folder.

    ``generator.safetensors`` and ``generator.json``; where ONNX is installed also ``generator.onnx``, latents
    ``[n, latent_dim]`` (and labels, int64 ``[n]``) to images float32 ``[n, c, h, w]`` in [-1, 1], found equal to
    PyTorch on 64 latents within 1e-3, and ``sample.py``, which writes images with it.

    Returns:
        The names of the files, and what is missing for a graph; None if nothing is.

    Raises:
        InputError: the run has no generator, or one that diverged, or the folder is not empty.
        RuntimeError: the graph gives other images than the generator; nothing was written.
    """
    config, state = stored_configuration(run), best_state(run)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: must be an empty folder or not be there yet")
    try:
        runtime()
        missing = None
    except MissingDependencyError as error:
        missing = str(error)
    out.mkdir(parents=True, exist_ok=True)
    graph = None if missing else checked_graph(state, out / GRAPH)
    weights = save_tensors({key: value.contiguous() for key, value in state.sampler.state_dict().items()})
    write_atomically(out / WEIGHTS, weights)
    description = _described(config, state, weights, graph)
    write_json(out / DESCRIPTION, description)
    if graph is None:
        return [WEIGHTS, DESCRIPTION], missing
    shutil.copy(onnx_script.__file__, out / SCRIPT)
    return [WEIGHTS, DESCRIPTION, GRAPH, SCRIPT], None


def _described(config: FitConfig, state: TrainingState, weights: bytes, graph: GraphCheck | None) -> ExportedGenerator:
    return ExportedGenerator(
        recipe=config.recipe,
        classes=config.classes,
        average=state.average is not None,
        step=state.step,
        seed=state.seed,
        loss=config.loss,
        data=config.data,
        weights_sha256=hashlib.sha256(weights).hexdigest(),
        graph=graph,
        versions={"ganetics": ganetics.__version__, "torch": str(torch.__version__)},
    )


def load_generator(folder: Path) -> tuple[nn.Module, ExportedGenerator]:
    """Return an exported generator, in evaluation mode on the processor, and what it came from.

    Raises:
        InputError: a file is missing or damaged, or the weights are not those that the description names.
    """
    where = folder / DESCRIPTION
    described = read_record(ExportedGenerator, where)
    try:
        content = (folder / WEIGHTS).read_bytes()
    except OSError as error:
        raise InputError(f"generator: cannot read {folder / WEIGHTS}: {error.strerror}") from None
    if (found := hashlib.sha256(content).hexdigest()) != described.weights_sha256:
        raise InputError(
            f"generator: {folder / WEIGHTS} must have SHA-256 {described.weights_sha256}, which {DESCRIPTION} names, "
            f"got {found}"
        )
    net = build_gan(described.recipe, generator=torch_generator(0, "weights")).generator
    try:
        net.load_state_dict(load_tensors(content))
    except (SafetensorError, RuntimeError) as error:
        raise InputError(f"generator: {folder / WEIGHTS} does not fit: {error_line(error, 200)}") from None
    return net.eval().requires_grad_(False), described


def checked_graph(state: TrainingState, path: Path) -> GraphCheck:
    """Write the graph of a state's generator, once it is found equal to PyTorch on 64 latents.

    Raises:
        MissingDependencyError: ONNX is not installed.
        RuntimeError: it is not equal; no file is left.
    """
    net = state.sampler.cpu().eval()
    inputs = _inputs(state.recipe)
    found: list[float] = []

    def check(graph: Path) -> None:
        # one alone too: a graph may have learnt by heart how many it was traced with
        found.extend(difference(graph, net, part) for part in (inputs, {key: x[:1] for key, x in inputs.items()}))
        if not max(found) <= SAME:
            raise RuntimeError(
                f"the ONNX graph gives other images than the generator: they differ by {max(found):.3g} of a range "
                f"of 2, more than {SAME:g}"
            )

    write_graph(net, inputs, path, outputs=[OUTPUT], check=check)
    return GraphCheck(opset=OPSET, latents=CHECKED, largest_difference=max(found), tolerance=SAME)


def difference(graph: Path, net: nn.Module, inputs: dict[str, Tensor]) -> float:
    """Return the largest difference of a value between the images of a graph and those of a network."""
    (images,) = run_graph(graph, inputs, [OUTPUT])
    with torch.inference_mode():
        expected: Tensor = net(*inputs.values())
    return float(np.abs(images - expected.numpy()).max())


def _inputs(recipe: Recipe) -> dict[str, Tensor]:
    z = torch.randn(CHECKED, recipe.latent_dim, generator=torch_generator(0, "export"))
    return {"latents": z, "labels": torch.arange(CHECKED) % recipe.classes} if recipe.classes else {"latents": z}

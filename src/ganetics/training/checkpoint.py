"""A training run on the disk: one folder, safetensors and JSON, whole at any moment.

A folder holds ``state.json`` and the ``tensors-STEP.safetensors`` that it names. The new tensors are written first,
then ``state.json`` is replaced in one operation, then the old tensors are removed: a kill at any point leaves the
old checkpoint or the new one.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal, Protocol

import torch
from pydantic import Field
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from ganetics._check import InputError, error_line
from ganetics._files import remove_abandoned, write_atomically
from ganetics.records import Recipe, Record, read_record, to_json
from ganetics.training.ranks import Ranks
from ganetics.training.state import TrainingState, start

STATE_FILE = "state.json"


class Trained(Protocol):
    """Anything that is trained and can be gone on with."""

    @property
    def random(self) -> Mapping[str, torch.Generator]: ...
    def networks(self) -> Mapping[str, nn.Module]: ...
    def optimizers(self) -> Mapping[str, torch.optim.Adam]: ...


class _Saved(Record):
    """What is no tensor."""

    schema_version: Literal[1] = 1
    recipe: Recipe
    seed: int
    step: int = Field(ge=0)
    loss: str | None
    history: tuple[dict[str, int | float], ...]
    tensors: str
    """Name of the file of tensors, in the same folder."""
    device: str = "cpu"
    """Kind of device it was trained on: states of random generators are of no use on another."""


def exists(folder: Path) -> bool:
    """Return whether the folder holds a checkpoint."""
    return (Path(folder) / STATE_FILE).is_file()


def save(folder: Path, state: TrainingState) -> None:
    """Write a checkpoint that replaces the folder's previous one.

    Holds the weights and buffers, both optimizers' moments and steps, the moving average, the augmentation's
    probability, the step, the generators' states, the history, the recipe, the seed and the loss's name.

    Raises:
        OSError: the disk is full or the folder not writable; the previous checkpoint is intact.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    saved = _Saved(
        recipe=state.recipe,
        seed=state.seed,
        step=state.step,
        loss=state.loss,
        history=tuple(state.history),
        tensors=f"tensors-{state.step}.safetensors",
        device=state.device.type,
    )
    adapted = {} if state.augment_p is None else {"augment/p": state.augment_p.cpu()}
    write_atomically(folder / saved.tensors, save_tensors({**tensors_of(state), **adapted}))
    write_atomically(folder / STATE_FILE, (to_json(saved) + "\n").encode())
    for old in folder.glob("tensors-*.safetensors"):
        if old.name != saved.tensors:
            with suppress(OSError):
                old.unlink()
    remove_abandoned(folder, "tensors-*.safetensors")


def load(
    folder: Path, *, device: torch.device | str = "cpu", ranks: Ranks | None = None, to_train: bool = True
) -> TrainingState:
    """Read a checkpoint. Training on from it equals never having stopped, bit for bit on the same machine.

    Args:
        folder: it.
        device: as for :func:`ganetics.training.start`; of the kind that it was trained on, if it is to be trained on.
        ranks: as there.
        to_train: false: only the networks are read, to sample from, which any device does.

    Raises:
        InputError: there is none, a file is damaged, its schema version is not known to this release, or it is to be
            trained on with another kind of device.
    """
    folder = Path(folder)
    where = folder / STATE_FILE
    saved = read_record(_Saved, where, "checkpoint")
    if Path(saved.tensors).name != saved.tensors:
        raise InputError(f"{where}: tensors must name a file in the same folder, got {saved.tensors!r}")
    state = start(saved.recipe, saved.seed, device, ranks=ranks)
    if to_train and saved.device != state.device.type:
        raise InputError(
            f"checkpoint {folder}: must be trained on where it was trained, {saved.device}, as its random numbers are "
            f"of there, got {state.device.type}"
        )
    try:
        tensors = load_tensors((folder / saved.tensors).read_bytes())
        (fill_ if to_train else fill_networks_)(state, tensors)
        if state.augment_p is not None:
            state.augment_p.copy_(tensors["augment/p"])
    except FileNotFoundError:
        raise InputError(f"checkpoint: no file at {folder / saved.tensors}") from None
    except (SafetensorError, RuntimeError, KeyError) as error:
        raise InputError(f"checkpoint: {folder / saved.tensors} does not fit: {error_line(error, 200)}") from None
    state.step, state.loss, state.history = saved.step, saved.loss, [dict(line) for line in saved.history]
    return state


def tensors_of(state: Trained) -> dict[str, Tensor]:
    """Return all that changes in training: weights, moments, states of generators."""
    tensors = {f"random/{role}": source.get_state() for role, source in state.random.items()}
    for name, net in state.networks().items():
        tensors |= {f"{name}/{key}": value for key, value in net.state_dict().items()}
    for name, optimizer in state.optimizers().items():
        for index, moments in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{name}/{index}/{key}": value for key, value in moments.items()}
    return {key: value.detach().cpu().contiguous() for key, value in tensors.items()}


def fill_networks_(state: Trained, tensors: dict[str, Tensor]) -> None:
    """Put the weights and buffers of :func:`tensors_of` into networks of the same kind, in place.

    Raises:
        KeyError: a tensor is missing.
        RuntimeError: one has another shape.
    """
    for name, net in state.networks().items():
        net.load_state_dict({key: tensors[f"{name}/{key}"] for key in net.state_dict()})


def fill_(state: Trained, tensors: dict[str, Tensor]) -> None:
    """Put the tensors of :func:`tensors_of` into networks, optimizers and generators of the same kind, in place.

    Raises:
        KeyError: a tensor is missing.
        RuntimeError: one has another shape.
    """
    for role, source in state.random.items():
        source.set_state(tensors[f"random/{role}"])
    fill_networks_(state, tensors)
    for name, optimizer in state.optimizers().items():
        moments: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            if key.startswith(f"optimizer/{name}/"):
                _, _, index, moment = key.split("/")
                moments.setdefault(int(index), {})[moment] = value
        optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
        # The fused kernel walks weights and moments in the order of memory: the moments must lie as their weights do.
        for weight, loaded in optimizer.state.items():
            for moment in ("exp_avg", "exp_avg_sq"):
                loaded[moment] = torch.empty_like(weight).copy_(loaded[moment])

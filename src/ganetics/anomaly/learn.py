"""Training of networks that held-out normals stop: the weights of the best look at them are kept."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from ganetics._check import InputError, error_line
from ganetics._files import write_atomically
from ganetics.anomaly.detector import BATCH, Place
from ganetics.records import to_json
from ganetics.training.batches import scaled
from ganetics.training.checkpoint import fill_, tensors_of
from ganetics.training.loop import Diverged

CHECKPOINT_SECONDS = 15.0


@dataclass
class Learning:
    """A training at one moment.

    Attributes:
        nets: what is trained, by name.
        adams: name of an optimizer → optimizer.
        random: generators that are drawn from step by step.
        step: updates made.
        best_step: after which the best look was.
        best: the held-out loss then.
        history: (step, held-out loss) of each look.
    """

    nets: Mapping[str, nn.Module]
    adams: Mapping[str, torch.optim.Adam]
    random: Mapping[str, torch.Generator] = field(default_factory=dict)
    step: int = 0
    best_step: int = 0
    best: float = math.inf
    history: list[tuple[int, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._kept = {f"kept-{name}": copy.deepcopy(net).requires_grad_(False) for name, net in self.nets.items()}

    def networks(self) -> Mapping[str, nn.Module]:
        """Return the networks, and their copies from the best look."""
        return {**self.nets, **self._kept}

    def optimizers(self) -> Mapping[str, torch.optim.Adam]:
        """Return the optimizers."""
        return self.adams

    def look(self, loss: float) -> None:
        """Take note of a look at the held-out images, and keep the weights if it is the best so far.

        Raises:
            Diverged: the loss is not finite.
        """
        if not math.isfinite(loss):
            raise Diverged(f"the loss of held-out normals is {loss}", self.step)
        self.history.append((self.step, loss))
        if loss < self.best:
            self.best, self.best_step = loss, self.step
            for name, net in self.nets.items():
                self._kept[f"kept-{name}"].load_state_dict(net.state_dict())

    def take_best(self) -> None:
        """Put the weights of the best look into the networks."""
        for name, net in self.nets.items():
            net.load_state_dict(self._kept[f"kept-{name}"].state_dict())


@dataclass(frozen=True)
class Plan:
    """How long, and how often held-out normals are looked at."""

    steps: int
    check_every: int
    patience: int


def learn(
    learning: Learning,
    batch: Callable[[int], Tensor],
    plan: Plan,
    *,
    update: Callable[[Tensor], None],
    held_out: Callable[[], float],
    place: Place,
    name: str,
) -> None:
    """Train, in place, until the steps are over or ``patience`` looks brought nothing better; take the best weights.

    Goes on from what an interrupted training has left in the place, to the same weights as if it had not stopped.

    Args:
        learning: networks and optimizers before the first step.
        batch: what is trained on in a step, for its number; depends on nothing else.
        plan: how long.
        update: makes one step from a batch.
        held_out: returns the loss of the held-out normals; smaller is better. Networks are in eval mode.
        place: where it keeps what it can go on from.
        name: of this training in the place.

    Raises:
        Diverged: the held-out loss is not finite.
    """
    folder = place.inside(name)
    if folder is not None:
        _resume(learning, folder)
    saved = time.monotonic()
    while learning.step < plan.steps and not _over(learning, plan):
        _mode(learning, train=True)
        update(batch(learning.step))
        learning.step += 1
        if learning.step % plan.check_every and learning.step < plan.steps:
            continue
        _mode(learning, train=False)
        with torch.no_grad():
            learning.look(held_out())
        place.tell(learning.step, plan.steps, f"{name}: held-out loss {learning.history[-1][1]:.4g}")
        if folder is not None and time.monotonic() - saved >= CHECKPOINT_SECONDS:
            _save(learning, folder)
            saved = time.monotonic()
    learning.take_best()
    _mode(learning, train=False)
    if folder is not None:
        _save(learning, folder)


def mean_over(images: Tensor, loss: Callable[[Tensor], Tensor]) -> float:
    """Return the mean of a loss ``[b, c, h, w] -> [b]`` over uint8 images, in batches."""
    parts = [loss(scaled(part)).double().sum() for part in torch.split(images, BATCH)]
    return float(torch.stack(parts).sum() / len(images))


def _over(learning: Learning, plan: Plan) -> bool:
    return learning.step - learning.best_step >= plan.patience * plan.check_every


def _mode(learning: Learning, *, train: bool) -> None:
    for net in learning.nets.values():
        net.train(train)


def _file(folder: Path) -> Path:
    return folder / "learning.safetensors"


def _save(learning: Learning, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    state = {"step": learning.step, "best_step": learning.best_step, "history": learning.history}
    write_atomically(_file(folder), save_tensors(tensors_of(learning), metadata={"state": to_json(state)}))


def _resume(learning: Learning, folder: Path) -> None:
    file = _file(folder)
    if not file.exists():
        return
    try:
        with safe_open(file, framework="pt") as opened:
            state = json.loads(opened.metadata()["state"])
            fill_(learning, {key: opened.get_tensor(key) for key in opened.keys()})  # noqa: SIM118 - no mapping
    except (SafetensorError, RuntimeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{file}: cannot be gone on with: {error_line(error, 200)}") from None
    learning.step, learning.best_step = int(state["step"]), int(state["best_step"])
    learning.history = [(int(step), float(loss)) for step, loss in state["history"]]
    learning.best = dict(learning.history).get(learning.best_step, math.inf)

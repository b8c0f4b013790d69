"""A training step of the paper's networks (28.1 M and 0.52 M weights, batch 128), ours beside Keras 3 on TensorFlow.

    make bench-keras        # makes the environment that Keras needs, and runs this

Each side runs in a process of its own with one thread, turn and turn about; the figure is the ratio of the median
CPU seconds of a step, in float32 and in bfloat16. Goal: at least 1.2 times the throughput of Keras.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch

from ganetics._random import torch_generator
from ganetics.execution.process import ONE_THREAD, environment, prepare
from ganetics.losses import GANetic
from ganetics.training import RECIPES, start, train

HERE = Path(__file__).parent
PRECISIONS = ("float32", "bfloat16")
KERAS_POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


def measure(precision: str, steps: int) -> list[float]:
    """Return the CPU seconds of a step (one figure: the mean over ``steps``), after two of warming up."""
    prepare()
    recipe = RECIPES["paper"].model_copy(update={"precision": precision})
    state, loss = start(recipe, 0), GANetic()
    images = torch.randint(0, 256, (1000, 3, 32, 32), dtype=torch.uint8, generator=torch_generator(0, "images"))
    train(state, loss, images, until=2)
    begin = time.process_time()
    # in one go: the weights are looked at for divergence every 50 steps and at the end of a call
    train(state, loss, images, until=2 + steps)
    return [(time.process_time() - begin) / steps]


def in_process(command: list[str]) -> list[float]:
    import os

    done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **ONE_THREAD})
    found: list[float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keras-python", help="the interpreter of an environment with keras and tensorflow")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only", choices=PRECISIONS, help="measure this alone, and print the seconds")
    given = parser.parse_args()
    if given.only:
        print(json.dumps(measure(given.only, given.steps)))
        return
    commands = {p: [sys.executable, __file__, "--only", p, "--steps", str(given.steps)] for p in PRECISIONS}
    if given.keras_python:
        for policy in KERAS_POLICIES.values():
            commands[f"keras-{policy}"] = [
                given.keras_python,
                str(HERE / "paper_step_keras.py"),
                str(given.steps),
                policy,
            ]
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(given.rounds):
        for name, command in commands.items():
            seconds[name] += in_process(command)
            print(f"{name}: {statistics.median(seconds[name]):.3f} s a step", file=sys.stderr, flush=True)
    median = {name: statistics.median(times) for name, times in seconds.items()}
    result = {
        "command": f"make bench-keras (--steps {given.steps} --rounds {given.rounds})",
        "cpu_seconds_a_step": {name: round(value, 3) for name, value in median.items()},
        "times_keras": {
            f"{ours} against {theirs}": round(median[f"keras-{theirs}"] / median[ours], 3)
            for ours in PRECISIONS
            for theirs in KERAS_POLICIES.values()
            if f"keras-{theirs}" in median
        },
        "environment": environment(),
    }
    print(json.dumps(result, indent=1))
    if given.out:
        given.out.write_text(json.dumps(result, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()

"""What the rule for collapsed runs (``src/ganetics/benchmark/collapse.py``) sees of images known to be good or bad.

    python benchmarks/collapse_rule.py mnist --data-dir DIR --out results/collapse-rule/mnist

Controls: other real images, few of them repeated, one class, noise. Runs: each loss at rates low, right and too high,
scored early and at the end; one training seed that no other run uses. Against the recipe's validation images.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganetics._random import seed_of, torch_generator
from ganetics.catalogue import loss_named_or_parsed
from ganetics.execution.process import environment
from ganetics.metrics import frechet_distance, neighbourhood_scores
from ganetics.records import write_json
from ganetics.training import RECIPES, sample
from ganetics.trial import TrialData, load_trial_data, run_trial
from ganetics.trial.metrics import Features

FEW = 32
"""Images that a collapsed generator is made to repeat."""


def scores(data: TrialData, features: Features) -> dict[str, float]:
    found = asdict(neighbourhood_scores(data.reference.features, features))
    return {"fid": float(frechet_distance(data.reference.gaussian, features)), **found}


def controls(data: TrialData, n: int) -> dict[str, dict[str, float]]:
    images = data.train.images
    real = data.extractor(images[:n])
    # not quite equal, or their neighbours' distances are zero
    jitter = np.random.default_rng(seed_of(0, "jitter")).normal(0, 1e-3, real.shape).astype(np.float32)
    noise = torch.randint(0, 256, (n, *images.shape[1:]), dtype=torch.uint8, generator=torch_generator(0, "noise"))
    made = {"other real images": real, f"{FEW} real images, repeated": real[np.arange(n) % FEW] + jitter}
    if data.train.labels is not None:
        made["real images of one class"] = data.extractor(images[data.train.labels == 0][:n])
    made["noise"] = data.extractor(noise)
    return {name: scores(data, features) for name, features in made.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", choices=("mnist", "cifar10"))
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--n", type=int, default=5000)
    parser.add_argument("--losses", nargs="+", default=["ganetic", "non-saturating", "least-squares", "wasserstein"])
    parser.add_argument("--rates", nargs="+", type=float, default=[0.1, 1.0, 3.0])
    given = parser.parse_args()
    torch.set_num_threads(1)
    recipe = RECIPES[given.recipe].model_copy(update={"eval_samples": given.n})
    data = load_trial_data(given.recipe, given.data_dir, recipe)
    seed = seed_of(0, "collapse rule")
    runs: list[dict[str, Any]] = []
    for name in given.losses:
        for rate in given.rates:
            state = None
            for until in (recipe.steps // 4, recipe.steps):
                arguments = loss_named_or_parsed(name), recipe.at_rate(rate), data
                outcome, state = run_trial(*arguments, seed=seed, until=until, state=state)
                line: dict[str, Any] = {"loss": name, "rate": rate, "step": until}
                if outcome.metrics is None:
                    runs.append(line | {"fid": None})
                    break
                images = sample(state, given.n, generator=torch_generator(state.seed, "evaluation"))
                runs.append(line | scores(data, data.extractor(images)))
                print(runs[-1], flush=True)
    options = f"--n {given.n} --losses {' '.join(given.losses)} --rates {' '.join(f'{rate:g}' for rate in given.rates)}"
    result = {
        "command": f"python benchmarks/collapse_rule.py {given.recipe} --data-dir DIR --out DIR {options}",
        "controls": controls(data, given.n),
        "runs": runs,
        "environment": environment(),
    }
    given.out.mkdir(parents=True, exist_ok=True)
    write_json(given.out / "summary.json", result)


if __name__ == "__main__":
    main()

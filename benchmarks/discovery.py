"""Is the loss that was found better than GANetic and than the best of the standard losses? Decided by frozen rules.

    python benchmarks/discovery.py freeze LABEL LOSS results/bench-A results/bench-B … [--out results/discovery]
    python benchmarks/discovery.py judge [--out results/discovery]

``freeze`` writes ``protocol.json`` before the first of these benchmarks begins: which loss, which benchmarks, what is
compared and how. ``judge`` follows it, from the benchmarks' archives alone: on each dataset the found loss against
GANetic and against the best standard loss (that of the lowest mean log FID of the tuning runs at its own best rate:
validation images, other seeds), each at its own best rate; paired t test on log FID over the final seeds, Holm over all
comparisons. Second, steadiness: the worst case over all rates that every loss was tried at, at each tuning seed, the
same way.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

from ganetics._check import InputError
from ganetics._random import numpy_generator
from ganetics.benchmark.config import BenchConfig, Contender
from ganetics.benchmark.protocol import departures, frozen
from ganetics.benchmark.statistics import Comparison, Runs, as_family, compare
from ganetics.benchmark.tables import Line, distance
from ganetics.catalogue import loss_named_or_parsed
from ganetics.cli.losses_given import contenders_given
from ganetics.execution.log import Log, read_config_as
from ganetics.records import Record, read_record, write_json

GANETIC = "ganetic"
VARIANTS = (GANETIC, "ganetic-batch-sum")
"""What no standard loss is."""
RULES = (
    "benchmarks: each confirmatory, with a protocol of its own",
    "best standard loss of a dataset: of the other contenders of its benchmark but ganetic-batch-sum the one with the "
    "fewest failed tuning runs at its own best rate, of such the lowest mean log FID; only the found loss is compared",
    "quality: log FID at the last step of the final runs, paired by seed, two-sided paired t test (signed-rank if a "
    "run failed, a failure being larger than all others), Holm over two comparisons a dataset, 0.05",
    "steadiness: at each tuning seed the largest log FID over the rates that all losses were tried at; the same test, "
    "a family of its own",
)


class Discovery(Record):
    """What is held to."""

    schema_version: int = 1
    found: Contender
    """The loss and its penalties, as every benchmark has it."""
    runs: tuple[str, ...]
    rules: tuple[str, ...] = RULES


def freeze(label: str, text: str, folders: Sequence[Path]) -> Discovery:
    """Return what is held to.

    Raises:
        InputError: a benchmark has begun, or it is no loss.
    """
    (found,) = contenders_given(f"{label}={text}")
    loss_named_or_parsed(found.loss)
    for folder in folders:
        if folder.exists():
            raise InputError(f"{folder}: must not have begun before the loss is frozen, is there")
    return Discovery(found=found, runs=tuple(map(str, folders)))


def judged(plan: Discovery) -> dict[str, Any]:
    """Return what the benchmarks say of the found loss.

    Raises:
        InputError: a benchmark is not confirmatory, without the found loss, or not as its protocol has it to the end.
    """
    label = plan.found.label
    datasets: dict[str, Any] = {}
    quality: list[Comparison] = []
    steadiness: list[Comparison] = []
    for folder in map(Path, plan.runs):
        config = read_config_as(BenchConfig, folder)
        protocol, lines = frozen(folder, config), Log(folder / "archive.jsonl").read()
        if protocol is None or plan.found not in config.contenders:
            raise InputError(f"{folder}: must be confirmatory, with {plan.found}, got {config.contenders}")
        if departed := departures(protocol, config, lines, where=folder / "archive.jsonl"):
            raise InputError(f"{folder}: must be as its protocol has it, to the end; {' '.join(departed)}")
        rivals = (GANETIC, best_standard(label, lines))
        dataset = str(lines[0]["dataset"])
        final: dict[str, Runs] = {name: finals(lines, name) for name in (label, *rivals)}
        worst = worst_cases(lines)
        for rival in rivals:
            for kind, runs, into in (("quality", final, quality), ("steadiness", worst, steadiness)):
                generator = numpy_generator(0, f"discovery/{kind}/{dataset}/{rival}")
                name = f"{label} on {dataset}"
                into.append(compare(runs[label], runs[rival], loss=name, reference=rival, generator=generator))
        datasets[dataset] = {
            "best_standard": rivals[1],
            "geometric_mean": {name: geometric_mean(runs.values()) for name, runs in final.items()},
            "worst_over_rates": {name: _finite(max(worst[name].values())) for name in final},
        }
    return {
        "loss": label,
        "datasets": datasets,
        "quality": [asdict(one) for one in as_family(quality)],
        "steadiness": [asdict(one) for one in as_family(steadiness)],
    }


def best_standard(loss: str, lines: Sequence[Line]) -> str:
    """Return the standard loss that tuning runs say is best."""
    tuning = [one for one in lines if one["phase"] == "tuning" and one["loss"] not in (loss, *VARIANTS)]
    levels: dict[str, dict[float, list[float]]] = {}
    for one in tuning:
        levels.setdefault(one["loss"], {}).setdefault(one["rate"], []).append(math.log(distance(one)))
    return min(levels, key=lambda name: (min(map(_score, levels[name].values())), name))


def finals(lines: Sequence[Line], loss: str) -> dict[int, float]:
    """Return seed → FID of a loss's final runs."""
    return {one["seed"]: distance(one) for one in lines if one["phase"] == "final" and one["loss"] == loss}


def worst_cases(lines: Sequence[Line]) -> dict[str, Runs]:
    """Return loss → seed → the largest FID over the rates that all losses were tried at."""
    tuning = [one for one in lines if one["phase"] == "tuning"]
    tried: dict[str, set[float]] = {}
    for one in tuning:
        tried.setdefault(one["loss"], set()).add(one["rate"])
    common = set.intersection(*tried.values())
    worst: dict[str, dict[int, float]] = {name: {} for name in tried}
    for one in (one for one in tuning if one["rate"] in common):
        runs = worst[one["loss"]]
        runs[one["seed"]] = max(runs.get(one["seed"], 0.0), distance(one))
    return dict(worst)


def _score(logs: Sequence[float]) -> tuple[int, float]:
    ended = [value for value in logs if math.isfinite(value)]
    return len(logs) - len(ended), fmean(ended) if ended else math.inf


def geometric_mean(distances: Collection[float]) -> float | None:
    """Return the geometric mean; None without distances, or if one is infinite: a run that failed."""
    return _finite(math.exp(fmean(map(math.log, distances)))) if distances else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("freeze", "judge"))
    parser.add_argument("loss", nargs="?")
    parser.add_argument("text", nargs="?", help="a loss, perhaps with +PENALTY:WEIGHT")
    parser.add_argument("runs", nargs="*", type=Path)
    parser.add_argument("--out", type=Path, default=Path("results/discovery"))
    given = parser.parse_args()
    path = given.out / "protocol.json"
    if given.what == "freeze":
        if path.exists():
            raise InputError(f"{path}: must not be there, what is frozen stays")
        begun = freeze(given.loss, given.text, given.runs)
        given.out.mkdir(parents=True, exist_ok=True)
        write_json(path, begun.model_dump(mode="json"))
        return
    plan = read_record(Discovery, path)
    result = {"command": "python benchmarks/discovery.py judge", **judged(plan)}
    write_json(given.out / "summary.json", result)
    for one in result["quality"]:
        print(one["loss"], "against", one["reference"], one["ratio"], one["p_holm"])


if __name__ == "__main__":
    main()

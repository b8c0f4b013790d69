"""The pool of learning curves from which racing, twin hash, screen and toy gate are judged by replay, without training.

    python benchmarks/curve_pool.py --data-dir DIR [--out results/curve-pool] [--survivors 120] [--rejected 24]

Trains on MNIST: random trees that the screen lets pass, some that it rejects (to know how many good ones it would have
cost), and the catalogue's losses; three seeds each, the same for all, scored at several steps on the way. The order is
seed after seed, so that a pool that was stopped is a whole pool with fewer seeds. Killed and started again, it goes on
where it was.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from ganetics._random import numpy_generator, seed_of
from ganetics.execution import Completed, PoolExecutor, RunFolder
from ganetics.execution.process import environment
from ganetics.expressions.text import to_text
from ganetics.expressions.tree import Tied, variables
from ganetics.records import Recipe, Record
from ganetics.search.screen import screen
from ganetics.search.variation import Grammar, ramped
from ganetics.training import RECIPES
from ganetics.trial import TrialJob, TrialReply, run_job

STEPS = (75, 150, 300, 450)
"""Where curves are scored, beside the recipe's end."""
KNOWN = ("ganetic", "ganetic-batch-sum", "non-saturating", "minimax", "least-squares", "hinge", "wasserstein")
WORTH_A_LOOK = ("optimum", "target", "steep")
"""Reasons of the screen that are judgements; the others are facts (not finite, too large, a variable unused)."""


class PoolConfig(Record):
    """What decides the pool."""

    schema_version: int = 1
    dataset: str = "mnist"
    recipe: Recipe
    score_at: tuple[int, ...] = STEPS
    catalogue: tuple[str, ...] = KNOWN
    survivors: int
    rejected: int
    seeds: int


@dataclass(frozen=True)
class Member:
    loss: str
    kind: str
    """"catalogue", "survivor", "twin" (of an earlier survivor) or the screen's reason."""


def members(config: PoolConfig) -> list[Member]:
    """Return the pool's losses: a function of the configuration alone."""
    random, grammar = numpy_generator(0, "curve pool"), Grammar()
    found = [Member(name, "catalogue") for name in config.catalogue]
    seen: set[str] = set()
    wanted = {"survivor": config.survivors, "twin": config.rejected // 4}
    wanted |= dict.fromkeys(WORTH_A_LOOK, config.rejected // 4)
    while any(wanted.values()):
        tree = ramped(grammar, random)
        if variables(tree) != {"y", "p"}:
            continue
        verdict = screen(Tied(tree))
        kind = verdict.reason or ("twin" if verdict.signature in seen else "survivor")
        if wanted.get(kind, 0) == 0:
            continue
        wanted[kind] -= 1
        seen |= {verdict.signature} if kind == "survivor" else set()
        found.append(Member(to_text(Tied(tree)), kind))
    return found


def line(member: Member, job: TrialJob, result: Completed) -> dict[str, object]:
    reply = result.value if isinstance(result.value, TrialReply) else None
    outcomes = [*reply.curve, reply.outcome] if reply else []
    scored = [outcome for outcome in outcomes if outcome.metrics]
    failure = reply.outcome.failure if reply else None
    return {
        "loss": member.loss,
        "kind": member.kind,
        "seed": job.seed,
        "lr": job.recipe.learning_rate,
        "curve": [[outcome.step, (outcome.metrics or {})["fid"]] for outcome in scored],
        "failure": failure.kind.value if failure else (None if reply else "crashed"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--out", type=Path, default=Path("results/curve-pool"))
    parser.add_argument("--survivors", type=int, default=120)
    parser.add_argument("--rejected", type=int, default=24)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    recipe = RECIPES["mnist"]
    config = PoolConfig(recipe=recipe, survivors=given.survivors, rejected=given.rejected, seeds=given.seeds)
    with RunFolder(given.out) as run, PoolExecutor(given.workers) as pool:
        run.begin(config.model_dump(mode="json"), resume=(given.out / "config.json").exists())
        run.note_environment(environment())
        plan = [(member, seed) for seed in range(config.seeds) for member in members(config)]
        rest = plan[len(run.archive.replay()) :]
        jobs = [
            TrialJob(m.loss, recipe, "mnist", given.data_dir, seed_of(0, "curve pool", s), score_at=STEPS)
            for m, s in rest
        ]
        results = pool.map_in_order(run_job, jobs, seconds=20 * recipe.seconds)
        for number, ((member, _), job, result) in enumerate(
            zip(rest, jobs, results, strict=True), len(plan) - len(rest) + 1
        ):
            run.timings.append({"loss": member.loss, "seed": job.seed, "cpu_seconds": round(result.cpu_seconds, 2)})
            run.archive.append(line(member, job, result))
            print(f"{number}/{len(plan)}", flush=True)


if __name__ == "__main__":
    main()

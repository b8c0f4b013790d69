from __future__ import annotations

from typing import Any

from ganetics.benchmark.export import csv_text
from ganetics.benchmark.times import Times, times

LINES = [
    {"index": index, "dataset": "mnist", "recipe": "mnist", "steps": 600, "phase": phase, "loss": loss, "fid": fid}
    for index, (phase, loss, fid) in enumerate([
        ("final", "hinge", 3.0), ("final", "hinge", 4.0), ("final", "hinge", None), ("final", "slow", 3.0),
        ("common", "hinge", 3.0), ("common", "slow", 3.0),
    ])
]  # fmt: skip


def cost(index: int, seconds: float, **others: Any) -> dict[str, Any]:
    return {"kind": "run", "index": index, "cpu_seconds": seconds, "wall_seconds": 2 * seconds} | others


TIMINGS = [cost(0, 99.0), cost(0, 10.0), cost(1, 13.0), cost(2, 1.0), cost(3, 40.0), {"index": 4}, cost(9, 1.0)]


def test_times_are_medians_of_the_runs_that_ended() -> None:
    """A run that failed is stopped early; of one that was made twice the last counts; what is not known is left out."""
    assert times(LINES, TIMINGS) == (
        Times("mnist", "mnist", 600, "final", "hinge", 2, 11.5, 23.0),
        Times("mnist", "mnist", 600, "final", "slow", 1, 40.0, 80.0),
    )
    assert times(LINES, []) == ()


def test_times_as_csv() -> None:
    assert csv_text(times(LINES, TIMINGS)).splitlines()[:2] == [
        "dataset,recipe,steps,phase,loss,runs,cpu_seconds,wall_seconds", "mnist,mnist,600,final,hinge,2,11.5,23.0"
    ]  # fmt: skip


def test_damaged_timings_are_passed_over() -> None:
    damaged = [{"cpu_seconds": 1.0}, cost(0, 1.0) | {"wall_seconds": None}, cost(1, 2.0) | {"index": [1]}, {}]
    damaged.append({"index": 3, "cpu_seconds": "long", "wall_seconds": 1.0})
    assert times(LINES, [*TIMINGS, *damaged]) == times(LINES, TIMINGS)

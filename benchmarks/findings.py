"""Write the tables of docs/findings.md and docs/findings-details.md from results/: none of their figures is typed.

    python benchmarks/findings.py [--check]

With ``--check`` nothing is written, and the exit code is 1 if a page is not what the results say.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from discovery import finals, geometric_mean, worst_cases
from marked import NOT_YET, markdown, number, run

from ganetics._random import numpy_generator
from ganetics.benchmark.statistics import as_family, compare
from ganetics.execution.log import Log

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "docs" / "findings.md", ROOT / "docs" / "findings-details.md")
BENCHES = {"MNIST": "bench-mnist", "CIFAR-10": "bench-cifar10", "histology": "bench-histology", "polyps": "bench-polyp"}
"""Heading → folder under results/."""
FOUND = "evolved-pairing"
RPGAN = "relativistic-pairing+r1:0.05+r2:0.05"
RIVALS = ("ganetic", "non-saturating", "wasserstein", RPGAN)
"""That the loss that was found is compared with after the fact."""
DATASETS = {"mnist": "MNIST", "cifar10": "CIFAR-10", "histology-colon": "histology", "polyp-patches": "polyps"}
NAMES = {
    "ganetic": "GANetic",
    "ganetic-batch-sum": "GANetic, batch sum",
    "non-saturating": "BCE, non-saturating",
    "minimax": "BCE, minimax",
    "hinge": "hinge",
    "least-squares": "least squares",
    "wasserstein": "Wasserstein",
    "wasserstein+gradient:10": "Wasserstein + GP",
    RPGAN: "RpGAN + R1 + R2",
}
STEADIER = ((FOUND, "ganetic"), (FOUND, "non-saturating"), (FOUND, RPGAN), ("ganetic", "non-saturating"))
AGAIN = ((FOUND, "ganetic"), (FOUND, "non-saturating"))
Tables = Mapping[str, Any]
RunsOf = Callable[[Sequence[Mapping[str, Any]]], Mapping[str, Mapping[int, float]]]
"""Lines of an archive to loss → seed → FID."""


def read(name: str) -> Any:
    return json.loads((ROOT / "results" / name).read_text(encoding="utf-8"))


def benches() -> dict[str, Tables]:
    """Return heading → tables.json of the benchmarks that were run."""
    there = {heading: f"{folder}/tables.json" for heading, folder in BENCHES.items()}
    return {heading: read(path) for heading, path in there.items() if (ROOT / "results" / path).exists()}


def interval(found: Mapping[str, Any] | None) -> str:
    """Return mean and interval of what ended; None: nothing did."""
    if found is None:
        return "∞"
    ends = "" if found.get("low") is None else f" ({number(found['low'])} to {number(found['high'])})"
    return number(found.get("mean", found.get("value"))) + ends


def stars(p: float | None) -> str:
    """Mark what Holm's correction leaves: * below 0.05, *** below 0.001."""
    return "" if p is None or p >= 0.05 else "\\*" if p >= 0.001 else "\\*\\*\\*"


def by_loss(columns: Mapping[str, Mapping[str, str]], best: Mapping[str, str] | None = None) -> str:
    """Return a table of losses by columns; the best of a column is bold."""
    if not columns:
        return NOT_YET
    losses = list(dict.fromkeys(loss for cells in columns.values() for loss in cells))
    losses.sort(key=lambda loss: list(NAMES).index(loss) if loss in NAMES else -1)
    bold = best or {}
    rows = []
    for loss in losses:
        cells = {heading: column.get(loss, "") for heading, column in columns.items()}
        shown = [f"**{cell}**" if bold.get(heading) == loss else cell for heading, cell in cells.items()]
        rows.append([NAMES.get(loss, loss), *shown])
    return markdown(["loss", *columns], rows)


def phase(name: str) -> str:
    """Geometric mean FID with interval, the ratio to GANetic with Holm's stars, the rate; bold is the first by rank.

    In the last row real images beside real ones.
    """
    columns, best, floors = {}, {}, {}
    for heading, tables in benches().items():
        table = tables["tables"][name]
        ratios = {one["loss"]: one for one in table["comparisons"]}
        columns[heading] = {
            row["loss"]: interval(row["fid"]["geometric"])
            + failures(row["fid"])
            + compared(ratios.get(row["loss"]))
            + ("" if name == "common" else f", ×{row['rate']:.3g}")
            for row in table["rows"]
        }
        best[heading] = next(row["loss"] for row in table["rows"] if row["rank"]["value"] == 1)
        floors[heading] = f"{number(table['facts']['floor'])} ({table['facts']['floor_n']:,} a side)"
    table = by_loss(columns, best)
    cells = [floors.get(heading, "") for heading in columns]
    return table if table == NOT_YET else f"{table}\n| *real images* | {' | '.join(cells)} |"


def failures(fid: Mapping[str, Any]) -> str:
    return f", {fid['failed']} of {fid['n']} failed" if fid["failed"] else ""


def compared(one: Mapping[str, Any] | None) -> str:
    """Return the ratio to the reference; nothing of the reference itself, or where no pair ended."""
    return f"; {number(one['ratio']['mean'])}{stars(one['p_holm'])}" if one and one["ratio"] else ""


def spread() -> str:
    """Standard deviation over the mean of each loss's final runs, the worst of them, and how many collapsed."""
    columns = {}
    for heading, tables in benches().items():
        rows = tables["tables"]["final"]["rows"]
        columns[heading] = {
            row["loss"]: f"{percent(row['fid'])}, {number(row['fid']['worst'])}, "
            f"{round(row['collapsed']['value'] * row['fid']['n'])} of {row['fid']['n']}"
            for row in rows
        }
    return by_loss(columns)


def percent(fid: Mapping[str, Any]) -> str:
    """Return the standard deviation in percent of the mean; infinite where a run failed."""
    return "∞" if fid["failed"] or not fid["mean"] or fid["sd"] is None else f"{100 * fid['sd'] / fid['mean']:.1f} %"


def qualities() -> str:
    """The other figures of the final runs: means over seeds."""
    names = ("kid", "precision", "recall", "coverage")
    columns = {
        heading: {
            row["loss"]: " / ".join(figure(row["metrics"].get(name)) for name in names)
            for row in tables["tables"]["final"]["rows"]
        }
        for heading, tables in benches().items()
    }
    return by_loss(columns)


def figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.2g}"


def steadiness(by: str) -> str:
    """The worst of all runs over the levels that all losses were tried at; ratio to GANetic's, seed by seed."""
    columns, best = {}, {}
    for heading, tables in benches().items():
        rows = tables["steadiness"].get(by, [])
        if not rows:
            continue
        columns[heading] = {row["loss"]: number(row["worst"]) + compared(row["comparison"]) for row in rows}
        best[heading] = rows[0]["loss"]
    return by_loss(columns, best)


def share_of_the_rate() -> str:
    """GANetic's FID over that of BCE at each learning rate, at the common one, and with each at the rate chosen."""
    rows = []
    if not benches():
        return NOT_YET
    for heading, tables in benches().items():
        levels = {
            row["loss"]: {level["value"]: level["fid"] for level in row["levels"]}
            for row in tables["steadiness"]["rates"]
        }
        ours, theirs = levels["ganetic"], levels["non-saturating"]
        shared = [value for value in sorted(set(ours) & set(theirs)) if ours[value] and theirs[value]]
        at = [f"×{value:g}: {ours[value]['mean'] / theirs[value]['mean']:.2f}" for value in shared]
        seeds = {min(ours[value]["n"], theirs[value]["n"]) for value in shared}
        ends = [against_bce(tables, name) for name in ("common", "final")]
        rows.append([heading, ", ".join(at), " to ".join(map(str, sorted(seeds))), *ends])
    return markdown(["dataset", "tuning runs", "seeds", "fresh runs, ×1", "fresh runs, each at the rate chosen"], rows)


def against_bce(tables: Tables, name: str) -> str:
    made = tables["tables"].get(name, {}).get("comparisons", [])
    one = next((one for one in made if one["loss"] == "non-saturating"), None)
    return "" if one is None else inverse(one["ratio"])


def inverse(ratio: Mapping[str, Any] | None) -> str:
    if ratio is None:
        return ""
    ends = "" if ratio["low"] is None else f" ({1 / ratio['high']:.2f} to {1 / ratio['low']:.2f})"
    return f"{1 / ratio['mean']:.2f}{ends}"


def cost() -> str:
    """Median core seconds of a final run."""
    columns = {}
    for heading, folder in BENCHES.items():
        path = ROOT / "results" / folder / "times.csv"
        if path.exists():
            rows = csv.DictReader(path.read_text(encoding="utf-8").splitlines())
            columns[heading] = {
                row["loss"]: number(float(row["cpu_seconds"])) for row in rows if row["phase"] == "final"
            }
    return by_loss(columns)


def beside() -> str:
    """The loss that was found over others, at the rates that tuning chose and at ×1: after the fact, not corrected."""
    rows = []
    for heading in benches():
        made = lines(BENCHES[heading])
        for rival in RIVALS:
            cells = []
            for name in ("final", "common"):
                runs = [finals([{**line, "phase": "final"} for line in made if line["phase"] == name], one)
                        for one in (FOUND, rival)]  # fmt: skip
                generator = numpy_generator(0, f"findings/{name}/{heading}/{rival}")
                one = compare(*runs, loss=FOUND, reference=rival, generator=generator)
                cells += ratio_cells({"ratio": None if one.ratio is None else asdict(one.ratio), "p_holm": one.p})
            rows.append([heading, NAMES[rival], *cells])
    header = ["dataset", "against", "each at the rate chosen", "p", "at ×1, fewer seeds", "p"]
    return markdown(header, rows) if rows else NOT_YET


def compute() -> str:
    """On MNIST, where runs were scored on their way: what was found, after fewer steps, over others at their end."""
    made = [line for line in lines("bench-mnist") if line["phase"] == "final"]
    seconds = update_seconds("bench-mnist")
    curves = {
        loss: {line["seed"]: dict(map(tuple, line["curve"])) for line in made if line["loss"] == loss}
        for loss in (FOUND, *RIVALS)
    }
    steps = sorted({step for curve in curves[FOUND].values() for step in curve})
    rows = []
    for rival in RIVALS:
        ends = {seed: curve[steps[-1]] for seed, curve in curves[rival].items()}
        cells = []
        for step in steps[1:]:
            runs = {seed: curve[step] for seed, curve in curves[FOUND].items()}
            generator = numpy_generator(0, f"findings/compute/{step}/{rival}")
            one = compare(runs, ends, loss=FOUND, reference=rival, generator=generator)
            cells.append(interval(None if one.ratio is None else asdict(one.ratio)))
        even = steps[-1] * seconds[rival] / seconds[FOUND]
        rows.append([NAMES[rival], *cells, f"{10 * round(even / 10)} steps"])
    header = ["against, after all its steps", *(f"after {step}" for step in steps[1:]), "as much time as its"]
    return markdown(header, rows)


def update_seconds(folder: str) -> dict[str, float]:
    """Return loss → median core seconds of a tuning run without its score.

    What a score costs is told by the final runs, which are scored on their way as well.
    """
    rows = csv.DictReader((ROOT / "results" / folder / "times.csv").read_text(encoding="utf-8").splitlines())
    of = {(row["phase"], row["loss"]): float(row["cpu_seconds"]) for row in rows}
    further = len(read(f"{folder}/config.json")["score_at"])
    return {
        loss: seconds - (of["final", loss] - seconds) / further
        for (phase, loss), seconds in of.items()
        if phase == "tuning"
    }


def published_metric() -> str:
    distances = read("published-metric/summary.json")["distances"]
    columns = [(scaling, n) for scaling, found in distances.items() for n in sorted(found, key=len)]
    names = list(next(iter(next(iter(distances.values())).values())))
    rows = [[name, *(number(distances[scaling][n][name]) for scaling, n in columns)] for name in names]
    return markdown(["compared with real images", *(f"{scaling}, {n}" for scaling, n in columns)], rows)


def constant() -> str:
    table = read("ablation-constant/tables.json")["tables"]["final"]
    ratios = {one["loss"]: one for one in table["comparisons"]}
    rows = [
        [row["loss"], f"×{row['rate']:.3g}", interval(row["fid"]["geometric"]), *ratio_cells(ratios.get(row["loss"]))]
        for row in sorted(table["rows"], key=lambda row: row["loss"])
    ]
    return markdown(["constant", "own best rate", "FID", "ratio to 3.985", "p (Holm)"], rows)


def inception() -> str:
    """The same runs by another extractor."""
    found = read("inception-cifar10/summary.json")
    rows = [
        [
            NAMES.get(loss, loss),
            number(one["fid"]),
            number(one["fid_by_the_benchmark"]),
            ", ".join(number(fid) for fid, _ in one["runs"].values()),
        ]
        for loss, one in found["losses"].items()
    ]
    return markdown(
        ["loss", f"FID, {found['extractor']}, n = {found['n']:,}", "FID by the table's extractor, same seeds", "runs"],
        rows,
    )


def searched() -> str:
    """What the searches on MNIST found, on CIFAR-10: by held-out training images, and the best of it on test images."""
    for folder in ("bench-cifar10-searched", "bench-cifar10-searched-test", "bench-cifar10"):
        read(f"{folder}/tables.json")  # there when a benchmark has ended
    found, tested = lines("bench-cifar10-searched"), lines("bench-cifar10-searched-test")
    texts = {line["loss"]: f"`{line['expression']}`" for line in found}
    chosen = {loss: finals(found, loss).values() for loss in texts}
    seeds = {line["seed"] for line in tested if line["phase"] == "final"}
    beside = {
        loss: [fid for seed, fid in finals(runs, loss).items() if seed in seeds]
        for runs in (tested, lines("bench-cifar10"))
        for loss in dict.fromkeys(line["loss"] for line in runs)
    }
    order = sorted(
        {**chosen, **beside}, key=lambda loss: geometric_mean(beside.get(loss, chosen.get(loss, []))) or math.inf
    )
    rows = [
        [
            texts.get(loss, NAMES.get(loss, loss)),
            *("" if loss not in runs else number(geometric_mean(runs[loss])) for runs in (chosen, beside)),
        ]
        for loss in order
    ]
    return markdown(["loss", "held-out training images", f"test images, {len(seeds)} seeds"], rows)


def lines(folder: str) -> list[dict[str, Any]]:
    """Return the archive of a benchmark."""
    return Log(ROOT / "results" / folder / "archive.jsonl").read()


def discovery() -> str:
    """As its protocol judges it."""
    found = read("discovery/summary.json")
    rows = [
        [
            kind,
            DATASETS[one["loss"].split(" on ")[-1]],
            NAMES.get(one["reference"], one["reference"]),
            str(one["seeds"]),
            *ratio_cells(one),
        ]
        for kind in ("quality", "steadiness")
        for one in found[kind]
    ]
    return markdown(["", "dataset", "against", "seeds", "ratio of FID", "p (Holm)"], rows)


def registered(folder: str, runs_of: RunsOf, pairs: Sequence[tuple[str, str]]) -> str:
    """Return comparisons of what ``runs_of`` takes of lines, written down before their runs; Holm over them."""
    read(f"{folder}/tables.json")  # there when a benchmark has ended
    runs = runs_of(lines(folder))
    made = [
        compare(
            runs[one], runs[other], loss=one, reference=other,
            generator=numpy_generator(0, f"findings/{folder}/{one}/{other}"),
        )
        for one, other in pairs
    ]  # fmt: skip
    rows = [
        [NAMES.get(one.loss, one.loss), NAMES[one.reference], str(one.seeds),
         *(number(geometric_mean(runs[loss].values())) for loss in (one.loss, one.reference)),
         *ratio_cells(asdict(one))]
        for one in as_family(made)
    ]  # fmt: skip
    return markdown(["loss", "against", "seeds", "its", "the other's", "ratio", "p (Holm)"], rows)


def final_runs(made: Sequence[Mapping[str, Any]]) -> dict[str, dict[int, float]]:
    """Return loss → seed → FID of its final runs."""
    return {loss: finals(made, loss) for loss in dict.fromkeys(line["loss"] for line in made)}


def ratio_cells(one: Mapping[str, Any] | None) -> list[str]:
    if one is None:
        return ["", ""]
    p = one["p_holm"]
    return [interval(one["ratio"]), "" if p is None else "< 0.001" if p < 0.001 else f"{p:.2g}"]


TABLES: dict[str, Callable[[], str]] = {
    "own": lambda: phase("final"),
    "common": lambda: phase("common"),
    "spread": spread,
    "qualities": qualities,
    "beside": beside,
    "compute": compute,
    "cost": cost,
    "rates": lambda: steadiness("rates"),
    "batches": lambda: steadiness("batch-sizes"),
    "share": share_of_the_rate,
    "metric": published_metric,
    "constant": constant,
    "inception": inception,
    "searched": searched,
    "discovery": discovery,
    "steadier": lambda: registered("bench-mnist-rates", worst_cases, STEADIER),
    "again": lambda: registered("bench-polyp-again", final_runs, AGAIN),
}


if __name__ == "__main__":
    run(PAGES, TABLES, about=__doc__)

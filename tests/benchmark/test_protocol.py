"""The protocol: there before the first run, kept to, and where it is not, every table says so."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ganetics._check import InputError
from ganetics.benchmark.collapse import RULE
from ganetics.benchmark.config import BenchConfig, Protocol
from ganetics.benchmark.plan import PHASES, counts, seeds
from ganetics.benchmark.protocol import FILE, bound, departures, freeze, frozen, protocol_of
from ganetics.benchmark.results import Results, results
from ganetics.execution import Log
from ganetics.records import from_json
from ganetics.training import RECIPES

Bench = Callable[..., Results]


def confirmatory(folder: Path, config: BenchConfig, bench: Bench, **options: Any) -> tuple[BenchConfig, Results]:
    """Run a benchmark as one that is bound to a protocol."""
    settings = bound(folder, config, confirmatory=True, depart=bool(options.pop("depart", False)))
    freeze(folder, settings)
    return settings, bench(folder, settings, **options)


def lines(folder: Path) -> list[dict[str, Any]]:
    return Log(folder / "archive.jsonl").read()


def departed(found: Results) -> set[tuple[str, ...]]:
    """Return what each table says of departures."""
    return {tuple(note for note in one.notes if note.startswith("Departs from")) for one in found.tables.values()}


def test_a_protocol_holds_what_the_run_will_be(finished: Path, config: BenchConfig) -> None:
    protocol = protocol_of(config)
    made = lines(finished)
    for phase in PHASES:
        own = [line for line in made if line["phase"] == phase]
        assert {line["seed"] for line in own} == set(protocol.seeds[phase])
        assert {line["split"] for line in own} == {protocol.splits[phase]}
    assert protocol.runs <= len(made) <= protocol.most_runs
    assert (protocol.runs, protocol.most_runs) == counts(config)
    # 30 s each, and those of a larger batch as much longer
    longer = sum(max(0.0, line["batch_size"] / config.recipe.batch_size - 1) for line in made)
    assert longer > 0
    assert protocol.hours == pytest.approx((protocol.most_runs + longer) * 30 / 3600, abs=0.01)
    assert (protocol.contenders, protocol.baseline, protocol.rates) == (config.contenders, "ganetic", config.rates)
    assert protocol.rates_rule.endswith("up to so many times: 2")
    assert protocol.collapse == RULE
    assert "Holm" in protocol.analysis


def test_it_is_written_before_the_first_run_and_kept(
    tmp_path: Path, config: BenchConfig, bench: Bench, fakes: ModuleType
) -> None:
    folder, there = tmp_path / "run", []

    def job(one: Any) -> Any:
        there.append((folder / FILE).read_bytes())
        return fakes.trial(one)

    settings, found = confirmatory(folder, config, bench, job=job)
    assert set(there) == {(folder / FILE).read_bytes()}
    protocol = from_json(Protocol, (folder / FILE).read_text(), where="test")
    assert protocol == protocol_of(config) == protocol_of(settings) == frozen(folder, settings)
    assert settings.protocol == protocol.digest()
    assert (found.confirmatory, found.departures) == (True, ())
    assert {one.facts["protocol"] for one in found.tables.values()} == {"kept"}
    assert departed(found) == {()}
    # the same runs as without
    exploratory = bench(tmp_path / "other", config)
    assert (tmp_path / "other/archive.jsonl").read_bytes() == (folder / "archive.jsonl").read_bytes()
    assert not (tmp_path / "other" / FILE).exists()
    assert {one.facts["protocol"] for one in exploratory.tables.values()} == {None}


def test_a_protocol_that_lies_there_binds(tmp_path: Path, config: BenchConfig) -> None:
    first = bound(tmp_path, config, confirmatory=True, depart=False)
    freeze(tmp_path, first)
    content = (tmp_path / FILE).read_bytes()
    # whether asked for or not, and written with other spaces
    (tmp_path / FILE).write_text(json.dumps(json.loads(content)))
    assert bound(tmp_path, config, confirmatory=False, depart=False) == first
    freeze(tmp_path, first)
    assert (tmp_path / FILE).read_text() == json.dumps(json.loads(content))
    assert bound(tmp_path / "elsewhere", config, confirmatory=False, depart=False) == config


def test_hours_are_those_of_the_steps(tmp_path: Path, config: BenchConfig) -> None:
    recipe = RECIPES["mnist"]
    short = config.model_copy(update={"recipe": recipe.model_copy(update={"steps": recipe.steps // 10})})
    whole = config.model_copy(update={"recipe": recipe})
    assert protocol_of(short).hours == pytest.approx(protocol_of(whole).hours / 10, abs=0.01)
    # they follow from the rest: what another release has expected is no other benchmark
    settings = bound(tmp_path, short, confirmatory=True, depart=False)
    freeze(tmp_path, settings)
    path = tmp_path / FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), "hours": 123.0}))
    settings = bound(tmp_path, short, confirmatory=True, depart=False)
    found = frozen(tmp_path, settings)
    assert found is not None
    assert departures(found, settings, [], where=tmp_path) == [
        f"Departs from protocol.json: 0 of {counts(config)[0]} runs are made."
    ]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"final_seeds": 7},
            "seeds.final is 7 values (only these have {0[3]}, {0[4]}, {0[5]} and 1 more), not 3 values",
        ),
        (
            {"contenders": (0, 1, 2)},
            'contenders is 3 values, not 4 values (only these have {{"label":"squares & co","loss":"(y - p)**2",'
            '"penalties":[]}})',
        ),
        ({"contenders": (1, 0, 2, 3)}, "contenders is 4 values in another order, not 4 values in another order"),
    ],
)
def test_of_long_lists_it_is_said_what_differs(change: dict[str, Any], told: str, config: BenchConfig) -> None:
    made = {**change}
    if "contenders" in made:
        made["contenders"] = tuple(config.contenders[place] for place in made["contenders"])
    other = config.model_copy(update=made)
    found = departures(protocol_of(config), other, [], where=Path("run"))
    assert found[0] == f"Departs from protocol.json: {told.format(seeds(other, 'final'))}."


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"final_seeds": 4}, "seeds.final"),
        ({"seed": 6}, "seeds.tuning"),
        ({"rates": (0.3, 1.0)}, "rates"),
        ({"widen": 3}, "rates_rule"),
        ({"split": "validation", "test": None}, "test"),
        ({"baseline": "hinge"}, "baseline"),
    ],
)
def test_another_run_is_refused_naming_the_field(
    change: dict[str, Any], field: str, tmp_path: Path, config: BenchConfig
) -> None:
    freeze(tmp_path, bound(tmp_path, config, confirmatory=True, depart=False))
    other = config.model_copy(update=change)
    with pytest.raises(InputError, match=rf"protocol\.json: {field}\S* is .* there, got .*: keep to it, or --depart"):
        bound(tmp_path, other, confirmatory=True, depart=False)


def test_a_run_that_departs_says_so_in_every_table(tmp_path: Path, config: BenchConfig, bench: Bench) -> None:
    freeze(tmp_path, bound(tmp_path, config, confirmatory=True, depart=False))
    other = config.model_copy(update={"final_seeds": 2, "baseline": "hinge"})
    settings, found = confirmatory(tmp_path, other, bench, depart=True)
    (baseline, final) = found.departures
    assert baseline == 'Departs from protocol.json: baseline is "hinge", not "ganetic".'
    assert final.startswith("Departs from protocol.json: seeds.final is [")
    assert len(found.tables) == 4
    assert departed(found) == {found.departures}
    assert {one.facts["protocol"] for one in found.tables.values()} == {"departed from"}
    for path in (tmp_path / "tables").iterdir():
        text = path.read_text()
        if path.suffix == ".tex":
            printed = [line for line in text.splitlines() if not line.startswith("%")]
            assert 'Departs from protocol.json: baseline is "hinge", not "ganetic".' in printed
        else:
            assert text.count("departed from") == text.count("\n") - 1
    assert results(tmp_path, settings, lines(tmp_path)) == found


def test_runs_that_are_missing_or_lost_depart(
    tmp_path: Path, config: BenchConfig, bench: Bench, fakes: ModuleType
) -> None:
    settings, found = confirmatory(tmp_path, config, bench, job=fakes.faulty_trial)
    assert found.departures == ("Departs from protocol.json: 6 runs failed otherwise than by divergence (crashed).",)
    made = lines(tmp_path)
    last = [place for place, line in enumerate(made) if line["phase"] == "common"][-1]
    some = results(tmp_path, settings, made[: last + 3])
    assert some.departures[0] == f"Departs from protocol.json: {last + 3} of {len(made)} runs are made."
    assert set(some.tables) == {"common", "common-best-checkpoint", "final", "final-best-checkpoint"}
    assert set(some.steadiness) == {"rates"}
    assert departures(protocol_of(config), config, [], where=tmp_path) == [
        f"Departs from protocol.json: 0 of {counts(config)[0]} runs are made."
    ]


@pytest.mark.parametrize("kind", ["timed out", "out of memory", "crashed"])
def test_what_the_machine_may_have_failed_at_departs(kind: str, finished: Path, config: BenchConfig) -> None:
    made = lines(finished)
    made[-1] |= {"failure": {"kind": kind, "message": "it did", "step": None}, "fid": None}
    assert departures(protocol_of(config), config, made, where=finished) == [
        f"Departs from protocol.json: 1 runs failed otherwise than by divergence ({kind})."
    ]


@pytest.mark.parametrize("change", ["gone", "changed", "damaged"])
def test_a_protocol_that_is_changed_afterwards_is_refused(
    change: str, tmp_path: Path, config: BenchConfig, bench: Bench
) -> None:
    settings, _ = confirmatory(tmp_path, config, bench)
    path = tmp_path / FILE
    text = path.read_text()
    if change == "gone":
        path.unlink()
    else:
        path.write_text(text.replace('"baseline": "ganetic"', '"baseline": "hinge"') if change == "changed" else "{")
    with pytest.raises(InputError, match=r"protocol\.json"):
        bench(tmp_path, settings)
    path.write_text(text)
    assert bench(tmp_path, settings).confirmatory

"""What a confirmatory benchmark binds itself to before its first run, and where it departed from that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ganetics._check import InputError
from ganetics.benchmark.collapse import RULE
from ganetics.benchmark.config import BenchConfig, Protocol
from ganetics.benchmark.cost import left
from ganetics.benchmark.plan import PHASES, RATES_RULE, Line, counts, plan, seeds, split
from ganetics.execution.log import first_difference
from ganetics.records import OF_THE_MACHINE, read_record, to_json, write_json

FILE = "protocol.json"
ANALYSIS = (
    "log FID at the last step of the final runs, each loss against the baseline in pairs of one seed: paired t test; "
    "where a run of a pair failed the signed-rank test, a failure being larger than all others; two-sided, Holm over "
    "the losses of the table, 0.05; interquartile mean and probability of improvement with 95 % bootstrap intervals"
)
FOLLOWS = ("runs", "most_runs", "hours")
"""What follows from the other fields."""
LONGEST, SHOWN = 80, 3
"""Characters of a value, and members of a list, that are told of what differs."""


def protocol_of(config: BenchConfig) -> Protocol:
    """Return what a benchmark of this configuration binds itself to."""
    fewest, most = counts(config)
    hours = round(left(config, [], where=Path(FILE)).most_seconds / 3600, 2)
    return Protocol(**_settings(config), runs=fewest, most_runs=most, hours=hours)


def bound(folder: Path, config: BenchConfig, *, confirmatory: bool, depart: bool) -> BenchConfig:
    """Return the configuration as one that begins under the protocol in the folder, or under its own.

    Args:
        folder: of the run.
        config: what is to be run.
        confirmatory: without a protocol in the folder, make one; else there is none.
        depart: accept differences from that in the folder; the tables will say them.

    Raises:
        InputError: configuration and protocol differ (names the first field, and both values), or it is damaged.
    """
    path = folder / FILE
    if not path.exists():
        return config.model_copy(update={"protocol": protocol_of(config).digest()}) if confirmatory else config
    protocol = read_record(Protocol, path)
    found = first_difference(_plain(protocol), _plain_settings(config))
    if found is not None and not depart:
        field, then, now = found
        before, after = _both(then, now)
        raise InputError(
            f"{path}: {field} is {before} there, got {after}: keep to it, or --depart from it, which every table will "
            "say"
        )
    return config.model_copy(update={"protocol": protocol.digest()})


def freeze(folder: Path, config: BenchConfig) -> None:
    """Write the protocol of a configuration that is bound to one, if it is not there; before the first run.

    Raises:
        OSError: the folder is not writable.
    """
    path = folder / FILE
    if config.protocol is not None and not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_json(path, protocol_of(config))


def frozen(folder: Path, config: BenchConfig) -> Protocol | None:
    """Return the protocol that a run began under; None if there was none.

    Raises:
        InputError: it is gone, or no longer what it was.
    """
    if config.protocol is None:
        return None
    protocol = read_record(Protocol, folder / FILE)
    if protocol.digest() != config.protocol:
        raise InputError(
            f"{folder / FILE}: must be as when the run began ({config.protocol}), it was changed ({protocol.digest()})"
        )
    return protocol


def departures(protocol: Protocol, config: BenchConfig, lines: Sequence[Line], *, where: Path) -> list[str]:
    """Return in what a run is not as its protocol has it, a sentence each.

    Other settings, runs that are missing, and runs that the machine and not the loss may have made fail.

    Raises:
        InputError: the lines are not those of this configuration; names ``where``.
    """
    then, now = (dict(_leaves(one)) for one in (_plain(protocol), _plain_settings(config)))
    changed = [name for name in {**then, **now} if then.get(name) != now.get(name)]
    found = ["{} is {}, not {}".format(name, *_both(now.get(name), then.get(name))) for name in changed]
    total = plan(config, lines, where=where).total
    if len(lines) < total:
        found.append(f"{len(lines)} of {total} runs are made")
    lost = [line for line in lines if line["failure"] and line["failure"]["kind"] in OF_THE_MACHINE]
    if lost:
        kinds = ", ".join(sorted({line["failure"]["kind"] for line in lost}))
        found.append(f"{len(lost)} runs failed otherwise than by divergence ({kinds})")
    return [f"Departs from {FILE}: {one}." for one in found]


def _settings(config: BenchConfig) -> dict[str, Any]:
    """Return the fields of a configuration's protocol, without those that follow from them."""
    same = {name: getattr(config, name) for name in Protocol.model_fields if name in BenchConfig.model_fields}
    return same | {
        "rates_rule": f"{RATES_RULE}: {config.widen}",
        "seeds": {phase: seeds(config, phase) for phase in PHASES},
        "splits": {phase: split(config, phase) for phase in PHASES},
        "collapse": RULE,
        "analysis": ANALYSIS,
    }


def _plain(protocol: Protocol) -> dict[str, Any]:
    return protocol.model_dump(mode="json", exclude=set(FOLLOWS))


def _plain_settings(config: BenchConfig) -> dict[str, Any]:
    return Protocol.model_construct(**_settings(config)).model_dump(mode="json", exclude=set(FOLLOWS))


def _leaves(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted name and value of all that is not a JSON object itself."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _both(one: object, two: object) -> tuple[str, str]:
    """Return two values that differ, each in a few words: of long lists how many they are, and which alone has what."""
    if isinstance(one, list) and isinstance(two, list) and max(len(to_json(one)), len(to_json(two))) > LONGEST:
        return _counted(one, two), _counted(two, one)
    return _short(one), _short(two)


def _counted(values: Sequence[object], others: Sequence[object]) -> str:
    own = [value for value in values if value not in others]
    more = f" and {len(own) - SHOWN} more" if len(own) > SHOWN else ""
    only = f" (only these have {', '.join(map(_short, own[:SHOWN]))}{more})" if own else ""
    order = " in another order" if sorted(map(to_json, values)) == sorted(map(to_json, others)) else ""
    return f"{len(values)} values{order}{only}"


def _short(value: object) -> str:
    text = to_json(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}…"

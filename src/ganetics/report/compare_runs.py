"""Training runs beside each other: by images, by what was trained, by what figures were made from. Imports no torch."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ganetics._check import InputError
from ganetics.benchmark.estimate import Estimate, arithmetic, estimate, ratio
from ganetics.benchmark.significance import LEVEL, paired_t
from ganetics.execution.log import KINDS, read_config
from ganetics.generation.results import Evaluation, FitConfig
from ganetics.metrics.significance import holm
from ganetics.records import log_distance
from ganetics.report.charts import number
from ganetics.report.evaluated import made_from
from ganetics.report.train_run import TrainRun, read_train


@dataclass(frozen=True, eq=False)
class Named:
    """A run, and what it is called: its path below what was asked for."""

    name: str
    run: TrainRun


SHARES = ("precision", "recall", "coverage", "copy_rate", "copy_rate_control")
"""Figures of an evaluation that are shares."""


@dataclass(frozen=True)
class Measure:
    """What a figure was made from: only figures of one measure are compared."""

    evaluated: bool
    """By ``ganetics evaluate``; else at the end of training."""
    split: str
    extractor: str
    """Digest of its identity."""
    n: int
    n_real: int
    told: str = field(compare=False)


@dataclass(frozen=True)
class Values:
    """A run's figures by one measure."""

    seed: int
    fid: float
    kid: float
    shares: Mapping[str, float] = field(default_factory=dict)
    """Those of :data:`SHARES` that are known."""


@dataclass(frozen=True, eq=False)
class Setting:
    """Runs that differ in their seeds alone."""

    label: str
    loss: str
    """Name or text, with penalties."""
    runs: tuple[Named, ...]

    @property
    def config(self) -> FitConfig:
        """That of the first run."""
        return self.runs[0].run.config

    @property
    def failed(self) -> int:
        """Runs that failed."""
        return sum(one.run.failure is not None for one in self.runs)


@dataclass(frozen=True)
class Row:
    """A setting by one measure: means over seeds."""

    setting: Setting
    values: tuple[Values, ...]
    fid: Estimate | None
    """Geometric mean."""
    kid: Estimate | None
    shares: Mapping[str, Estimate | None]
    """Means of :data:`SHARES`."""
    baseline: Setting | None
    """What it is compared with; of the baseline itself this very setting."""
    ratio: Estimate | None
    """FID over that of the baseline, seed by seed; None without one, or for the baseline itself."""
    p: float | None = None
    """Of the paired t test that the mean log ratio is 0."""
    p_holm: float | None = None
    """Corrected for all comparisons of the page that were made from one kind of figures."""

    @property
    def is_baseline(self) -> bool:
        """Whether the others are compared with it."""
        return self.baseline is self.setting

    @property
    def verdict(self) -> str:
        """Whether it is shown to be "better" or "worse" than the baseline; else empty."""
        return self.standing(self.p_holm)

    def standing(self, p: float | None) -> str:
        """Return the verdict by a corrected p-value.

        Runs that failed are in no mean: a setting that lost one is never better, nor worse than a baseline that did.
        """
        if self.baseline is None or self.ratio is None or p is None or p > LEVEL:
            return ""
        better = self.ratio.mean < 1
        lost = self.setting.failed if better else self.baseline.failed
        return "" if lost else "better" if better else "worse"


@dataclass(frozen=True)
class Table:
    """All settings of a domain by one measure, the best first."""

    measure: Measure
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Domain:
    """The runs on one set of training images."""

    name: str
    settings: tuple[Setting, ...]
    tables: tuple[Table, ...]
    """Those of evaluations first, of most runs first."""

    @property
    def runs(self) -> list[Named]:
        """All of them."""
        return [one for setting in self.settings for one in setting.runs]


def find_runs(paths: Sequence[Path]) -> list[Named]:
    """Return the training runs in folders: each itself, or those in it at any depth. Other runs are passed over.

    Raises:
        InputError: a path is no folder, or a file of a training run is damaged; no training run at all.
    """
    found: dict[Path, str] = {}
    for path in paths:
        if not path.is_dir():
            raise InputError(f"{path}: must be a folder of a training run, or of several, got no folder")
        for config in sorted(path.rglob("config.json")):
            name = str(config.parent.relative_to(path))
            if _is_training(config.parent):
                found.setdefault(config.parent.resolve(), path.name if name == "." else name)
    if not found:
        raise InputError(f"{', '.join(map(str, paths))}: must hold training runs, got none")
    return [Named(name, read_train(folder)) for folder, name in found.items()]


def _is_training(folder: Path) -> bool:
    try:
        config = read_config(folder)
    except InputError:
        return False  # of another program
    return [kind for known, kind in KINDS.items() if known in config] == ["a training run"] and "recipe" in config


def domains(runs: Iterable[Named], baselines: Mapping[str, str]) -> list[Domain]:
    """Return runs by what they were trained on.

    Args:
        runs: all of them.
        baselines: model → loss that the others are compared with.

    Raises:
        InputError: two runs of one setting have one seed: pairs would not be clear.
    """
    found: dict[str, list[Named]] = defaultdict(list)
    for one in runs:
        found[one.run.config.data.digest()].append(one)
    names = [_domain_name(group[0].run.config) for group in found.values()]
    return _judged(
        [
            _domain(name if names.count(name) == 1 else f"{name} ({digest[:6]})", group, baselines)
            for (digest, group), name in sorted(zip(found.items(), names, strict=True), key=lambda pair: pair[1])
        ]
    )


def _judged(found: Sequence[Domain]) -> list[Domain]:
    """Return the domains with p-values corrected over all tests of the page that are made from one kind of figures."""
    families: dict[tuple[bool, str, str], dict[int, float]] = defaultdict(dict)
    for table in (table for domain in found for table in domain.tables):
        kind = (table.measure.evaluated, table.measure.split, table.measure.extractor)
        families[kind] |= {id(row): row.p for row in table.rows if row.p is not None}
    corrected = {
        row: p for family in families.values() for row, p in zip(family, holm([*family.values()]), strict=True)
    }
    return [
        replace(
            domain,
            tables=tuple(
                Table(table.measure, tuple(replace(row, p_holm=corrected.get(id(row))) for row in table.rows))
                for table in domain.tables
            ),
        )
        for domain in found
    ]


def _domain_name(config: FitConfig) -> str:
    data = config.data
    return f"{data.name}, {data.width}×{data.height}"


def _domain(name: str, runs: Sequence[Named], baselines: Mapping[str, str]) -> Domain:
    settings = _settings(runs)
    measures: dict[Measure, dict[int, list[Values]]] = defaultdict(lambda: defaultdict(list))
    for place, setting in enumerate(settings):
        for one in setting.runs:
            for measure, values in _measured(one.run):
                measures[measure][place].append(values)
    tables = [
        _table(measure, {settings[place]: tuple(values) for place, values in by_setting.items()}, settings, baselines)
        for measure, by_setting in measures.items()
    ]
    tables.sort(key=lambda one: (not one.measure.evaluated, -sum(len(row.values) for row in one.rows)))
    order = [row.setting for row in tables[0].rows] if tables else []
    ranked = [*order, *(setting for setting in settings if setting not in order)]
    return Domain(name, tuple(ranked), tuple(tables))


def _settings(runs: Sequence[Named]) -> list[Setting]:
    found: dict[str, list[Named]] = defaultdict(list)
    for one in runs:
        found[one.run.config.model_copy(update={"seed": 0, "skipped": (), "dataset": ""}).digest()].append(one)
    groups = list(found.values())
    for group in groups:
        seeds: dict[int, str] = {}
        for one in group:
            other = seeds.setdefault(one.run.config.seed, one.name)
            if other != one.name:
                seed = one.run.config.seed
                raise InputError(f"{one.name}: runs of one setting must have different seeds, got {seed} as in {other}")
    labels = _labels([group[0].run.config for group in groups])
    return [
        Setting(label, group[0].run.config.penalised_loss, tuple(sorted(group, key=lambda one: one.run.config.seed)))
        for label, group in zip(labels, groups, strict=True)
    ]


FURTHER: tuple[Callable[[FitConfig], str], ...] = (
    lambda config: f"rate {config.recipe.learning_rate:g}",
    lambda config: f"{config.recipe.steps:,} steps",
    lambda config: "with classes" if config.recipe.classes else "without classes",
    lambda config: f"patience {config.patience}" if config.patience else "last state",
    lambda config: _else(config)[:6],
    lambda config: config.recipe.digest()[:6],
)
"""What tells settings of one loss and one recipe apart, in this order."""


def _labels(configs: Sequence[FitConfig]) -> list[str]:
    """Return what to call settings: the loss, and of what else differs as much as tells them apart."""
    labels = [_short(config.penalised_loss) for config in configs]
    if len({config.recipe.name for config in configs}) > 1:
        labels = [f"{label} · {config.recipe.name}" for label, config in zip(labels, configs, strict=True)]
    for told in FURTHER:
        ways: dict[str, set[str]] = defaultdict(set)
        for label, config in zip(labels, configs, strict=True):
            ways[label].add(told(config))
        pairs = zip(labels, configs, strict=True)
        labels = [f"{label} · {told(config)}" if len(ways[label]) > 1 else label for label, config in pairs]
    return labels


def _short(loss: str) -> str:
    return loss if re.fullmatch(r"[\w+:./-]+", loss) or len(loss) <= 40 else f"{loss[:39]}…"


def _measured(run: TrainRun) -> list[tuple[Measure, Values]]:
    seed, found = run.config.seed, []
    for one in run.evaluations:
        shares = {name: share for name in SHARES if (share := getattr(one, name)) is not None}
        found.append((_of_evaluation(one), Values(seed, one.fid, one.kid, shares)))
    if run.result is not None and (metrics := run.result.outcome.metrics) is not None:
        result = run.result
        told = (
            f"{result.n:,} generated against {result.n_real:,} real validation images at the end of training; "
            f"{result.extractor.name} {result.extractor.version}, resize: {result.extractor.resize}; real against real "
            f"{number(result.floor)} at {result.floor_n:,} a side"
        )
        measure = Measure(False, "validation", result.extractor.digest(), result.n, result.n_real, told)
        found.append((measure, Values(seed, metrics["fid"], metrics["kid"])))
    return found


def _of_evaluation(found: Evaluation) -> Measure:
    split = found.split or "held-out"
    return Measure(True, split, found.extractor.digest(), found.n, found.n_real, made_from(found))


def _table(
    measure: Measure,
    values: Mapping[Setting, tuple[Values, ...]],
    settings: Sequence[Setting],
    baselines: Mapping[str, str],
) -> Table:
    rows = [
        _row(setting, values[setting], _baseline(setting, settings, baselines), values)
        for setting in settings
        if setting in values
    ]
    rows.sort(key=lambda row: float("inf") if row.fid is None else row.fid.mean)
    return Table(measure, tuple(rows))


def _row(
    setting: Setting,
    values: tuple[Values, ...],
    baseline: Setting | None,
    others: Mapping[Setting, tuple[Values, ...]],
) -> Row:
    pairs = p = None
    if baseline is not None and baseline is not setting and baseline in others:
        here, there = ({one.seed: one.fid for one in side} for side in (values, others[baseline]))
        pairs = ratio(here, there)
        p = paired_t([log_distance(here[seed]) - log_distance(there[seed]) for seed in here.keys() & there.keys()])
    return Row(
        setting=setting,
        values=values,
        fid=estimate([one.fid for one in values]),
        kid=arithmetic([one.kid for one in values]),
        shares={name: arithmetic([one.shares[name] for one in values if name in one.shares]) for name in SHARES},
        baseline=baseline,
        ratio=pairs,
        p=p,
    )


def _baseline(setting: Setting, settings: Sequence[Setting], baselines: Mapping[str, str]) -> Setting | None:
    """Return the setting to compare with: the baseline loss, all else but the learning rate equal.

    If it was not trained with the same penalties, it is the one without any. None where there is none, or more than
    one.
    """
    wanted = baselines.get(setting.config.recipe.model)
    alike = [one for one in settings if one.config.loss == wanted and _else(one.config) == _else(setting.config)]
    for penalties in (setting.config.recipe.penalties, ()):
        found = [one for one in alike if one.config.recipe.penalties == penalties]
        if found:
            return found[0] if len(found) == 1 else None
    return None


def _else(config: FitConfig) -> str:
    recipe = config.recipe.model_copy(update={"learning_rate": 1.0, "penalties": ()})
    same = {"recipe": recipe, "loss": "", "seed": 0, "skipped": (), "dataset": ""}
    return config.model_copy(update=same).digest()

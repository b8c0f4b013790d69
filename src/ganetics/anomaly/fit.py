"""Fit a detector in a run folder that can be left and come back to.

A run folder holds ``config.json``, ``places.json`` (where the images lie here), ``environment.json`` (what machine),
``checkpoint/`` (the fitted detector),
``fit.json`` (how it ended) and, while it is made, ``unfinished/``. An evaluation adds ``scores.csv``, ``run.json``,
``evaluation.json``, ``looks.json``, ``previews/`` and ``report.html``.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganetics._check import InputError
from ganetics.anomaly.detector import Detector, Place
from ganetics.anomaly.detectors import build, load, save
from ganetics.anomaly.images import Images, Progress, list_of, read_images, seen_in
from ganetics.anomaly.protocol import places_of, split_groups, threshold_between
from ganetics.anomaly.results import FitResult
from ganetics.anomaly.settings import DetectConfig, Parts, Places, Preprocessing, Settings
from ganetics.data.listing import Listing, channels_in
from ganetics.execution.log import RunFolder, read_config_as
from ganetics.execution.process import environment
from ganetics.records import Failure, FailureKind, from_values, read_record, write_json
from ganetics.training import Diverged

Told = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Prepared:
    """A run before its first step.

    Attributes:
        config: everything that decides it.
        places: where its images lie.
        normals: all normal images, those to be tested on included.
        calibration: abnormal images to choose the threshold with, or None.
    """

    config: DetectConfig
    places: Places
    normals: Images
    calibration: Images | None = None

    def part(self, groups: tuple[str, ...]) -> Images:
        """Return the normal images of these groups."""
        return self.normals.at(places_of(self.normals.groups, groups).tolist())


def prepare_run(
    normal: str,
    detector: Settings,
    *,
    groups: str | None,
    dataset: str | None = None,
    preprocessing: Preprocessing | None = None,
    abnormal: str | None = None,
    calibration: str | None = None,
    specificity: float = 0.95,
    split: int = 0,
    seed: int = 0,
    on_progress: Progress | None = None,
) -> Prepared:
    """Read the normal images and decide which groups are for what.

    Args:
        normal: folder or table of normal images.
        detector: its settings.
        groups: what finds the patient, sequence … of a file (:func:`ganetics.data.groups.group_of`).
        dataset: what the data are called; None: the name of the folder that holds ``normal``.
        preprocessing: size of the images and so on; channels are found out.
        abnormal: where abnormal images are: only their groups are looked at, which are then kept for the test.
        calibration: where abnormal images are to choose the threshold with; those of groups that are fitted on or
            tested on are left out.
        specificity: share of the held-out normals at or below the threshold.
        split: another number gives other parts.
        seed: of the training.
        on_progress: called while images are read.

    Raises:
        InputError: what was given is wrong; says what, where, the rule and the value.
    """
    build(detector, seed=seed)  # what is wrong with it shows before images are read
    listing = list_of(normal, groups, "normal")
    kept_for_test = () if abnormal is None else _groups_apart(listing, list_of(abnormal, groups, "abnormal"))
    wanted = (preprocessing or Preprocessing()).model_copy(update={"channels": channels_in(listing)})
    images = read_images(listing, wanted, on_progress=on_progress)
    wanted = seen_in(images.files, wanted)
    try:
        parts = split_groups(images.groups, test_only=kept_for_test, split=split)
    except InputError as error:
        raise InputError(f"normal: {normal}: {error}") from None
    chosen_with = None if calibration is None else _calibration(calibration, groups, listing, wanted, parts)
    values = {
        "detector": detector,
        "dataset": dataset or Path(normal).resolve().parent.name,
        "normal": listing.name,
        "groups": groups,
        "data": images.identity,
        "preprocessing": wanted,
        "parts": parts,
        "split": split,
        "seed": seed,
        "specificity": specificity,
        "calibration": None if calibration is None else Path(calibration).name,
        "calibration_groups": () if chosen_with is None else tuple(sorted(set(chosen_with.groups))),
        "calibration_data": None if chosen_with is None else chosen_with.identity,
        "skipped": tuple(f"{one.path}: {one.reason}" for one in images.skipped),
    }
    config = from_values(DetectConfig, values, where="run")
    here = None if calibration is None else str(Path(calibration).resolve())
    places = Places(normal=str(Path(normal).resolve()), calibration=here)
    return Prepared(config, places, images, chosen_with)


def stored_configuration(run: Path) -> DetectConfig:
    """Return the configuration in a run folder.

    Raises:
        InputError: there is none, or it is not one of a detector.
    """
    return read_config_as(DetectConfig, run)


def prepared_again(run: Path, *, on_progress: Progress | None = None, calibration: bool = False) -> Prepared:
    """Read the images of a run that there is already, and if asked for those that its threshold is chosen with.

    Raises:
        InputError: they are gone, or others than the run began with.
    """
    config, file = stored_configuration(run), run / "places.json"
    places = read_record(Places, file, "places of the images")
    listing = list_of(places.normal, config.groups, "normal")
    images = read_images(listing, config.preprocessing, on_progress=on_progress)
    if images.identity.sha256 != config.data.sha256:
        raise InputError(
            f"normal: {places.normal} must hold the images that the run began with "
            f"({config.data.count}, hash {config.data.sha256[:12]}), got others "
            f"({images.identity.count}, hash {images.identity.sha256[:12]})"
        )
    chosen_with = None
    if calibration and places.calibration is not None:
        chosen_with = _calibration(places.calibration, config.groups, listing, config.preprocessing, config.parts)
        if chosen_with.identity != config.calibration_data:
            raise InputError(
                f"calibration: {places.calibration} must hold the images that the run began with, got others"
            )
    return Prepared(config, places, images, chosen_with)


def fit(
    run: Path, prepared: Prepared, *, resume: bool = False, on_progress: Told | None = None,
    on_warning: Callable[[str], None] | None = None,
) -> FitResult:  # fmt: skip
    """Fit the detector, choose its threshold, save it.

    With ``resume`` an interrupted fit goes on from some 15 seconds before it was, to the same detector as if it had
    not been interrupted. A finished run is returned as it is. Training that does not stay finite is a result, too.
    ``on_warning`` is called with a line, where the machine is not the one that the run began on.

    Raises:
        InputError: the folder holds a run and ``resume`` is false, or another one, or none and ``resume`` is true.
        OSError: the disk is full or the folder not writable.
    """
    config = prepared.config
    with RunFolder(run) as folder:
        folder.begin(config.model_dump(mode="json"), resume=resume)
        if (warning := folder.note_environment(environment())) and on_warning is not None:
            on_warning(warning)
        write_json(run / "places.json", prepared.places)
        finished = run / "fit.json"
        if finished.exists():
            result = read_record(FitResult, finished)
        else:
            result = _fitted(run, prepared, on_progress)
            write_json(finished, result)
        shutil.rmtree(run / "unfinished", ignore_errors=True)
        return result


def fitted_detector(run: Path) -> tuple[DetectConfig, Detector[Any], Preprocessing]:
    """Return what a finished run has made.

    Raises:
        InputError: there is none, it is not finished, its training failed, or a file is damaged or of another version.
    """
    if not (run / "config.json").exists():
        raise InputError(f"{run}: must be the folder of a fitted run: ganetics detect fit {run} --normal DIR makes one")
    config = stored_configuration(run)
    finished = run / "fit.json"
    if not finished.exists():
        raise InputError(f"{run}: is not fitted yet: ganetics detect fit {run} --resume goes on")
    result = read_record(FitResult, finished)
    if result.failure is not None:
        raise InputError(f"{run}: has no detector, its training failed: {result.failure.message}")
    return config, *load(run / "checkpoint")


def _fitted(run: Path, prepared: Prepared, on_progress: Told | None) -> FitResult:
    config, calibration = prepared.config, prepared.calibration
    fit_on, held_out = prepared.part(config.parts.fit), prepared.part(config.parts.held_out)
    result = FitResult(
        fit=len(fit_on), held_out=len(held_out), calibration=0 if calibration is None else len(calibration)
    )
    detector = build(config.detector, seed=config.seed)
    place = Place(run / "unfinished", on_progress)
    try:
        detector.fit_parts(fit_on.images, held_out.images, specificity=config.specificity, place=place)
    except Diverged as error:
        failure = Failure(kind=FailureKind.DIVERGED, message=str(error), step=error.step)
        return result.model_copy(update={"failure": failure})
    normal = detector.score_samples(held_out.images)
    if calibration is not None:
        abnormal = detector.score_samples(calibration.images)
        how = f"{len(held_out)} held-out normals and {len(calibration)} abnormal images, Youden's index"
        detector.set_threshold(threshold_between(normal, abnormal), how)
    save(run / "checkpoint", detector, config.preprocessing)
    frozen = detector.frozen
    found = {
        "threshold": frozen.threshold,
        "threshold_from": frozen.threshold_from,
        "held_out_scores": tuple(normal.round(4).tolist()),
        "localises": detector.localises,
    }
    return result.model_copy(update=found)


def _groups_apart(normal: Listing, abnormal: Listing) -> tuple[str, ...]:
    refuse_same_files(normal, abnormal)
    return tuple(sorted(set(abnormal.groups or ())))


def refuse_same_files(normal: Listing, abnormal: Listing) -> None:
    """Check that no file is listed as normal and as abnormal.

    Raises:
        InputError: one is; names it.
    """
    files = {entry.file.resolve() for entry in normal.entries if entry.file}
    both = [entry.path for entry in abnormal.entries if entry.file and entry.file.resolve() in files]
    if both:
        raise InputError(
            f"abnormal: {abnormal.where}: no image may be among the normal ones of {normal.where}, "
            f"got {both[0]} ({len(both)} of {len(abnormal.entries)})"
        )


def _calibration(where: str, groups: str | None, normal: Listing, preprocessing: Preprocessing, parts: Parts) -> Images:
    listing = list_of(where, groups, "calibration")
    refuse_same_files(normal, listing)
    images = read_images(listing, preprocessing)
    taken = {*parts.fit, *parts.test}
    places = [place for place, group in enumerate(images.groups) if group not in taken]
    if not places:
        raise InputError(
            f"calibration: {where}: at least one image must be of a group that is neither fitted on nor tested on, "
            f"got {len(images)} images of {len(set(images.groups))} groups that all are"
        )
    return images.at(places)

"""The runs of one disease as commands, and what is done with each: fitted, calibrated, tested, published."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from commands import Command, call
from PIL import Image

from ganetics._files import in_place_of, write_atomically
from ganetics._random import numpy_generator
from ganetics.anomaly.detector import combined
from ganetics.anomaly.fit import fitted_detector, prepared_again
from ganetics.anomaly.images import list_of, read_images
from ganetics.metrics.detection import auroc
from ganetics.records import write_json

DONE, LOOKS = "fit.json", "looks.json"
"""Published last: where it is, a run is through. And how often test images were looked at."""
CALIBRATION_PATIENTS = 50
"""Set aside where normal and abnormal images are of different patients."""
FRAME_CROP = (10, 6, 110, 90)
"""Left, upper, right, lower: without most of the endoscope's black border, which no patch shows (22 % of the pixels of
frames are darker than 20, 6 % of these, 0.2 % of patches); 96 % of the polyps' pixels lie in it, and some of each."""
FRAME_SCALE, STRIDE = 2, 32
"""Patches were cut from frames of twice the size, found by laying them over each other; pixels between windows."""
FRAME_SEEDS = 3
"""Of each detector, whose maps are tested on whole frames."""


@dataclass(frozen=True)
class Domain:
    """A disease, and how its images are split."""

    folder: str
    abnormal: str
    groups: str
    mixed: bool
    """Whether groups have both kinds of images: then those of groups that were seen are left out of the test."""
    frames: str | None = None
    """Folder of whole images with masks."""


DOMAINS = {
    "polyp": Domain("polyp-patches", "polyp", r"seq\d+", mixed=True, frames="polyp-frames"),
    "fundus": Domain("fundus", "glaucoma", r"patient\d+", mixed=False),
}


@dataclass(frozen=True)
class Run:
    """A fit, and what is done with it."""

    label: str
    fit: Command
    headline: bool = False
    frames: bool = False
    """Whether it is tested on whole frames as well, where there are some."""


@dataclass(frozen=True)
class Study:
    """One domain's runs."""

    name: str
    data: Path
    """Absolute, as ``work``: published files name them DIR and WORK."""
    out: Path
    work: Path
    steps: tuple[str, ...]
    looks: bool = True
    """Whether runs are tested: a rehearsal on real images is not."""

    @property
    def domain(self) -> Domain:
        return DOMAINS[self.name]

    @property
    def abnormal(self) -> Path:
        return self.data / self.domain.folder / self.domain.abnormal

    def fit(self, label: str, options: Sequence[str], seed: int, *further: str) -> Command:
        """Return the command that fits a run in WORK."""
        run, one = self.work / label, self.domain
        where = ("--normal", str(self.data / one.folder / "normal"), "--groups", one.groups)
        # groups with abnormal images are kept for the test only where there are normal images of others
        kept = () if one.mixed else ("--abnormal", str(self.abnormal))
        line = ("detect", "fit", str(run), *where, *kept, *options, "--seed", str(seed), *further)
        return Command(line, run / "fit.json", run / "config.json")

    @property
    def kinds(self) -> Mapping[str, Path]:
        """Return the folders of abnormal images to calibrate and to test with; :meth:`lay_out` makes them.

        Where normal images are of other groups, links to two sets of patients; else the test leaves out what was seen,
        and what is held out has abnormal images, too.
        """
        kinds = ("calibration", "test")
        return {kind: self.abnormal if self.domain.mixed else self.work / kind / self.domain.abnormal for kind in kinds}

    def lay_out(self) -> None:
        """Make what the runs share, before they run side by side: enlarged frames, links to two sets of patients."""
        if self.domain.frames is not None:
            self.enlarge_frames(self.data / self.domain.frames)
        if not self.domain.mixed:
            self.link_patients()

    def link_patients(self) -> None:
        """Link the images of patients to calibrate with, and of those to test with, into folders of their own."""
        listing = list_of(str(self.abnormal), self.domain.groups, "abnormal")
        groups = sorted(set(listing.groups or ()))
        order = numpy_generator(0, "calibration patients").permutation(len(groups))
        aside = {groups[place] for place in order[:CALIBRATION_PATIENTS]}
        links = {
            self.kinds["calibration" if group in aside else "test"] / entry.path: entry.file
            for entry, group in zip(listing.entries, listing.groups or (), strict=True)
            if entry.file is not None
        }
        files = [file for kind in self.kinds.values() for file in kind.rglob("*") if not file.is_dir()]
        there = {file: file.readlink() if file.is_symlink() else None for file in files}
        if there == links:  # another study may be using them
            return
        for kind in self.kinds.values():  # they may be to where other images lay before
            shutil.rmtree(kind, ignore_errors=True)
        for link, file in links.items():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(file)

    def evaluate(self, label: str, headline: bool) -> Command:
        """Return the command that tests it and writes to OUT."""
        out = self.out / label
        options = ("--no-pictures", "--out", str(out), *(("--headline",) if headline else ()))
        seen = ("--leave-out-seen",) if self.domain.mixed else ()
        line = ("detect", "evaluate", str(self.work / label), "--abnormal", str(self.kinds["test"]), *options, *seen)
        return Command(line, out / "report.html")

    def frames(self, label: str) -> Command:
        """Return the command that looks for abnormal pixels in whole images."""
        images, masks = (self.work / "frames" / kind for kind in ("images", "masks"))
        out = self.out.parent / f"{self.out.name}-frames" / label
        given = ("--abnormal", str(images), "--masks", str(masks), "--sliding", str(STRIDE), "--no-normal")
        line = ("detect", "evaluate", str(self.work / label), *given, "--leave-out-seen", "--no-pictures")
        return Command((*line, "--out", str(out)), out / "report.html")

    def enlarge_frames(self, source: Path) -> None:
        """Cut frames and bring them to the scale of the patches that the detectors know."""
        for kind, resample in (("images", Image.Resampling.LANCZOS), ("masks", Image.Resampling.NEAREST)):
            folder = self.work / "frames" / kind
            folder.mkdir(parents=True, exist_ok=True)
            for file in sorted((source / kind).glob("*.png")):
                if not (folder / file.name).exists():
                    with Image.open(file) as opened, in_place_of(folder / file.name) as written:
                        inner = opened.crop(FRAME_CROP)
                        size = (inner.width * FRAME_SCALE, inner.height * FRAME_SCALE)
                        inner.resize(size, resample).save(written, "PNG")

    def carry_through(self, run: Run) -> None:
        """Fit, calibrate, test and publish."""
        fitted, out = self.work / run.label, self.out / run.label
        looks = out / LOOKS
        before = looks.read_bytes() if looks.exists() else None
        if not run.fit.done.exists():  # what another machine has said of another fit
            for said in (out, self.frames(run.label).done.parent):
                shutil.rmtree(said, ignore_errors=True)
            if before is not None:
                looks.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(looks, before)
        call(run.fit)
        if before is not None and not (fitted / LOOKS).exists():
            write_atomically(fitted / LOOKS, before)
        out.mkdir(parents=True, exist_ok=True)
        if not failed(fitted):
            write_json(out / "calibration.json", self.calibrated(fitted))
            if self.looks:
                self.test(run)
            publish(fitted / "config.json", out)
            self.clean(out)
        publish(fitted / "environment.json", out)
        publish(fitted / DONE, out)

    def test(self, run: Run) -> None:
        """Look at the labelled test images; of polyps at whole frames as well."""
        call(self.evaluate(run.label, run.headline))
        publish(self.work / run.label / LOOKS, self.out / run.label)
        if run.frames and self.domain.frames is not None and fitted_detector(self.work / run.label)[1].localises:
            frames = self.frames(run.label)
            call(frames)
            publish(self.work / run.label / LOOKS, self.out / run.label)
            self.clean(frames.done.parent)

    def calibrated(self, run: Path, parts: Mapping[str, float] | None = None) -> dict[str, float | None]:
        """Return how well it tells held-out normals from abnormal images that are for choosing.

        Args:
            run: folder of a fit.
            parts: component → weight of another score than its own.
        """
        config, detector, preprocessing = fitted_detector(run)
        held_out = prepared_again(run).part(config.parts.held_out)
        listing = list_of(str(self.kinds["calibration"]), self.domain.groups, "calibration")
        abnormal = read_images(listing, preprocessing)
        if self.domain.mixed:
            known = set(config.parts.held_out)
            abnormal = abnormal.at([place for place, group in enumerate(abnormal.groups) if group in known])
        images = torch.cat([held_out.images, abnormal.images])
        found = detector.results(images, maps=False)
        scores = found.pred_score if parts is None else combined(found.components, parts, detector.frozen)
        labels = [0] * len(held_out) + [1] * len(abnormal)
        return {"auroc": auroc(labels, scores).value, "normal": len(held_out), "abnormal": len(abnormal)}

    def clean(self, folder: Path) -> None:
        """Take the places of this machine out of what is published."""
        for name in ("evaluation.json", "report.html", "config.json"):
            if (folder / name).exists():
                text = (folder / name).read_text(encoding="utf-8")
                for place, word in ((self.data, "DIR"), (self.work, "WORK"), (self.out.parent, "OUT")):
                    text = text.replace(str(place), word)
                write_atomically(folder / name, text.encode())


def publish(file: Path, folder: Path) -> None:
    """Copy a file into a folder, whole or not at all."""
    write_atomically(folder / file.name, file.read_bytes())


def failed(run: Path) -> bool:
    """Tell whether a run's training did not stay finite."""
    return json.loads((run / "fit.json").read_text(encoding="utf-8"))["failure"] is not None

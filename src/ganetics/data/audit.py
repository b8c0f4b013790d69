"""What is in a set of images and what is wrong with it, before anything is trained on it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Literal

from pydantic import Field

from ganetics.data.facts import Facts, Finding, Severity, columns
from ganetics.data.findings import RULES
from ganetics.data.listing import Listing
from ganetics.data.measure import Measured
from ganetics.data.splits import SHARES
from ganetics.records import Record, write_json


class Audit(Record):
    """What is in a set of images, and what was found in it."""

    schema_version: Literal[1] = 1
    dataset: str
    images: int
    unreadable: int
    counts: dict[str, dict[str, int]]
    """Class → split → images; one class "all" where there are none, one split "all" where it cannot be split."""
    groups: int | None
    """Patients, sequences …; None where they are not known."""
    split_groups: dict[str, int] = Field(default_factory=dict)
    """Split → groups in it; empty where groups are not known."""
    sizes: dict[str, int]
    """Width×height → images, the ten most common."""
    depths: dict[str, int]
    """Such as "8-bit RGB" → images."""
    findings: tuple[Finding, ...]
    """Errors first."""

    @property
    def groups_told(self) -> str:
        """How many groups there are, in all and in each split."""
        if self.groups is None:
            return "not given"
        each = ", ".join(f"{self.split_groups[name]:,} {name}" for name in SHARES if name in self.split_groups)
        return f"{self.groups:,}" + (f" ({each})" if each else "")

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What stops training."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What does not stop it, and should be known."""
        return tuple(finding for finding in self.findings if finding.severity == "warning")


def write_audit(run: Path, found: Audit | None) -> None:
    """Write the audit of a run's images into its folder, if there is one."""
    if found is not None:
        write_json(run / "audit.json", found)


def audit(listing: Listing, measured: Measured) -> Audit:
    """Return what is in a list of images, and what was found in it.

    Args:
        listing: the images.
        measured: from :func:`ganetics.data.measure.measure_all`.
    """
    facts = Facts(listing, measured)
    found = [finding for rule in RULES for finding in rule(facts)]
    order: tuple[Severity, ...] = ("error", "warning", "note")
    splits, _ = facts.split
    counts: dict[str, Counter[str]] = {}
    for entry, split in zip(listing.entries, splits, strict=True):
        counts.setdefault(entry.label or "all", Counter())[split] += 1
    rows = facts.rows[facts.readable]
    sizes = Counter(f"{width}×{height}" for width, height in zip(*columns(rows, "width", "height"), strict=True))
    depths = Counter(
        f"{bits}-bit {'gray' if channels == 1 else 'RGB'}"
        for bits, channels in zip(*columns(rows, "bits", "channels"), strict=True)
    )
    return Audit(
        dataset=listing.name,
        images=len(listing.entries),
        unreadable=len(measured.unreadable),
        counts={name: dict(counts[name]) for name in (*listing.classes, "all") if name in counts},
        groups=None if listing.groups is None else len(set(listing.groups)),
        split_groups=dict(Counter(split for split, _ in set(zip(splits, listing.groups or (), strict=False)))),
        sizes=dict(sizes.most_common(10)),
        depths=dict(depths.most_common()),
        findings=tuple(sorted(found, key=lambda finding: order.index(finding.severity))),
    )

"""The audit of a set of images as one HTML page, with the pictures concerned; no script, no network."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING

import ganetics
from ganetics.report.template import environment

if TYPE_CHECKING:  # an audit comes with PyTorch, its page does not need it
    from ganetics.data.audit import Audit
    from ganetics.data.facts import Finding

MOST = 24
"""Pictures a finding."""
LONGEST = 8
"""Pictures of one set: the rest is told by its number."""
Sets = list[tuple[str, ...]]


def shown(finding: Finding) -> Sets:
    """Return the first sets of a finding's files, as many as have at most 24 pictures together; at least one."""
    found: Sets = []
    left = MOST
    for files in finding.files:
        part = files[:LONGEST]
        left -= len(part)
        if left < 0 and found:
            break
        found.append(part)
    return found


def pictured(audit: Audit) -> list[str]:
    """Return the files whose pictures the page shows, each once."""
    return list(dict.fromkeys(file for finding in audit.findings for files in shown(finding) for file in files))


def render_audit(audit: Audit, pictures: Mapping[str, bytes], command: str) -> str:
    """Return the page.

    Args:
        audit: what was found.
        pictures: file → PNG, of what :func:`pictured` names; what has none is shown by its name.
        command: what makes the page again, to stand at its end.
    """
    splits = [name for name in ("train", "validation", "test", "all") if any(name in row for row in _rows(audit))]
    return (
        environment()
        .get_template("audit.html")
        .render(
            audit=audit,
            splits=splits,
            sets=[shown(finding) for finding in audit.findings],
            urls={name: "data:image/png;base64," + base64.b64encode(png).decode() for name, png in pictures.items()},
            command=command,
            version=ganetics.__version__,
        )
    )


def _rows(audit: Audit) -> list[dict[str, int]]:
    return list(audit.counts.values())

"""docs/data.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from ganetics.data import facts, findings
from ganetics.data.duplicates import ALIKE, BANDS, MOST_BITS
from ganetics.data.folder import EXTENSIONS
from ganetics.data.groups import FIRST_FOLDER, SECOND_FOLDER
from ganetics.data.listing import MOST_BAD
from ganetics.data.splits import FEWEST, SHARES
from ganetics.data.table import COLUMNS

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
PLAIN = " ".join(PAGE.split())


def test_every_rule_is_listed_with_its_severity_and_no_other() -> None:
    files = (ROOT / "src" / "ganetics" / "data" / f"{name}.py" for name in ("findings", "leaks"))
    source = "".join(file.read_text(encoding="utf-8") for file in files)
    known = set(re.findall(r'rule="([a-z-]+)"', source)) | {"sizes", "depths", "shortcut-…"}
    known |= set(re.findall(r'\("(?:error|warning)", "([a-z-]+)"', source))
    rows = dict(re.findall(r"^\| (`[^|]+`) \| ([a-z, ]+) \| [^|]+ \|$", PAGE, flags=re.MULTILINE))
    assert {rule for cell in rows for rule in re.findall(r"`([^`]+)`", cell)} == known
    for rule in ("duplicates-across-splits", "group-leak", "one-image-class", "split"):
        assert rows[f"`{rule}`"] == "error"


def test_thresholds_are_those_of_the_code() -> None:
    for words in (
        f"fewer than {FEWEST} images",
        f"fewer than {findings.FEW}: a generator",
        f"below {facts.CONSTANT:.0%} of the range".replace("%", " %"),
        f"AUROC above {findings.SHORTCUT} or below {1 - findings.SHORTCUT:.1f}",
        f"of classes of {findings.LEAST_OF_CLASS} images and more",
        f"up to {facts.LISTED} sets",
        f"more than {facts.MANY} folders, half of them of fewer than {facts.SMALL} images",
        f"`'{FIRST_FOLDER}'` is the first folder, `'{SECOND_FOLDER}'` the second",
        f"differ in at most {MOST_BITS} bits",
        f"correlate by at least {ALIKE}",
        f"more than {MOST_BAD:.0%} of all of them stop the run".replace("%", " %"),
        f"{SHARES['train']:.0%} of the images train, {SHARES['test']:.0%} validate".replace("%", " %"),
        " ".join(EXTENSIONS),
        ", ".join(f"`{name}`" for name in COLUMNS),
    ):
        assert words in PLAIN, words
    assert BANDS == 5
    assert "five bands" in PLAIN

"""An evaluation in words and rows: what was compared, what it came to, whether training images are copied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ganetics.generation.results import Evaluation
from ganetics.report.charts import number
from ganetics.report.words import figure, signed, words

FOUND, ALIKE = 0.9, 0.1
"""Of slightly changed training images the check should find at least this share, of held-out ones at most that."""
Row = tuple[str, str, str]
SHARES = ((0.1, "hardly any"), (0.4, "few"), (0.7, "about half of the"))
"""Below which share how many are said."""
READINGS: Mapping[str, tuple[str, str]] = {
    "fid": ("FID", "lower is better"),
    "kid": ("KID", "lower is better; 0 for equal distributions"),
    "precision": ("precision", "share of generated images that lie among real ones"),
    "recall": ("recall", "share of real images that lie among generated ones"),
    "density": ("density", "how densely real images surround generated ones; about 1 is real"),
    "coverage": ("coverage", "share of real images with a generated one near; near 1 is real"),
}
"""Field → what it is called, and how to read it."""
FEW_REAL = 200
"""Real images below which figures scatter much."""


def made_from(found: Evaluation) -> str:
    """Return in a line what figures were made from."""
    train = "" if found.train_fid is None else f", as many training images {number(found.train_fid)}"
    copies = "" if found.looked_at == found.n else f" (copies looked for among {found.looked_at:,})"
    return (
        f"{found.n:,} generated against {found.n_real:,} real {found.split or 'held-out'} images{copies}; "
        f"{found.extractor.name} {found.extractor.version}, {found.extractor.dimension} features, resize: "
        f"{found.resize}; real against real {number(found.floor)} at {found.floor_n:,} a side{train}"
    )


def beside_training_images(found: Evaluation) -> str | None:
    """Return how far generated images are beside as many training images; None where it means nothing.

    Below some 200 images both distances are mostly bias, and their ratio near 1 whatever was generated.
    """
    if found.n_train is not None and found.n_train < found.n:
        return f"Not compared with as many training images, of which there are {found.n_train:,} only."
    if not found.train_fid or min(found.n, found.n_real) < FEW_REAL:
        return None
    times = found.fid / found.train_fid
    said = (
        f"Generated images are {number(times)} times as far from the held-out ones (FID {number(found.fid)}) as "
        f"equally many training images are ({number(found.train_fid)}): 1 is as good as real images"
    )
    if copied(found):
        return f"{said}, but copies of training images are among them, which are real images."
    return f"{said}."


def likeness(found: Evaluation) -> str:
    """Return the verdict that the two shares come to."""
    all_known = found.n >= found.n_real
    least = min(found.precision, found.coverage) if all_known else found.precision
    how = "far from" if least < SHARES[1][0] else "some way from" if least < SHARES[2][0] else "near"
    few = "" if all_known else "; whether kinds of images are missing so few cannot say"
    return f"Generated images are {how} real ones, to this network{few}."


def copied(found: Evaluation) -> bool:
    """Tell whether more generated than held-out images count as copies, beyond the intervals of both shares."""
    if found.copy_rate_interval is None:
        return False
    high = found.copy_rate_control or 0.0
    if found.copy_rate_control_interval is not None:
        high = found.copy_rate_control_interval[1]
    return found.copy_rate_interval[0] > high


def in_words(found: Evaluation) -> str:
    """Return what precision and coverage say, for people who do not know the words, and what to look at next."""
    beside = beside_training_images(found)
    said = (
        f"{likeness(found)} "
        + ("" if beside is None else f"{beside} ")
        + (
            f"In words: {_many(found.precision)} generated images look like real ones to this network (precision), and "
            f"{_many(found.coverage)} real images have a generated one near (coverage)."
        )
    )
    if found.coverage < SHARES[1][0] and found.n >= found.n_real:  # fewer images cannot be near to all
        said += " Whole kinds of images are missing, or what is generated looks wrong: look at the samples."
    if found.n_real < FEW_REAL:
        said += (
            f" With {found.n_real:,} real images to compare with all figures scatter, and FID is much too high at any "
            "quality: KID is the one to go by."
        )
    return said


def looks_told(found: Evaluation) -> str | None:
    """Return how often test images were looked at; None where these were no test images."""
    if found.looks is None:
        return None
    how = "once" if found.looks == 1 else f"{found.looks} times"
    changed = " What was changed since in view of them was chosen by the test images." if found.looks > 1 else ""
    return f"Test images were looked at {how}, first at {found.first_look}.{changed}"


def _many(share: float) -> str:
    return next((word for limit, word in SHARES if share < limit), "most")


def figure_rows(found: Evaluation) -> list[Row]:
    """Return name, value and reading of every figure of likeness."""
    values = {
        "fid": number(found.fid),
        "kid": f"{number(found.kid)} ± {number(found.kid_std)}",
        **{name: figure(getattr(found, name)) for name in ("precision", "recall", "density", "coverage")},
    }
    beside = yardsticks(found)
    return [(title, values[name], reading + beside.get(name, "")) for name, (title, reading) in READINGS.items()]


def yardsticks(found: Evaluation) -> dict[str, str]:
    """Return figure → what real images have, to be told behind how it is read."""
    floor = f"; real against real {number(found.floor)} at {found.floor_n:,} a side"
    fid, kid = (
        "" if value is None else f"; as many training images {number(value)}"
        for value in (found.train_fid, found.train_kid)
    )
    return {"fid": floor + fid, "kid": kid}


def copy_rate(found: Evaluation) -> str:
    """Return the copy rate with its interval; a dash without one."""
    if found.copy_rate is None or found.copy_rate_interval is None:
        return "–"
    low, high = found.copy_rate_interval
    return f"{figure(found.copy_rate)} ({figure(low)} to {figure(high)})"


def control_rate(found: Evaluation) -> str:
    """Return the copy rate of held-out images with its interval, where that is known."""
    share = figure(found.copy_rate_control)
    if found.copy_rate_control_interval is None:
        return share
    low, high = found.copy_rate_control_interval
    return f"{share} ({figure(low)} to {figure(high)})"


def copies_told(found: Evaluation) -> list[str] | None:
    """Return what was found of copies, in sentences; None where nobody has looked."""
    return list(_copies(found)) if found.copy_rate is not None else None


def copying(found: Evaluation) -> str:
    """Return the verdict on copies."""
    if copied(found):
        return "Copies of training images are among them: more than of held-out images, beyond chance."
    missed = any(share < FOUND for share in (found.copy_rate_replayed or {}).values())
    if missed or (found.copy_rate_control or 0.0) > ALIKE:
        return "Whether training images are copied cannot be told here."
    control = found.copy_rate_control or 0.0
    if (found.copy_rate or 0.0) > control:
        return (
            f"{figure(found.copy_rate)} of the generated and {figure(control)} of the held-out images count as copies: "
            f"with {found.looked_at:,} and {found.strangers:,} images that may be chance; look at the closest pairs."
        )
    said = "No sign that training images are copied: they count as copies no more often than held-out images do."
    if found.precision < SHARES[2][0]:
        said += " But what does not look real is no copy: of a generator that is trained longer this says nothing."
    return said


def _copies(found: Evaluation) -> Iterator[str]:
    yield copying(found)
    groups = "" if found.train_groups is None else f" of {found.train_groups:,} groups"
    yield (
        f"Copy rate {copy_rate(found)}: the share of generated images that are near to one of {found.n_train or 0:,} "
        f"training images{groups} and to no other. Interval: 95 %, Clopper and Pearson, over "
        f"{found.looked_at:,} generated images."
    )
    yield (
        f"Control: {control_rate(found)} of the {found.strangers:,} real images that were held out count as copies, "
        "too."
    )
    replayed = dict(sorted((found.copy_rate_replayed or {}).items(), key=lambda one: (one[0] != "as they are", one[0])))
    yield (
        "What the check finds of training images themselves: "
        + ", ".join(f"{name} {figure(share)}" for name, share in replayed.items())
        + "."
    )
    missed = [name for name, share in replayed.items() if share < FOUND]
    if missed:
        yield f"So copies {' or '.join(missed)} would be missed here: a low rate does not rule them out."
    if (found.copy_rate_control or 0.0) > ALIKE:
        yield "Real images are so alike here that a rate near the control says nothing."
    if found.held_out_duplicates:
        yield f"{found.held_out_duplicates:,} held-out images are training images, too: the split has leaked."


def utility_rows(found: Evaluation) -> list[tuple[str, str, str, str]]:
    """Return trained on, images, balanced accuracy and AUROC of every probe; none without utility."""
    if found.utility is None:
        return []
    return [
        (
            one.trained_on,
            f"{one.n:,}",
            words(one.balanced_accuracy),
            "–" if one.auroc is None else words(one.auroc),
        )
        for one in found.utility.probes
    ]


def utility_told(found: Evaluation) -> str | None:
    """Return what the generated images add, and what that is; None without utility."""
    utility = found.utility
    if utility is None:
        return None
    what = "AUROC" if len(utility.classes) == 2 else "balanced accuracy"
    drawn = "images" if utility.groups is None else f"{utility.groups:,} groups"
    of = f" of {utility.classes[1]} against {utility.classes[0]}" if len(utility.classes) == 2 else ""
    gain, interval = utility.gain, ""
    if gain.low is not None and gain.high is not None:
        interval = f" (95 % {signed(gain.low)} to {signed(gain.high)})"
    return (
        f"Both against real images alone: {what}{of} {signed(gain.value)}{interval}. Tested on {utility.n_test:,} real "
        f"{found.split or 'held-out'} images of {len(utility.classes)} classes, features of {found.extractor.name}; of "
        f"each class as many images generated as there are real ones. Intervals: 95 %, {utility.resamples:,} draws of "
        f"{drawn}. The classifier is a linear probe, logistic regression on frozen, standardised features: with so few "
        "images a network trained from the start would mostly show its own chance. It says what the features see of "
        "the classes, not what such a network would learn."
    )

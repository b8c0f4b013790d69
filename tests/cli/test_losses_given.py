"""What may be said for the losses of ``ganetics bench``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ganetics._check import InputError
from ganetics.benchmark.config import Contender
from ganetics.cli.losses_given import contenders_given, warn_of_losses
from ganetics.records import Penalty


def test_losses_are_names_expressions_labels_and_penalties() -> None:
    text = (
        "hinge, ours=max(p, y)**2 ,wasserstein+gradient:10,relativistic-pairing+r1:1+r2:0.5/16,"
        "real: -x; fake: x; generator: -x+clip:1e-2,hinge"
    )
    assert contenders_given(text) == (
        Contender(label="hinge", loss="hinge"),
        Contender(label="ours", loss="max(p, y)**2"),
        Contender(
            label="wasserstein+gradient:10", loss="wasserstein", penalties=(Penalty(kind="gradient", weight=10),)
        ),
        Contender(
            label="relativistic-pairing+r1:1+r2:0.5/16",
            loss="relativistic-pairing",
            penalties=(Penalty(kind="r1"), Penalty(kind="r2", weight=0.5, every=16)),
        ),
        Contender(
            label="real: -x; fake: x; generator: -x+clip:1e-2",
            loss="real: -x; fake: x; generator: -x",
            penalties=(Penalty(kind="clip", weight=0.01),),
        ),
    )


def test_losses_given_twice_are_named_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert [one.label for one in contenders_given("hinge,a=p**2,hinge,ganetic,a=p**2,hinge")] == [
        "hinge",
        "a",
        "ganetic",
    ]
    assert capsys.readouterr().err == "ganetics: losses: given more than once and taken once: 'hinge', 'a'\n"


def test_losses_that_are_one_are_named_however_they_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    text = "hinge,a=(p - y)**2,b=(p-y)**2,c=(p - y)**2+r1:1,d=real: relu(1 - x); fake: relu(1 + x); generator: -x"
    warn_of_losses(contenders_given(f"{text},ra-hinge,e=ra-hinge"))
    assert capsys.readouterr().err.splitlines() == [
        f"ganetics: losses: {label!r} is the same loss as {other!r}: it is trained twice"
        for label, other in (("b", "a"), ("d", "hinge"), ("e", "ra-hinge"))
    ]


def test_losses_of_pairs_are_looked_at_too(capsys: pytest.CaptureFixture[str]) -> None:
    text = (
        "relativistic-pairing,a=relativistic-pairing(non-saturating),b=relativistic-pairing(hinge),"
        "c=relativistic-pairing(real: relu(1 - x); fake: 0; generator: -x),d=relativistic-pairing+r1:1,"
        "e=relativistic-pairing(real: 1; fake: x; generator: -x),"
        "f=relativistic-pairing(real: -x; fake: x; generator: 1)"
    )
    warn_of_losses(contenders_given(text))
    assert capsys.readouterr().err.splitlines() == [
        "ganetics: losses: 'a' is the same loss as 'relativistic-pairing': it is trained twice",
        "ganetics: losses: 'c' is the same loss as 'b': it is trained twice",
        "ganetics: losses: 'e' can teach nothing: its real term never changes",
        "ganetics: losses: 'f' can teach nothing: its generator term never changes",
    ]


def test_losses_of_files(tmp_path: Path) -> None:
    folder = tmp_path / "search-1"
    folder.mkdir()
    fame = [
        {"name": None, "expression": "p**3", "candidate": 17},
        {"name": "hinge", "expression": "real: ...", "candidate": 2},
        {"name": None, "expression": "p**4"},
    ]
    (folder / "hall_of_fame.json").write_text(json.dumps(fame))
    (tmp_path / "more.txt").write_text("# mine\nmine=p**5+r1:2\nhinge\n")
    found = contenders_given(f"ganetic,@{folder / 'hall_of_fame.json'},@{tmp_path / 'more.txt'}")
    assert [(one.label, one.loss) for one in found] == [
        ("ganetic", "ganetic"),
        ("candidate 17 of search-1", "p**3"),
        ("hinge", "hinge"),
        ("p**4", "p**4"),
        ("mine", "p**5"),
    ]
    assert found[-1].penalties == (Penalty(kind="r1", weight=2.0),)


def test_one_loss_of_a_file_has_label_and_penalties(tmp_path: Path) -> None:
    fame, text = tmp_path / "hall_of_fame.json", tmp_path / "more.txt"
    fame.write_text(
        json.dumps(
            [
                {"name": "hinge", "expression": "real: ..."},
                {"name": None, "expression": "p**3", "candidate": 17},
                {"name": None, "expression": "p**2", "candidate": 3},
            ]
        )
    )
    text.write_text("# mine\nmine=p**3+r1:2\n")
    given = f"ours=@{fame}, @{fame}#3+r1:1,third=@{fame}#3,@{fame}#1,@{text}#2,theirs=@{text}+r2:1"
    r1, r1_twice, r2 = Penalty(kind="r1"), Penalty(kind="r1", weight=2.0), Penalty(kind="r2")
    assert [(one.label, one.loss, one.penalties) for one in contenders_given(given)] == [
        ("ours", "p**3", ()),
        (f"candidate 3 of {tmp_path.name}+r1:1", "p**2", (r1,)),
        ("third", "p**2", ()),
        ("hinge", "hinge", ()),
        ("mine", "p**3", (r1_twice,)),
        ("theirs", "p**3", (r1_twice, r2)),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (" , ", "losses: there must be at least one"),
        ("a=p**2,a=p**3", "no two may have one label, got 'a' for another"),
        ("hinge+gp:10", "penalty 'gp': kind: Input should be 'r1', 'r2', 'gradient' or 'clip'"),
        ("hinge+r1:ten", "penalty 'r1': weight"),
        ("wasserstein+gradient", r"losses: 'wasserstein\+gradient': penalty 'gradient' needs a weight, such as "),
        ("hinge,ours=p**2+clip:", r"penalty 'clip' needs a weight, such as p\*\*2\+clip:0.01, got none"),
        ("hinge+r1/4+r2:1", r"penalty 'r1' needs a weight, such as hinge\+r1:1, got none"),
        ("hinge+r1:1/0", "penalty 'r1': every"),
        ("@nowhere.json", "losses: no file at nowhere.json"),
        ("a=@nowhere.json#2", "losses: no file at nowhere.json$"),
        ("a=", "losses: 'a': loss"),
        ("hinge,bad=p**3 + sqrt(4*y/p,ganetic", r"every bracket must be closed, one is not in 'bad=p\*\*3"),
    ],
)  # fmt: skip
def test_losses_that_are_wrong(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        contenders_given(text)

"""``ganetics search``: one small search, gone on with in all the right and wrong ways."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from ganetics import trial
from ganetics._check import InputError
from ganetics.cli.guesses import guesses_given
from ganetics.cli.loss_files import read_losses
from ganetics.cli.search import show
from ganetics.search import SearchResult

SAME = (
    *("--trials", 4, "--population", 4, "--steps", 10, "--finalists", 1, "--final-seeds", 1),
    *("--seed", 3, "--guess", "(p - y)**2"),
)
"""What ``search_run`` was made with."""
WHOLE = ("archive.jsonl", "config.json", "hall_of_fame.json", "reference.json")


def test_a_search_prints_one_object_and_leaves_its_files(search_run: Any) -> None:
    found = search_run.ended.json
    assert set(found) == {"run", "trials", "candidates", "failed", "best", "hall_of_fame", "report"}
    assert (found["trials"], found["candidates"]) == (4, 4)
    assert set(found["best"]) >= {"expression", "name", "complexity", "objectives", "best_rate"}
    files = search_run.files()
    assert {*WHOLE, "timings.jsonl", "environment.json", "report.html"} <= set(files)
    assert found["best"].items() <= json.loads(files["hall_of_fame.json"])[0].items()
    assert set(json.loads(files["reference.json"])) == {"floor", "floor_n"}
    lines = [json.loads(line) for line in files["archive.jsonl"].splitlines()]
    # one finalist and four rivals, at three rates
    assert [line["kind"] for line in lines] == ["trial"] * 4 + ["final"] * 15
    assert lines[0]["born"]["expression"] == "(p - y)**2"
    config = json.loads(files["config.json"])
    settings = ("seed", "trials", "population", "finalists", "final_seeds", "guesses", "mode", "lag")
    assert [config[name] for name in settings] == [3, 4, 4, 1, 1, ["(p - y)**2"], "tied", 8]
    assert config["recipe"]["steps"] == 10
    assert [rung["steps"] for rung in config["rungs"]] == [1, 5, 10, 10]


def test_a_finished_search_gone_on_with_takes_its_settings_from_the_run_and_stays_as_it_is(
    search_run: Any, command: Any
) -> None:
    before = search_run.files()
    again = command("search", search_run.path, "--resume", "--workers", 1, "--json")
    assert again.json == search_run.ended.json
    assert {name: search_run.files()[name] for name in WHOLE} == {name: before[name] for name in WHOLE}


def test_a_run_gone_on_with_elsewhere_says_so(search_run: Any, command: Any, tmp_path: Path) -> None:
    run = shutil.copytree(search_run.path, tmp_path / "run")
    there = json.loads((run / "environment.json").read_text())
    assert there.keys() >= {"cpu", "cpu_capability", "numpy", "platform", "python", "torch"}
    (run / "environment.json").write_text(json.dumps({**there, "cpu": "another"}))
    told = command("search", run, "--resume", "--workers", 1).err
    assert "cpu not as where this run began: equality with an uninterrupted run is not promised" in " ".join(
        told.split()
    )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--resume", "--seed", 4], "it holds another configuration: seed is 3 there, got 4"),
        (["--resume", "--population", 5], "it holds another configuration: population is 4 there, got 5"),
        (["--resume", "--mode", "separate"], "it holds another configuration: mode is 'tied' there, got 'separate'"),
        (["--resume", "--minutes", 1], "it holds another configuration: minutes is None there, got 1.0"),
        (["--resume", "--rival", "hinge"], "it holds another configuration: rivals is ["),
        (["--resume", "--rungs", "10x1"], "it holds another configuration: rungs is ["),
        (["--resume", "--steps", 11], "the last rung must have the recipe's 11 steps"),
        (["--trials", 4], "run folder {run}: it holds another configuration: "),
        (["--trials", 4], "; --resume goes on with it, or name another folder"),
        ([*SAME], "run folder {run}: it holds a run already; --resume goes on with it, or name another folder"),
    ],
)
def test_a_search_is_neither_changed_nor_begun_again(
    options: list[Any], told: str, search_run: Any, command: Any
) -> None:
    before = search_run.files()
    ended = command("search", search_run.path, *options, "--workers", 1)
    assert ended.status == 2
    assert told.format(run=search_run.path) in ended.complaint
    assert search_run.files() == before


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"outcome": {"metrics": {"fid": "abc"}, "failure": None}},
            "outcome.metrics.fid: Input should be a valid numb",
        ),
        ({"candidate": "0"}, "candidate: Input should be a valid integer, got '0'"),
        ({"kind": "trail"}, "Input tag 'trail' found using 'kind' does not match"),
    ],
)
def test_a_line_of_another_form_is_named(
    change: dict[str, Any], told: str, search_run: Any, command: Any, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(search_run.path, run)
    archive = run / "archive.jsonl"
    lines = [json.loads(line) for line in archive.read_text().splitlines()]
    lines[2] |= change
    archive.write_text("".join(json.dumps(line) + "\n" for line in lines))
    for words in (("search", run, "--resume", "--workers", 1), ("report", run)):
        ended = command(*words)
        assert ended.status == 2
        complaint = ended.err.splitlines()[-1]
        assert complaint.startswith(f"ganetics: {archive}: line 3: ")
        assert told in complaint


def test_another_dataset_is_refused_before_it_is_read(
    search_run: Any, command: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def load(*_: object, **__: object) -> None:
        raise AssertionError("nothing is to be read, or fetched")

    monkeypatch.setattr(trial, "load_trial_data", load)
    for other in ("mnist", str(tmp_path)):  # images of one's own are none of a named set
        ended = command("search", search_run.path, "--resume", "--dataset", other)
        told = f"run folder {search_run.path}: it holds another configuration: dataset is 'digits' there, got {other!r}"
        assert (ended.status, ended.complaint) == (2, told)


def test_images_may_have_moved_when_it_is_gone_on_with(command: Any, gray_images: Path, tmp_path: Path) -> None:
    run, moved = tmp_path / "run", tmp_path / "elsewhere" / "images"
    small = ("--trials", 2, "--rungs", "2x1", "--finalists", 1, "--final-seeds", 1, "--population", 2, "--workers", 1)
    given = ("--dataset", gray_images, "--groups", r"p(\d+)_", "--recipe", "digits", "--steps", 2, *small)
    assert command("search", run, *given).status == 0
    whole, config = ((run / name).read_bytes() for name in ("archive.jsonl", "config.json"))
    (run / "archive.jsonl").write_bytes(whole.splitlines(keepends=True)[0])
    moved.parent.mkdir()
    gray_images.rename(moved)
    again = command("search", run, "--resume", "--workers", 1, "--dataset", moved)
    assert (again.status, (run / "archive.jsonl").read_bytes()) == (0, whole)
    assert (run / "config.json").read_bytes() == config


def test_the_help_shows_the_whole_form_of_rungs(command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert "STEPSxSEEDS[@RATE/RATE…][:SAMPLES], …" in command("search", "--help").out


def test_a_search_is_no_training_run(search_run: Any, command: Any) -> None:
    ended = command("train", search_run.path, "--resume")
    assert (ended.status, ended.complaint) == (2, f"{search_run.path}: holds a search, not a training run")


def test_a_search_begins_with_the_losses_of_another_in_the_other_mode(
    search_run: Any, command: Any, tmp_path: Path
) -> None:
    fame = search_run.path / "hall_of_fame.json"
    options = [
        *("--mode", "separate", "--guess", "hinge", "--warm-start", fame, "--trials", 5, "--lag", 1, "--steps", 10),
        *("--rungs", "5x1:50,10x1@0.5/1", "--finalists", 0, "--final-seeds", 1, "--workers", 2, "--memory-mib", 800),
    ]
    ended = command("search", tmp_path / "run", *options, "--plateau", 100, "--json")
    config = json.loads((tmp_path / "run/config.json").read_text())
    assert config["guesses"] == ["hinge", *(row.loss for row in read_losses(fame, what="test").rows)]
    assert (config["mode"], config["lag"], config["plateau"]) == ("separate", 1, 100)
    assert config["rungs"] == [
        {"steps": 5, "seeds": 1, "rates": [1.0], "samples": 50},
        {"steps": 10, "seeds": 1, "rates": [0.5, 1.0], "samples": None},
    ]
    lines = [json.loads(line) for line in (tmp_path / "run/archive.jsonl").read_text().splitlines()]
    births = [line["born"] for line in lines if "born" in line]
    assert len(births) == ended.json["candidates"]
    assert {birth["origin"] for birth in births} == {"guess"}
    assert all(birth["expression"].startswith("real: ") for birth in births)
    assert "ganetics: workers wait for one another with a lag below 4 for each, got 2 and 1\n" in ended.err


# --- losses to begin with


HALL = [
    {"name": "hinge", "expression": "real: relu(1 - x); fake: relu(1 + x); generator: -x"},
    {"name": None, "expression": "(p - y)**2"},
    {"name": "ra-hinge", "expression": "ra-hinge"},
    {"name": "ganetic", "expression": "p**3 + sqrt(3.985*y/p)"},
    {"name": "least-squares", "expression": "real: 0.5*(x - 1)**2; fake: 0.5*x**2; generator: 0.5*(x - 1)**2"},
]


@pytest.fixture
def hall(tmp_path: Path) -> Path:
    """Return a hall of fame with losses of all kinds."""
    file = tmp_path / "hall_of_fame.json"
    file.write_text(json.dumps(HALL))
    return file


@pytest.mark.parametrize(
    ("mode", "left", "told"),
    [
        ("tied", ["(p - y)**2", "ganetic"], "3 of 5 losses of {0} are left out, in tied mode: 2 not tied (in y"),
        ("separate", ["hinge", "(p - y)**2", "ganetic", "least-squares"], "1 of 5 losses of {0} are left out, in"),
    ],
)  # fmt: skip
def test_of_a_hall_of_fame_what_does_not_fit_is_left_out_and_counted(
    mode: str, left: list[str], told: str, hall: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert guesses_given(["p*y"], hall, mode=mode) == ("p*y", *left)
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(f"ganetics: warm start: {told.format(hall)}")
    assert err.endswith("1 no expression\n")


def test_a_hall_of_fame_that_fits_is_taken_without_a_word(hall: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hall.write_text(json.dumps([HALL[1], HALL[3]]))
    assert guesses_given([], hall, mode="tied") == ("(p - y)**2", "ganetic")
    assert capsys.readouterr().err == ""


def test_a_tied_search_begins_with_a_hall_of_fame_that_has_the_default_rivals(
    search_run: Any, command: Any, tmp_path: Path
) -> None:
    fame = search_run.path / "hall_of_fame.json"
    small = ("--trials", 1, "--steps", 1, "--finalists", 0, "--final-seeds", 1, "--rival", "hinge", "--workers", 1)
    ended = command("search", tmp_path / "run", "--warm-start", fame, *small, "--json")
    assert ended.json["trials"] == 1
    assert f"warm start: 2 of 5 losses of {fame} are left out, in tied mode: 2 not tied (in y and p)\n" in ended.err
    guesses = json.loads((tmp_path / "run/config.json").read_text())["guesses"]
    assert set(guesses) == {"(p - y)**2", "ganetic", "non-saturating"}


def test_a_search_among_pairs_keeps_its_penalties(
    command: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    small = ("--trials", 2, "--steps", 2, "--finalists", 1, "--final-seeds", 1, "--rival", "hinge", "--workers", 1)
    given = ("--mode", "pairs", "--penalty", "r1:0.05", "--penalty", "r2:0.5/4", "--guess", "evolved-pairing")
    ended = command("search", run, *small, *given, "--json")
    penalties = [{"kind": "r1", "weight": 0.05}, {"kind": "r2", "weight": 0.5, "every": 4}]
    assert json.loads((run / "config.json").read_text())["recipe"]["penalties"] == penalties
    fame = json.loads((run / "hall_of_fame.json").read_text())
    (found,) = (entry for entry in fame if entry["name"] is None)
    assert found["paired"] is True
    capsys.readouterr()
    show(run, SearchResult(trials=2, candidates=2, failed=0, finished=1, hall_of_fame=[found]), as_json=True)
    assert json.loads(capsys.readouterr().out)["best"]["loss"] == f"relativistic-pairing({found['expression']})"
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "--penalty r1:0.05 --penalty r2:0.5/4" in page
    assert "<code>+r1:0.05+r2:0.5/4</code>" in page
    assert command("search", run, "--resume", "--workers", 1, "--json").json == ended.json
    refused = command("search", run, "--resume", "--penalty", "r1:0.06")
    assert (refused.status, "recipe.penalties is [" in refused.complaint) == (2, True)
    assert command("search", tmp_path / "b", "--penalty", "r1").complaint == (
        "--penalty: must be KIND:WEIGHT or KIND:WEIGHT/STEPS, got 'r1'"
    )


def test_losses_to_begin_with_are_those_of_guesses_then_those_of_a_text(tmp_path: Path, hall: Path) -> None:
    text = tmp_path / "losses.txt"
    text.write_text("# the best\nhinge\n\n  p**3 + sqrt(4*y/p)  # GANetic\nmine=real: -x; fake: x; generator: -x\n")
    found = guesses_given(["p*y", f"@{hall}", f"@{hall}#1", f"@{text}#4"], text, mode="separate")
    of_text = ("hinge", "p**3 + sqrt(4*y/p)", "real: -x; fake: x; generator: -x")
    assert found == ("p*y", "(p - y)**2", "hinge", of_text[1], *of_text)


NOT_TIED = "must be tied losses (in y and p) in tied mode, got"


@pytest.mark.parametrize(
    ("guesses", "text", "told"),
    [
        ([], "p\n\nhinge\n", f"warm start: {{0}}, line 3: {NOT_TIED} 'hinge'"),
        ([], "p\np +", "warm start: {0}, line 2: expression \"p +\": invalid syntax"),
        ([], "hinges", "warm start: {0}, line 1: unknown loss 'hinges', nearest: hinge"),
        ([], "ra-hinge", "warm start: {0}, line 1: must be losses that are expressions, got 'ra-hinge'"),
        (["@{0}#2"], "p\nhinge", f"--guess: @{{0}}#2: {NOT_TIED} 'hinge'"),
        (["@{0}#3"], "p\ny", "--guess: {0} has 2 lines, #N must be one of them, got #3"),
        (["hinge"], "p", f"--guess: {NOT_TIED} 'hinge'"),
        ([], json.dumps([HALL[0], HALL[4]]), "warm start: none of the losses of {0} fits, in tied mode: 2 not"),
        ([], json.dumps([HALL[1], {"name": None, "expression": "p +"}]), "warm start: {0}, row 2: expression"),
        ([], "", "warm start: no losses in {0}"),
        ([], "# none yet\n\n", "warm start: no losses in {0}"),
        ([], "[]", "warm start: no losses in {0}"),
        ([], "\xff\xfe", "warm start: {0} must be text (UTF-8), it holds other bytes"),
    ],
)  # fmt: skip
def test_what_a_search_cannot_begin_with_is_one_line(
    guesses: list[str], text: str, told: str, command: Any, tmp_path: Path
) -> None:
    file = tmp_path / "losses"
    file.write_bytes(text.encode("latin-1"))
    given = [option for one in guesses for option in ("--guess", one.format(file))]
    ended = command("search", tmp_path / "run", *given, "--warm-start", file)
    assert ended.status == 2
    assert ended.complaint.startswith(told.format(file))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        *((text, "must be a hall_of_fame.json, a list of losses, or an expression's JSON") for text in (
            "5", "null", '["hinge"]', '[{"name": null}]', "[[]]", '[{"name": 3, "expression": "p"}]',
        )),
        ("{", "must be JSON"),
        ("hinge", "must be JSON"),
    ],
)  # fmt: skip
def test_json_that_is_no_hall_of_fame_is_refused(text: str, told: str, tmp_path: Path) -> None:
    file = tmp_path / "fame.json"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        read_losses(file, what="warm start")
    assert str(caught.value).startswith(f"warm start: {file} {told}")


@pytest.mark.parametrize("count", [1, 9, 30])
def test_every_loss_of_the_hall_of_fame_is_printed(count: int, capsys: pytest.CaptureFixture[str]) -> None:
    entries = [
        {
            "name": None,
            "expression": f"p*{number}.5",
            "objectives": {"log_fid": 1.0, "worst_log_fid": None},
            "best_rate": 1.0,
            "complexity": 3,
        }
        for number in range(count)
    ]
    show(Path("run"), SearchResult(4, 4, 0, 1, entries), as_json=False)
    words = capsys.readouterr().out
    assert all(entry["expression"] in words for entry in entries)


def test_without_ray_the_line_says_what_to_install(
    command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "ganetics.execution.ray", raising=False)
    ended = command("search", tmp_path / "run", "--executor", "ray", "--trials", 1)
    assert (ended.status, ended.complaint) == (
        2,
        "ray is not installed: jobs on a cluster need it: pip install ray",
    )
    assert not (tmp_path / "run").exists()


def test_a_search_that_cannot_be_leaves_nothing(command: Any, tmp_path: Path) -> None:
    ended = command("search", tmp_path / "run", "--trials", 4, "--rival", "hinj")
    assert (ended.status, ended.complaint) == (2, "unknown rival 'hinj', nearest: hinge, ra-hinge")
    assert not (tmp_path / "run").exists()

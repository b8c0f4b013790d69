"""Replay: an archive is all there is to a search's state, and reading it draws and screens nothing again."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ganetics._check import InputError
from ganetics.execution import Log
from ganetics.search import SearchResult, evolve
from ganetics.search.config import SearchConfig
from ganetics.search.evolve import Search, finalists
from ganetics.search.replay import restored

Line = dict[str, Any]
DRAWING = ("screen", "signature_of", "random_expression", "cross", "mutate", "predictions", "shape")
"""What proposes new candidates."""


@pytest.fixture(scope="module")
def lines(finished: Path) -> list[Line]:
    return [line for line in Log(finished / "archive.jsonl").read() if line["kind"] == "trial"]


def state(search: Search) -> dict[str, Any]:
    """Return all that can be seen of a search."""
    return {
        "candidates": [{**vars(one), "expression": one.expression} for one in search.candidates],
        "trials": [(t.index, t.candidate.number, t.born, t.rung, t.steps, t.run, t.seed) for t in search.trials],
        "results": search.results,
        "finished": search.finished(),
        "front": search.front,
        "ranking": [one.number for one in search.ranking()],
        "finalists": [one.number for one in finalists(search)],
        "hopeless": [search.hopeless(one) for one in search.candidates],
        "stale": search.stale,
    }


def result_of(line: Line) -> float:
    metrics = line["outcome"]["metrics"]
    return evolve.math.inf if metrics is None else evolve.math.log(metrics["fid"])


def gone_on(search: Search, lines: list[Line], *, until: int) -> list[dict[str, Any]]:
    """Go on with what the archive has next; return the states on the way, at moments that any search comes to."""
    states = []
    while len(search.results) < until:
        while search.open < search.config.lag and len(search.trials) < until:
            assert search.decide() is not None
        states.append(state(search))
        search.commit(result_of(lines[len(search.results)]))
    search.settle()
    return [*states, state(search)]


def test_a_search_read_from_its_archive_goes_on_as_the_one_that_wrote_it(
    config: SearchConfig, lines: list[Line], tmp_path: Path
) -> None:
    live = gone_on(Search(config), lines, until=len(lines))
    assert live[-1]["finished"][-1] > 0
    for count in (0, 1, 3, 4, 5, 11, 20, 33, len(lines)):
        read = restored(config, lines[:count], where=tmp_path)
        assert len(read.results) == count
        assert gone_on(read, lines, until=len(lines)) == live[count:], count


def test_nothing_is_drawn_or_screened_but_for_the_last_candidate(
    config: SearchConfig, lines: list[Line], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[str] = []

    def counted(name: str) -> Callable[..., Any]:
        really = getattr(evolve, name)

        def call(*arguments: Any, **options: Any) -> Any:
            called.append(name)
            return really(*arguments, **options)

        return call

    for name in DRAWING:
        monkeypatch.setattr(evolve, name, counted(name))
    births = [place for place, line in enumerate(lines) if "born" in line]
    assert len(births) > evolve.FEWEST + 2
    for number, place in enumerate(births):
        called.clear()
        restored(config, lines[: place + 1], where=tmp_path)
        if number < len(config.guesses):
            assert set(called) == {"signature_of"}
            continue
        drawn = sum(lines[place]["born"]["rejected"].values()) + 1
        made = [name for name in called if name in ("random_expression", "cross", "mutate")]
        assert called.count("screen") == len(made) == drawn
        assert len(set(made)) == 1
    assert "predictions" in called


def test_without_a_last_candidate_nothing_is_drawn_at_all(
    config: SearchConfig, lines: list[Line], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The candidate that is proposed anew is the archive's last: a guess, here."""
    for name in set(DRAWING) - {"signature_of"}:
        monkeypatch.setattr(evolve, name, None)
    first_drawn = next(place for place, line in enumerate(lines) if line.get("born", {}).get("origin") == "random")
    assert first_drawn >= 4
    assert len(restored(config, lines[:first_drawn], where=tmp_path).candidates) == 4
    with pytest.raises(TypeError, match="not callable"):
        restored(config, lines[: first_drawn + 1], where=tmp_path)


def test_guesses_that_were_twins_are_used_up(config: SearchConfig, tmp_path: Path) -> None:
    guesses = ("ganetic", "(y - p)**2", "2*(y - p)**2", "ganetic", "p - 2*y*p", "3*(p - 2*y*p)")
    config = config.model_copy(update={"guesses": guesses, "lag": 1})
    search, lines = Search(config), []
    while len(search.candidates) < 7:
        trial = search.decide()
        assert trial is not None
        search.commit(2.0)
        born = {**vars(trial.candidate), "expression": trial.candidate.text, "parents": list(trial.candidate.parents)}
        lines.append(
            {
                "index": trial.index, "candidate": trial.candidate.number, "rung": trial.rung, "rate": trial.rate,
                "seed": trial.seed, "outcome": {"metrics": {"fid": evolve.math.exp(2.0)}},
            }
            | ({"born": born} if trial.born else {})
        )  # fmt: skip
    assert [one.origin == "guess" for one in search.candidates] == [True] * 3 + [False] * 4
    for count in range(len(lines) + 1):
        read = restored(config, lines[:count], where=tmp_path)
        while len(read.trials) < len(lines):
            read.decide()
            read.commit(2.0)
        assert state(read) == state(search)


def _without_birth(line: Line) -> None:
    line.pop("born", None)


def _born_again(line: Line) -> None:
    line["born"] = {"expression": "p*y", "complexity": 3, "signature": "", "origin": "random", "parents": [],
                    "rejected": {}}  # fmt: skip


DAMAGE: dict[str, Callable[[Line], Any]] = {
    "candidate": lambda line: line.update(candidate=line["candidate"] + 1),
    "rung": lambda line: line.update(rung=line["rung"] + 1),
    "rate": lambda line: line.update(rate=0.75),
    "seed": lambda line: line.update(seed=line["seed"] + 1),
    "no birth": _without_birth,
    "another birth": _born_again,
}


@pytest.mark.parametrize("name", DAMAGE)
def test_an_archive_that_does_not_fit_is_refused_naming_the_trial(
    name: str, config: SearchConfig, lines: list[Line], tmp_path: Path
) -> None:
    births = [place for place, line in enumerate(lines) if "born" in line]
    climbs = [place for place, line in enumerate(lines) if "born" not in line]
    places = {"no birth": births[5:6], "another birth": [climbs[2], births[-1]]}.get(name, [births[3], climbs[4]])
    for place in places:
        damaged = copy.deepcopy(lines)
        DAMAGE[name](damaged[place])
        with pytest.raises(InputError, match=rf"^{tmp_path}: trial {place} must be .* by this release, got [^\n]*$"):
            restored(config, damaged, where=tmp_path)


def test_a_result_that_was_changed_is_noticed_where_it_decides(
    config: SearchConfig, lines: list[Line], tmp_path: Path
) -> None:
    """The best run of a rung made a bad one: another candidate is promoted."""
    climb = next(place for place, line in enumerate(lines) if line["rung"] == 1)
    birth = next(p for p, line in enumerate(lines) if line["candidate"] == lines[climb]["candidate"])
    damaged = copy.deepcopy(lines)
    damaged[birth]["outcome"]["metrics"] = {"fid": 1e6}
    with pytest.raises(InputError, match=f"trial {climb} must be"):
        restored(config, damaged, where=tmp_path)


@pytest.mark.parametrize("place", ["trial 8", "final 3"])
def test_the_search_itself_refuses_it(
    place: str, finished: Path, tmp_path: Path, search: Callable[..., SearchResult]
) -> None:
    kind, index = place.split()
    archive = Log(finished / "archive.jsonl").read()
    for line in archive:
        if (line["kind"], line["index"]) == (kind, int(index)):
            line["rate"] = 0.75
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.json").write_bytes((finished / "config.json").read_bytes())
    log = Log(folder / "archive.jsonl")
    for line in archive:
        log.append(line)
    log.close()
    before = (folder / "archive.jsonl").read_bytes()
    with pytest.raises(InputError, match=rf"archive\.jsonl: {place} must be .* by this release, got .*0\.75"):
        search(folder, job=None)
    assert (folder / "archive.jsonl").read_bytes() == before

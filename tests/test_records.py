"""Records: to JSON and back without loss, one text form, and refusals that name the place and the field."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ganetics._check import InputError
from ganetics.benchmark.config import BenchConfig, Contender
from ganetics.records import (
    DataIdentity,
    ExtractorIdentity,
    Failure,
    FailureKind,
    Outcome,
    Penalty,
    Recipe,
    Record,
    from_json,
    from_values,
    read_text,
    to_json,
)
from ganetics.search.config import Rung, SearchConfig

RESULTS = Path(__file__).parents[1] / "results"
RECIPE = Recipe(
    name="tiny",
    image_size=8,
    channels=1,
    steps=10,
    learning_rate=3e-4,
    ema_half_life=10_000,
    penalties=(Penalty(kind="r1", weight=10), Penalty(kind="clip", weight=0.01)),
    extractor="digits-classifier",
)
DATA = DataIdentity(name="Bilder für mich", split="train", sha256="00", count=9, channels=1, height=8, width=8)
EXTRACTOR = ExtractorIdentity(name="e", version="1", weights_sha256="11", resize="none", dimension=64)
OUTCOME = Outcome(
    step=10, seed=3, metrics={"fid": 0.1 + 0.2, "kid": -1e-300}, data="aa", extractor="bb", recipe=RECIPE.digest()
)
FAILURE = Failure(kind=FailureKind.OUT_OF_MEMORY, message='"two\nlines\u2028', step=None)
SEARCH = SearchConfig(
    dataset="digits",
    data=DATA,
    reference=DATA,
    extractor=EXTRACTOR,
    recipe=RECIPE,
    rungs=(Rung(steps=5, samples=100), Rung(steps=10, seeds=2, rates=(0.1, 1.0))),
    guesses=("hinge", "p**3"),
)
BENCH = BenchConfig(
    dataset="digits",
    data=DATA,
    reference=DATA,
    extractor=EXTRACTOR,
    recipe=RECIPE,
    contenders=(
        Contender(label="a", loss="hinge", penalties=(Penalty(kind="r2", every=4),)),
        Contender(label="b", loss="p"),
    ),
    baseline="a",
    score_at=(5,),
)
RECORDS: list[Record] = [RECIPE, DATA, EXTRACTOR, OUTCOME, FAILURE, SEARCH, BENCH]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
@pytest.mark.parametrize("indent", [None, 2])
def test_json_and_back(record: Record, indent: int | None) -> None:
    text = to_json(record, indent=indent)
    found = from_json(type(record), text, where="test")
    assert found == record
    assert found.digest() == record.digest()
    assert to_json(found, indent=indent) == text
    assert list(json.loads(text)) == sorted(json.loads(text))


@given(
    rate=st.floats(min_value=0, exclude_min=True, allow_infinity=False),
    name=st.text(st.characters(exclude_categories=["Cs"])),
    fid=st.floats(allow_nan=False, allow_infinity=False),
)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_numbers_and_names_survive_exactly(rate: float, name: str, fid: float) -> None:
    recipe = RECIPE.model_copy(update={"learning_rate": rate, "name": name})
    assert from_json(Recipe, to_json(recipe), where="test") == recipe
    outcome = OUTCOME.model_copy(update={"metrics": {"fid": fid}})
    assert from_json(Outcome, to_json(outcome), where="test") == outcome


def test_text_form_and_digests_are_pinned() -> None:
    """They stand in published archives: a change means that old results cannot be told apart from new ones."""
    assert to_json(FAILURE) == '{"kind":"out of memory","message":"\\"two\\nlines\u2028","step":null}'
    assert EXTRACTOR.digest() == "a23a43400ba89762"
    assert RECIPE.model_copy(update={"ema_half_life": None}).digest() == "1f04f266d46f81fa"
    assert RECIPE.digest() == "bda8fafd5a3df571"
    assert RECIPE.at_rate(2).digest() != RECIPE.digest()
    assert to_json(Penalty(kind="r1")) == '{"kind":"r1","weight":1.0}'
    lazy = Penalty(kind="r1", every=16)
    assert from_json(Penalty, to_json(lazy), where="here") == lazy
    assert lazy.digest() != Penalty(kind="r1").digest()


def test_recipes_of_stored_runs_keep_their_text() -> None:
    """Fields that came later are left out where they say nothing; ``ema_decay`` is written where it was."""
    stored = [json.loads(path.read_text()) for path in sorted(RESULTS.glob("*/config.json"))]
    recipes = [config["recipe"] for config in stored if "recipe" in config]
    assert len(recipes) > 3
    for plain in recipes:
        assert from_values(Recipe, plain, where="stored").model_dump(mode="json") == plain


@pytest.mark.parametrize(
    "change",
    [{"classes": 2}, {"augment": "adaptive"}, {"ema_half_life": 5.0}, {"rate_half_life": 9.0}],
    ids=lambda change: next(iter(change)),
)
def test_later_fields_are_written_where_they_say_something(change: dict[str, Any]) -> None:
    plain = RECIPE.model_copy(update={"ema_half_life": None})
    changed = from_values(Recipe, {**plain.model_dump(), **change}, where="test")
    assert changed.model_dump().items() >= change.items()
    assert from_json(Recipe, to_json(changed), where="test") == changed
    assert changed.digest() != plain.digest()


def test_an_average_by_its_decay_is_refused_with_what_to_write() -> None:
    text = to_json(RECIPE).replace('"ema_half_life":10000.0', '"ema_decay":0.999')
    with pytest.raises(InputError, match=r"^f: ema_decay is called ema_half_life now, .* ln\(decay\); got 0\.999$"):
        from_json(Recipe, text, where="f")


@pytest.mark.parametrize(
    ("record", "change", "field"),
    [
        (RECIPE, {"schema_version": 2}, "schema_version"),
        (OUTCOME, {"schema_version": 0}, "schema_version"),
        (SEARCH, {"schema_version": "2"}, "schema_version"),
        (SEARCH, {"schema_version": 1}, "schema_version"),
        (SEARCH, {"rungs": []}, "rungs"),
        (SEARCH, {"rungs": [{"steps": 10, "rates": [0, 1]}]}, "rungs.0.rates.0"),
        (SEARCH, {"promote": 1}, "promote"),
        (SEARCH, {"mode": "both"}, "mode"),
        (RECIPE, {"momentum": 0.9}, "momentum"),
        (SEARCH, {"recipe": {**RECIPE.model_dump(mode="json"), "momentum": 0.9}}, "recipe.momentum"),
        (RECIPE, {"learning_rate": 0}, "learning_rate"),
        (RECIPE, {"image_size": 257}, "image_size"),
        (RECIPE, {"channels": 2}, "channels"),
        (RECIPE, {"steps": None}, "steps"),
        (RECIPE, {"penalties": [{"kind": "r3"}]}, "penalties.0.kind"),
        (OUTCOME, {"metrics": {"fid": "low"}}, "metrics.fid"),
        (OUTCOME, {"failure": {"kind": "bored", "message": ""}}, "failure.kind"),
    ],
)
def test_what_is_not_known_is_refused_by_name(record: Record, change: dict[str, Any], field: str) -> None:
    text = json.dumps({**record.model_dump(mode="json"), **change})
    with pytest.raises(InputError, match=rf"^archive\.jsonl: line 3: {re.escape(field)}: [^\n]+, got [^\n]+$"):
        from_json(type(record), text, where="archive.jsonl: line 3")


def test_the_message_gives_rule_and_value() -> None:
    with pytest.raises(InputError, match=r"^f: weight: Input should be greater than 0, got '-1.0'$"):
        from_json(Penalty, '{"kind": "r1", "weight": -1.0}', where="f")
    with pytest.raises(InputError, match=r"^f: weihgt: Extra inputs are not permitted, got '1'$"):
        from_json(Penalty, '{"kind": "r1", "weihgt": 1}', where="f")


@pytest.mark.parametrize(
    ("rungs", "message"),
    [
        ([{"steps": 5}, {"steps": 4}, {"steps": 10}], "steps and seeds must not fall from rung to rung"),
        ([{"steps": 5, "seeds": 2}, {"steps": 10}], "steps and seeds must not fall from rung to rung"),
        ([{"steps": 5}], "the last rung must have the recipe's 10 steps, got steps=5 "),
        ([{"steps": 10, "rates": (0.5, 2)}], "each rung's rates must contain 1, and none twice"),
        ([{"steps": 10, "rates": (1, 3, 3)}], "each rung's rates must contain 1, and none twice"),
        ([{"steps": 10}, {"steps": 10}], "each rung must have runs that none before it has"),
        ([{"steps": 10, "rates": (0.3, 1)}, {"steps": 10}], "each rung must have runs that none before it has"),
        (
            [{"steps": 10}, {"steps": 10, "samples": 50}, {"steps": 10}],
            "each rung must have runs that none before it has",
        ),
    ],
)
def test_rungs_must_climb(rungs: list[dict[str, Any]], message: str) -> None:
    text = json.dumps({**SEARCH.model_dump(mode="json"), "rungs": rungs})
    with pytest.raises(InputError, match=rf"^config\.json: {re.escape(message)}[^\n]*$"):
        from_json(SearchConfig, text, where="config.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"baseline": "c"}, "baseline must be one of a, b, got c"),
        ({"contenders": [{"label": "a", "loss": "hinge"}] * 2}, "labels must differ, got a, a"),
        ({"rates": (1, 0.3)}, "rates must rise, got (1.0, 0.3)"),
        ({"rates": (0.3, 0.3)}, "rates must differ, got 0.3, 0.3"),
        ({"batch_sizes": (16, 16)}, "batch_sizes must differ, got 16, 16"),
        ({"score_at": (7, 5)}, "score_at must rise, below the recipe's 10 steps, got (7, 5)"),
        ({"score_at": (10,)}, "score_at must rise, below the recipe's 10 steps, got (10,)"),
        ({"split": "test"}, "test images must be given with split 'test' and with no other, got 'test'"),
        (
            {"test": DATA.model_dump()},
            "test images must be given with split 'test' and with no other, got 'validation'",
        ),
        ({"tuning_seeds": 0}, "without tuning_seeds there must be one rate and widen 0"),
        ({"tuning_seeds": 0, "rates": (1,)}, "without tuning_seeds there must be one rate and widen 0"),
    ],
)
def test_the_settings_of_a_benchmark_must_fit_each_other(change: dict[str, Any], message: str) -> None:
    text = json.dumps({**BENCH.model_dump(mode="json"), **change})
    with pytest.raises(InputError, match=rf"^config\.json: {re.escape(message)}[^\n]*$"):
        from_json(BenchConfig, text, where="config.json")


def test_one_rate_and_the_test_images_do_for_a_benchmark() -> None:
    change = {"tuning_seeds": 0, "rates": (1,), "widen": 0, "split": "test", "test": DATA.model_dump()}
    assert BenchConfig.model_validate({**BENCH.model_dump(), **change}).test == DATA


@pytest.mark.parametrize(
    "rungs",
    [
        [{"steps": 10}],
        [{"steps": 10}, {"steps": 10, "samples": 50}],
        [{"steps": 10}, {"steps": 10, "seeds": 2}, {"steps": 10, "seeds": 2, "rates": (0.3, 1)}],
    ],
)
def test_rungs_of_equal_steps_may_have_more_runs_or_other_samples(rungs: list[dict[str, Any]]) -> None:
    assert len(SearchConfig.model_validate({**SEARCH.model_dump(), "rungs": rungs}).rungs) == len(rungs)


@pytest.mark.parametrize("text", ["", "[]", "null", '{"kind": "r1"', "\x00", '{"kind": NaN}', "{'kind': 'r1'}"])
def test_what_is_no_record_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(InputError, match=r"^f: [^\n]+$"):
        from_json(Penalty, text, where="f")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_neither_taken_nor_written(value: float) -> None:
    with pytest.raises(ValidationError, match="finite"):
        Outcome(step=1, seed=0, metrics={"fid": value}, data="", extractor="", recipe="")
    text = to_json(OUTCOME).replace("-1e-300", json.dumps(value))
    with pytest.raises(InputError, match=r"^f: metrics\.kid: Input should be a finite number"):
        from_json(Outcome, text, where="f")
    with pytest.raises(ValueError, match="JSON"):
        to_json({"fid": value})


def test_records_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        RECIPE.steps = 11  # type: ignore[misc]
    assert RECIPE.at_rate(2).learning_rate == 2 * RECIPE.learning_rate


def test_a_failed_trial_is_worse_than_any_other() -> None:
    failed = Outcome(step=50, seed=0, metrics=None, failure=FAILURE, data="", extractor="", recipe="")
    awful = OUTCOME.model_copy(update={"metrics": {"fid": 1e300}})
    perfect = OUTCOME.model_copy(update={"metrics": {"fid": 0.0}})
    assert perfect.log_fid < OUTCOME.log_fid < awful.log_fid < failed.log_fid == math.inf
    assert OUTCOME.log_fid == pytest.approx(math.log(0.3))


def test_text_files(tmp_path: Path) -> None:
    file = tmp_path / "f"
    with pytest.raises(InputError, match=rf"^config: no file at {file}$"):
        read_text(file, "config")
    file.write_text("é", encoding="utf-8")
    assert read_text(file, "config") == "é"
    file.write_text("é", encoding="latin-1")
    with pytest.raises(InputError, match=rf"^config: {file} must be text \(UTF-8\), it holds other bytes$"):
        read_text(file, "config")
    with pytest.raises(InputError, match=rf"^config: cannot read {tmp_path}: [^\n]*$"):
        read_text(tmp_path, "config")


def test_records_import_no_torch() -> None:
    configs = "ganetics.records, ganetics.search.config, ganetics.benchmark.config, ganetics.anomaly.settings"
    code = f"import sys, {configs}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)

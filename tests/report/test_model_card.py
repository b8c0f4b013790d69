"""The model card of a training run says what its records say."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import ganetics
from ganetics._check import InputError
from ganetics.catalogue import CATALOGUE, expression_of
from ganetics.data.audit import Audit
from ganetics.data.facts import Finding
from ganetics.expressions.text import to_text
from ganetics.generation.about import About, write_about
from ganetics.generation.card import CardFacts, card_facts
from ganetics.generation.fit import configuration, fit
from ganetics.losses.theory import theory_card
from ganetics.records import Failure, FailureKind, Penalty, to_json
from ganetics.report.charts import number
from ganetics.report.markdown import code, escaped, fenced
from ganetics.report.model_card import render_model_card
from ganetics.training import RECIPES
from ganetics.trial import load_trial_data

RECIPE = RECIPES["digits"].model_copy(
    update={"steps": 3, "width": 2, "eval_samples": 20, "penalties": (Penalty(kind="r1", weight=0.5, every=2),)}
)
HEADINGS = [
    "Model details", "Intended use", "How to use", "Out of scope", "Data", "Audit of the images", "Training", "Metrics",
    "Memorisation", "Limits", "How to make it again",
]  # fmt: skip
AUDIT = Audit(
    dataset="eyes", images=60, unreadable=1, counts={"a|b": {"train": 20, "test": 10}, "c": {"train": 30}}, groups=30,
    sizes={"24×24": 60}, depths={"8-bit gray": 60},
    findings=(
        Finding(severity="error", rule="unreadable", message="cannot be read, the first smith_anna.png", value=1),
        Finding(severity="warning", rule="few-images", message="only 60 images", value=60),
        Finding(severity="note", rule="sizes", message="2 sizes", value=2),
    ),
)  # fmt: skip
EVALUATION: dict[str, Any] = {
    "split": "test", "n": 1200, "n_real": 300, "fid": 41.5, "kid": 0.0314, "kid_std": 0.0027, "floor": 7.25,
    "floor_n": 150, "precision": 0.625, "recall": 0.375, "density": 0.875, "coverage": 0.125, "copy_rate": 0.0225,
    "copy_rate_interval": [0.0155, 0.0325], "copy_rate_control": 0.0175, "train_fid": 20.25,
    "copy_rate_control_interval": [0.0055, 0.0375], "copy_rate_replayed": {"as they are": 1.0, "mirrored": 0.75},
    "extractor": {"name": "efficientnet-lite0", "version": "1", "dimension": 1280, "resize": "bilinear to 256",
                  "weights_sha256": "0"},
    "resize": "bilinear to 256", "kid_subset": 100, "neighbours": 5, "seed": 0, "step": 3, "looks": 2,
    "first_look": "2026-11-01T10:00:00Z",
}  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("card") / "run"
    data = load_trial_data("digits", None, RECIPE)
    fit(run, configuration("digits", "hinge", RECIPE, data, seed=7), data, about=About(licence="BSD, <b>the</b> a_b"))
    return run


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "run"))


@pytest.fixture(scope="module")
def facts(trained: Path) -> CardFacts:
    return card_facts(trained)


def section(card: str, heading: str) -> str:
    found = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", card, flags=re.DOTALL | re.MULTILINE)
    assert found is not None
    return found.group(1)


def test_all_headings_are_there_and_it_says_what_it_is_not(facts: CardFacts) -> None:
    card = render_model_card(facts)
    assert re.findall(r"^## (.+)$", card, flags=re.MULTILINE) == HEADINGS
    assert card.startswith("---\nlibrary_name: ganetics\n")
    assert card.endswith("\n")
    assert card.count("or research, not a medical device") == 2
    assert ganetics.__version__ in card
    assert render_model_card(facts) == card


def test_figures_and_numbers_are_those_of_the_records(facts: CardFacts) -> None:
    card = render_model_card(facts)
    result = facts.result
    assert result is not None
    assert result.outcome.metrics is not None
    metrics = section(card, "Metrics")
    for name in ("fid", "kid"):
        assert f"| {name.upper()}, end of training | {number(result.outcome.metrics[name])} |" in metrics
    assert f"real against real {number(result.floor)} ({result.floor_n} a side)" in metrics
    assert f"20 generated, {result.n_real} real validation images; digits-classifier 1, resize: none" in metrics
    training = section(card, "Training")
    assert "Hinge (Lim, Ye 2017, arXiv 1705.02894)" in training
    expression = expression_of("hinge")
    assert expression is not None
    assert f"- **Its formula:** `{to_text(expression)}`\n" in training
    for sentence in theory_card(CATALOGUE["hinge"].make()).verdict[:2]:
        assert escaped(sentence) in training
    for words in ("`ganetics loss card hinge`", "r1, weight 0.5, every 2 steps", "**Seed:** 7", "96 images shown"):
        assert words in training
    assert f"{RECIPE.learning_rate:g} of both networks' Adam" in training
    data = section(card, "Data")
    assert facts.config.data.sha256 in data
    assert f"digits; trained on {facts.config.data.count:,} of 8×8 pixels, gray" in data
    assert "a public data set" in section(card, "Audit of the images")


def test_what_a_user_states_is_shown_as_it_was_written(facts: CardFacts, run: Path) -> None:
    assert r"- **Licence:** BSD, \<b\>the\</b\> a\_b" in render_model_card(facts)
    (run / "about.json").unlink()
    assert "- **Licence:** not stated" in render_model_card(card_facts(run))
    write_about(run, About(licence="``` | x"))
    card = render_model_card(card_facts(run))
    assert r"- **Licence:** \`\`\` \| x" in card
    assert "\n````sh\nganetics train RUN" in card  # a longer fence than what is in it


def test_what_the_audit_found_is_told_without_the_names_of_files(facts: CardFacts) -> None:
    accepted = facts.config.model_copy(update={"accept_audit": True})
    card = render_model_card(replace(facts, audit=AUDIT, config=accepted))
    audit = section(card, "Audit of the images")
    assert "60 images were looked at: 1 error, 1 warning. The errors were known and training went on" in audit
    assert "- error: `unreadable`, 1\n- warning: `few-images`, 60\n" in audit
    assert "sizes" not in audit
    assert "smith" not in card
    assert "| class | train | test |\n| --- | --- | --- |\n| all 2 | 50 | 10 |\n" in section(card, "Data")
    knows = accepted.model_copy(update={"classes": ("a|b", "c")})  # then the names of its classes are no secret
    data = section(render_model_card(replace(facts, audit=AUDIT, config=knows)), "Data")
    assert "| class | train | test |\n| --- | --- | --- |\n| a\\|b | 20 | 10 |\n| c | 30 | 0 |\n" in data
    assert "**Groups (patients, sequences …):** 30" in data
    assert "The audit found 1 error" in section(card, "Limits")
    many = AUDIT.model_copy(update={"counts": {f"smith{i}": {"train": 2, "test": 1} for i in range(21)}})
    conditional = facts.config.model_copy(update={"classes": tuple(many.counts)})
    named = render_model_card(replace(facts, audit=many, config=conditional))
    assert "| class | train | test |\n| --- | --- | --- |\n| all 21 | 42 | 21 |\n" in named
    assert "**Classes:** 21, not named here" in named
    assert "smith" not in named
    clean = render_model_card(replace(facts, audit=AUDIT.model_copy(update={"findings": ()})))
    assert "no errors, no warnings" in section(clean, "Audit of the images")


@pytest.mark.parametrize(
    ("dataset", "groups", "audit", "told"),
    [
        ("digits", None, None, "image, always the same"),
        ("/x/eyes", r"p\d+", AUDIT, "group, found in each file's name, path or header"),
        ("/x/eyes.csv", None, AUDIT, "group, as the list of images says"),
        ("/x/eyes.csv", None, AUDIT.model_copy(update={"groups": None}), "the list itself where it names a split"),
        ("medmnist:pathmnist", None, None, "the list itself where it names a split"),
        ("/x/eyes", None, None, "images of one patient may be on both sides"),
    ],
)
def test_it_says_by_what_the_images_were_split(
    dataset: str, groups: str | None, audit: Audit | None, told: str, facts: CardFacts
) -> None:
    config = facts.config.model_copy(update={"dataset": dataset, "groups": groups})
    card = render_model_card(replace(facts, config=config, audit=audit))
    assert told in section(card, "Data")
    no_groups = dataset != "digits" and groups is None and (audit is None or audit.groups is None)
    assert ("Groups were not given: if several" in section(card, "Limits")) == no_groups
    assert (r"`p\d+`" in card) == (groups is not None)


def test_an_evaluation_is_told_with_copies_and_their_control(run: Path) -> None:
    before = render_model_card(card_facts(run))
    assert "Not looked at: ganetics evaluate --run RUN does" in section(before, "Memorisation")
    assert "Nobody has looked yet whether it copies" in section(before, "Limits")
    (run / "evaluation.json").write_text(json.dumps(EVALUATION))
    card = render_model_card(card_facts(run))
    metrics = section(card, "Metrics")
    made_from = "1,200 generated, 300 real test images; efficientnet-lite0 1, resize: bilinear to 256"
    for row in (
        "| FID, test | 41.5 | lower is better; real against real 7.25 at 150 a side; as many training images 20.2 | "
        f"{made_from} |",
        f"| KID, test | 0.0314 ± 0.00270 | lower is better; 0 for equal distributions | {made_from} |",
        "| precision, test | 0.625 |",
        "| recall, test | 0.375 |",
        "| density, test | 0.875 |",
        "| coverage, test | 0.125 |",
    ):
        assert row in metrics
    copies = section(card, "Memorisation")
    assert "| copy rate | 0.0225 (95 % interval 0.0155 to 0.0325) |" in copies
    assert "| control | 0.0175 (95 % interval 0.00550 to 0.0375) |" in copies
    assert "| training images mirrored | 0.750 |" in copies
    assert "Test images were looked at 2 times, first at 2026-11-01T10:00:00Z. What was changed since" in metrics
    assert "Nobody has looked yet" not in card


def test_an_evaluation_of_an_earlier_step_or_without_copies_tells_no_more_than_it_has(run: Path) -> None:
    (run / "evaluation.json").write_text(json.dumps({**EVALUATION, "step": 2}))
    assert "Not looked at" in section(render_model_card(card_facts(run)), "Memorisation")
    (run / "evaluation.json").write_text(json.dumps({**EVALUATION, "step": 3, "copy_rate": None}))
    card = render_model_card(card_facts(run))
    assert "| FID, test | 41.5 |" in card
    assert "Not looked at" in section(card, "Memorisation")


def test_what_other_splits_and_extractors_said_stays_on_the_card_test_images_first(run: Path) -> None:
    other = {**EVALUATION, "split": "validation", "fid": 35.5, "looks": None, "first_look": None}
    (run / "evaluation.json").write_text(json.dumps(other))
    (run / "evaluated").mkdir()
    for name, values in (("validation-x", other), ("test-x", EVALUATION), ("test-old", {**EVALUATION, "step": 1})):
        (run / "evaluated" / f"{name}.json").write_text(json.dumps(values))
    metrics = section(render_model_card(card_facts(run)), "Metrics")
    assert 0 < metrics.index("| FID, test | 41.5 |") < metrics.index("| FID, validation | 35.5 |")
    assert metrics.count("| FID, test |") == metrics.count("| FID, validation |") == 1


def test_the_weights_of_a_run_that_failed_are_those_of_the_state_that_was_kept(run: Path) -> None:
    """So are the evaluations: not of the step at which it failed."""
    facts = card_facts(run)
    assert (facts.step, facts.result is not None) == (3, True)
    ended = json.loads((run / "metrics.json").read_text())
    failure = {"kind": "diverged", "message": "the loss is nan", "step": 9}
    ended["outcome"] |= {"metrics": None, "failure": failure, "step": 9}
    (run / "metrics.json").write_text(json.dumps(ended))
    (run / "evaluation.json").write_text(json.dumps(EVALUATION))
    card = render_model_card(card_facts(run))
    assert "training failed, so these are of step 3" in section(card, "Model details")
    assert "| FID, test | 41.5 |" in card
    assert "Nobody has looked yet" not in card
    shutil.rmtree(run / "checkpoint")
    assert "training failed, and no state was kept" in render_model_card(card_facts(run))


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("evaluation.json", "[]", r"evaluation\.json: "),
        ("evaluation.json", "{", r"evaluation\.json: "),
        ("metrics.json", "{}", r"metrics\.json: outcome: "),
        ("audit.json", "{}", r"audit\.json: dataset: "),
        ("about.json", "{}", r"about\.json: licence: "),
    ],
)
def test_a_damaged_file_is_named(file: str, text: str, told: str, run: Path) -> None:
    (run / file).write_text(text)
    with pytest.raises(InputError, match=told):
        card_facts(run)


def test_a_run_that_has_not_ended_or_that_failed_says_so(run: Path, facts: CardFacts) -> None:
    result = facts.result
    assert result is not None
    failure = Failure(kind=FailureKind.DIVERGED, message="the loss is nan", step=2)
    outcome = result.outcome.model_copy(update={"metrics": None, "failure": failure})
    card = render_model_card(replace(facts, result=result.model_copy(update={"outcome": outcome})))
    assert "None: training ended in a failure (diverged: the loss is nan)." in section(card, "Metrics")
    assert "what it generates is not to be used" in section(card, "Limits")
    (run / "metrics.json").unlink()
    card = render_model_card(card_facts(run))
    assert "None: training has not ended." in section(card, "Metrics")
    assert "this card is of a run on its way" in section(card, "Limits")


def test_the_best_state_of_an_early_stop_is_said_to_be_chosen(facts: CardFacts) -> None:
    assert facts.result is not None
    stopped = facts.result.model_copy(update={"stopped": 9})
    card = render_model_card(replace(facts, result=stopped))
    assert "after 3 steps, the best of the evaluations up to step 9" in section(card, "Model details")
    assert "somewhat too good" in section(card, "Limits")
    assert "9 steps of the generator; 288 images shown" in section(card, "Training")


def test_the_command_stands_at_the_end_with_what_it_does_not_set(facts: CardFacts) -> None:
    text = section(render_model_card(facts), "How to make it again")
    assert f"```sh\n{facts.command}\n```\n" in text
    assert facts.beyond == ("eval_samples", "width")
    assert r"differs from the named recipe: eval\_samples, width." in text
    assert "No option sets" not in render_model_card(replace(facts, beyond=()))


def test_a_loss_without_a_name_is_called_by_its_formula(run: Path) -> None:
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(to_json({**config, "loss": "(p - y)**2"}))
    training = section(render_model_card(card_facts(run)), "Training")
    assert r"- **Loss:** (p - y)\*\*2" in training
    assert "- **Its formula:** `(p - y)**2`" in training
    (run / "config.json").write_text(to_json({**config, "loss": "ra-hinge"}))
    assert "it depends on the batch" in section(render_model_card(card_facts(run)), "Training")


def test_signs_of_markdown_are_made_harmless() -> None:
    assert escaped("# a*b*\n\n[x](y) $1$ ~z~") == r"\# a\*b\* \[x\](y) \$1\$ \~z\~"
    assert code("`x`") == "`` `x` ``"
    assert fenced("a") == "```sh\na\n```"


def test_it_imports_no_torch() -> None:
    program = "import sys, ganetics.report.model_card; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0

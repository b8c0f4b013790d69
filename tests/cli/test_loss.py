from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from ganetics._check import InputError
from ganetics.catalogue import CATALOGUE, loss_named_or_parsed
from ganetics.cli import loss as command
from ganetics.cli.losses_given import loss_text
from ganetics.expressions.text import from_json, parse, to_json

GANETIC = "p**3 + sqrt(3.985*y/p)"
ROUND = "y*(1 - tanh(p)) + (1 - y)*minimum(p, 0.9)**2"
LOGITS = [-7.5, -2.2, -0.3, 0.0, 0.4, 1.9, 6.0]


def run(*arguments: object) -> str:
    """Return what the command printed; its InputError passes through."""
    result = CliRunner().invoke(command.app, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def of_json(*arguments: object) -> Any:
    """Return the one JSON document that the command printed."""
    return json.loads(run(*arguments, "--json"))


def main(*arguments: object) -> tuple[int, str, str]:
    """Return exit status, standard output and error, as the console script gives them."""
    code = "import sys; from ganetics.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "loss", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_the_list_holds_the_catalogue() -> None:
    found = of_json("list")
    assert [one["name"] for one in found] == list(CATALOGUE)
    for one in found:
        assert one.keys() == {
            "name", "title", "reference", "separable", "generator_needs_real", "logit_range", "expression", "latex",
            "paired",
        }  # fmt: skip
        entry = CATALOGUE[one["name"]]
        assert (one["expression"], one["separable"]) == (entry.expression, entry.make().separable)
        assert one["paired"] == entry.paired
        assert one["logit_range"] == list(entry.make().logit_range)
        assert (one["latex"] is None) == (one["expression"] is None)
    words = run("list")
    assert all(name in words for name in CATALOGUE)
    others = [entry.paired for entry in CATALOGUE.values() if entry.expression is None]
    assert (words.count("separable"), words.count("pairs of:")) == (
        others.count(None),
        len(others) - others.count(None),
    )


def test_show_says_what_a_loss_is() -> None:
    found = of_json("show", "ganetic")
    assert (found["name"], found["expression"], found["complexity"]) == ("ganetic", GANETIC, 9)
    assert found["terms"]["real"] == found["terms"]["generator"] == "p**3 + sqrt(3.985/p)"
    assert [row["logit"] for row in found["values"]] == [-8, -4, -2, 0, 2, 4, 8]
    real = CATALOGUE["ganetic"].make()
    for row in found["values"]:
        logit = torch.tensor([row["logit"]], dtype=torch.float64, requires_grad=True)
        value = real.generator(fake_logits=logit)
        assert row["generator"] == row["real"] == pytest.approx(value.item(), rel=1e-6)
        assert row["generator_gradient"] == pytest.approx(torch.autograd.grad(value, logit)[0].item(), rel=1e-6)
    for row in found["optimal_discriminator"]:
        assert row["p"] == pytest.approx((np.sqrt(3.985) / 6 * row["r"]) ** (2 / 7), abs=1e-6)
    assert [row["r"] for row in found["optimal_discriminator"]] == [0.1, 0.3, 0.5, 0.7, 0.9]
    words = run("show", "ganetic")
    for part in (GANETIC, found["latex"], "-7.309", "0.599", "arXiv 2406.05023"):
        assert part in words


@pytest.mark.parametrize(
    ("name", "optimum"),
    [
        ("non-saturating", [np.log(r / (1 - r)) for r in (0.1, 0.3, 0.5, 0.7, 0.9)]),
        ("least-squares", [0.1, 0.3, 0.5, 0.7, 0.9]),
        ("hinge", [-1, -1, None, 1, 1]),  # where both are equal, all logits between are as good
        ("wasserstein", [None] * 5),  # at infinity
        ("p + y*0", [None] * 5),
    ],
)
def test_the_optimal_discriminator_is_found_where_there_is_one(name: str, optimum: list[float | None]) -> None:
    rows = of_json("show", name)["optimal_discriminator"]
    assert [row["logit"] for row in rows] == [o if o is None else pytest.approx(o, abs=1e-6) for o in optimum]
    assert ("none: the minimum is not one place" in run("show", name)) == (None in optimum)


def test_an_expression_of_the_catalogue_is_known_by_its_name() -> None:
    written = "-(y*log(p) + (1 - y)*log(1 - p))"  # an argument that begins with a minus is no option
    assert of_json("show", written) == of_json("show", "non-saturating")
    other = of_json("show", ROUND)
    assert (other["name"], other["title"], other["expression"]) == (None, None, ROUND)


def test_a_loss_that_is_not_separable_is_shown_without_terms() -> None:
    found = of_json("show", "ganetic-batch-sum")
    assert (found["separable"], found["expression"]) == (False, None)
    assert "terms" not in found
    assert "depend on the whole batch" in run("show", "ganetic-batch-sum")


def test_a_loss_of_pairs_is_shown_with_its_two_terms() -> None:
    found = of_json("show", "relativistic-pairing(hinge)")
    assert (found["paired"], found["expression"]) == ("real: relu(1 - x); fake: relu(1 + x); generator: -x", None)
    assert found["terms"] == {"real": "relu(1 - x)", "generator": "-x"}
    words = run("show", "relativistic-pairing(hinge)")
    assert "differences of pairs" in words
    assert "whole batch" not in words
    assert all(term in words for term in found["terms"].values())
    twin = "relativistic-pairing(non-saturating)"
    assert of_json("show", twin) == of_json("show", "relativistic-pairing")
    assert CATALOGUE["relativistic-pairing"].title in run("export", twin, "--to", "numpy")


def test_an_infinite_value_is_no_number_in_json() -> None:
    steep = "cube(" * 6 + "x" + ")" * 6  # x**729
    found = of_json("show", f"real: {steep}; fake: x; generator: x")
    assert [row["real"] is None for row in found["values"]] == [True, True, False, False, False, True, True]
    assert found["optimal_discriminator"][0] == {"r": 0.1, "logit": None, "p": None}


FILES = {
    "name.txt": ("hinge\n", "hinge"),
    "text.txt": (f"  {ROUND}\n\n", ROUND),
    "tied.json": (json.dumps(to_json(parse(ROUND))), ROUND),
    "named.json": (json.dumps({"name": None, **to_json(parse("real: -x; fake: x; generator: -x"))}), None),
    "hall_of_fame.json": (json.dumps([{"expression": ROUND, "name": None}, {"expression": "p", "name": None}]), ROUND),
    "rival.json": (json.dumps([{"expression": "ganetic-batch-sum", "name": "ganetic-batch-sum"}]), "ganetic-batch-sum"),
}


@pytest.mark.parametrize("file", FILES)
def test_a_loss_may_lie_in_a_file(file: str, tmp_path: Path) -> None:
    text, loss = FILES[file]
    (tmp_path / file).write_text(text, encoding="utf-8")
    given = f"@{tmp_path / file}"
    assert loss_text(given) == (loss or "real: -x; fake: x; generator: -x")
    assert of_json("show", given) == of_json("show", loss or "wasserstein")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "loss: no losses in"),
        ("[]", "loss: no losses in"),
        ("[3]", "must be a hall_of_fame.json"),
        ('[{"expression": 3}]', "must be a hall_of_fame.json"),
        ("{}", "keys must be tied"),
        ('{"tied": ["log", "q"]}', "unknown variable 'q'"),
        ('{"tied": NaN}', "constants must be finite"),
        ('{"tied": ', "must be JSON"),
        ("[" * 100_000, "must be JSON"),
    ],
)
def test_a_file_that_holds_no_loss_is_named(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "loss.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        run("show", f"@{path}")
    assert str(path) in str(caught.value)
    with pytest.raises(InputError, match=r"no file at .*absent"):
        run("show", f"@{tmp_path / 'absent'}")


EXECUTED = """
import importlib.util, json, sys
sys.modules["ganetics"] = None  # whoever imports it gets an ImportError
import torch
results = []
for path in sys.argv[2:]:
    spec = importlib.util.spec_from_file_location("loss", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    real = torch.tensor(json.loads(sys.argv[1]), requires_grad=True)
    fake = real.detach().flip(0).requires_grad_(True)
    values = [module.discriminator_loss(real, fake), module.generator_loss(fake)]
    slopes = [*torch.autograd.grad(values[0], (real, fake)), *torch.autograd.grad(values[1], fake)]
    results.append([value.tolist() for value in values + slopes])
print(json.dumps(results))
"""


def test_exported_files_equal_the_losses_without_this_package(tmp_path: Path) -> None:
    losses = [*(name for name, entry in CATALOGUE.items() if entry.expression is not None), ROUND, "3*y + p"]
    paths = [tmp_path / f"loss_{i}.py" for i in range(len(losses))]
    for text, path in zip(losses, paths, strict=True):
        run("export", text, "--to", "pytorch", "--out", path)
    arguments = [sys.executable, "-I", "-c", EXECUTED, json.dumps(LOGITS), *map(str, paths)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True, cwd=tmp_path)
    for text, found in zip(losses, json.loads(done.stdout), strict=True):
        loss = loss_named_or_parsed(text)
        real = torch.tensor(LOGITS, requires_grad=True)
        fake = real.detach().flip(0).requires_grad_(True)
        values = [loss.discriminator(real_logits=real, fake_logits=fake), loss.generator(fake_logits=fake)]
        slopes = [*torch.autograd.grad(values[0], (real, fake)), *torch.autograd.grad(values[1], fake)]
        for one, two in zip(found, values + slopes, strict=True):
            assert np.allclose(one, two.detach().numpy(), rtol=1e-6, atol=1e-6), text


def test_an_exported_numpy_file_equals_the_loss(tmp_path: Path) -> None:
    run("export", "ganetic", "--to", "numpy", "--out", tmp_path / "loss.py")
    names = runpy.run_path(str(tmp_path / "loss.py"))
    loss, logits = loss_named_or_parsed("ganetic"), torch.tensor(LOGITS, dtype=torch.float64)
    expected = loss.discriminator(real_logits=logits, fake_logits=-logits)
    assert names["discriminator_loss"](np.array(LOGITS), -np.array(LOGITS)) == pytest.approx(expected.item(), rel=1e-7)
    assert "from keras import ops" in run("export", "ganetic", "--to", "keras")  # run by the tests of ganetics.keras


PAIRS = "relativistic-pairing(real: softplus(-x) - x*0.6666; fake: x; generator: abs(x) - x*abs(x))"


@pytest.mark.parametrize("text", ["relativistic-pairing", PAIRS, "relativistic-pairing(ganetic)"])
def test_exported_files_of_pairs_equal_the_loss(text: str, tmp_path: Path) -> None:
    loss = loss_named_or_parsed(text)
    both = {"real_logits": torch.tensor(LOGITS), "fake_logits": torch.tensor(LOGITS[::-1]) * 0.5}
    expected = [loss.discriminator(**both).item(), loss.generator(**both).item()]
    for to in ("pytorch", "numpy"):
        run("export", text, "--to", to, "--out", tmp_path / f"{to}.py")
        names = runpy.run_path(str(tmp_path / f"{to}.py"))
        given = both if to == "pytorch" else {side: logits.numpy() for side, logits in both.items()}
        found = [float(names[f"{player}_loss"](**given)) for player in ("discriminator", "generator")]
        assert found == pytest.approx(expected, rel=1e-5), to
        column = given["real_logits"].reshape(-1, 1)
        for player in ("discriminator", "generator"):
            with pytest.raises(ValueError, match="must be of one shape"):  # not all pairs
                names[f"{player}_loss"](real_logits=column, fake_logits=given["fake_logits"])
    assert "ops.mean(_pair_term(" in run("export", text, "--to", "keras")  # run by the tests of ganetics.keras


def test_an_exported_file_of_pairs_says_what_its_variables_are() -> None:
    lines = run("export", "relativistic-pairing(ganetic)", "--to", "numpy").splitlines()
    assert "    p**3 + sqrt(3.985/p), p = sigmoid(x), x = real - generated logit" in lines
    assert "    relu(1 - x), x = real - generated logit" in run(
        "export", "relativistic-pairing(hinge)", "--to", "numpy"
    )


@pytest.mark.parametrize("to", ["json", "latex"])
def test_a_loss_of_pairs_is_no_formula_of_one_logit(to: str) -> None:
    with pytest.raises(InputError, match=rf"cannot be exported to {to}: it is of pairs: no formula of one logit$"):
        run("export", "relativistic-pairing", "--to", to)


def test_exported_json_comes_back(tmp_path: Path) -> None:
    found = json.loads(run("export", "hinge", "--to", "json"))
    assert found.pop("name") == "hinge"
    assert from_json(found) == parse(str(CATALOGUE["hinge"].expression))
    run("export", ROUND, "--to", "json", "--out", tmp_path / "loss.json")
    assert of_json("show", f"@{tmp_path / 'loss.json'}") == of_json("show", ROUND)


def test_exported_latex_is_the_formula() -> None:
    assert run("export", "p*y", "--to", "latex") == "L(y, p) = p \\, y\n"


def test_a_file_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("precious")
    with pytest.raises(InputError, match=r"mine\.py is there already and is not overwritten"):
        run("export", "hinge", "--to", "pytorch", "--out", path)
    assert path.read_text() == "precious"
    with pytest.raises(InputError, match="the folder must exist"):
        run("export", "hinge", "--to", "pytorch", "--out", tmp_path / "absent" / "loss.py")


@pytest.mark.parametrize("to", ["pytorch", "keras", "numpy", "json", "latex"])
def test_what_is_not_separable_cannot_be_exported(to: str) -> None:
    with pytest.raises(
        InputError, match=rf"^loss ganetic-batch-sum: cannot be exported to {to}: .* use it from Python: [^\n]+$"
    ):
        run("export", "ganetic-batch-sum", "--to", to)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "hinges"], "unknown loss 'hinges', nearest: hinge"),
        (["show", "p +"], 'expression "p +": invalid syntax'),
        (["show", "p*\ny +"], "expression"),
        (["export", "p.real", "--to", "json"], "'p.real' is not a number, variable, operator or function"),
        (["export", "hinge", "--to", "fortran"], "fortran"),
        (["export", "hinge"], "--to"),
        (["show"], "NAME|EXPRESSION|@FILE"),
        (["show", "p", "--jsn"], "--jsn"),
    ],
    ids=str,
)
def test_wrong_input_is_one_line_and_status_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from ganetics.cli.main import run as whole

    assert whole(["loss", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.startswith("ganetics: ")
    assert err.count("\n") == 1


def test_the_console_script_prints_one_json_document() -> None:
    status, out, err = main("list", "--json")
    assert (status, err) == (0, "")
    assert [one["name"] for one in json.loads(out)] == list(CATALOGUE)
    assert out.count("\n") == 1


def test_a_hall_of_fame_means_its_best_found_loss(tmp_path: Path) -> None:
    fame = tmp_path / "hall_of_fame.json"
    entries = [{"name": "hinge", "expression": "real: relu(1 - x); fake: relu(1 + x); generator: -x"}]
    fame.write_text(json.dumps([*entries, {"name": None, "expression": "p**3 + y/p"}]))
    assert loss_text(f"@{fame}") == "p**3 + y/p"
    fame.write_text(json.dumps(entries))
    assert loss_text(f"@{fame}") == entries[0]["expression"]


def test_one_entry_of_a_file_is_shown_exported_and_carded(tmp_path: Path) -> None:
    fame, text = tmp_path / "hall_of_fame.json", tmp_path / "losses.txt"
    fame.write_text(json.dumps([{"name": None, "expression": "p**3 + y/p"}, {"name": "hinge", "expression": "x"}]))
    text.write_text("# mine\nhinge\n\nours = p**3 + y/p  # the best\n")
    for given, loss in ((f"@{fame}#1", "p**3 + y/p"), (f"@{fame}#2", "hinge"), (f"@{text}#4", "p**3 + y/p")):
        assert of_json("show", given) == of_json("show", loss)
        assert run("export", given, "--to", "json") == run("export", loss, "--to", "json")
    assert [one["expression"] for one in of_json("card", f"@{text}#4", f"@{fame}#1")["cards"]] == ["p**3 + y/p"] * 2

"""The command: all subcommands, and how errors come out."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

import ganetics
from ganetics._check import InputError
from ganetics.cli.console import help_if_alone, warn

WRONG_INPUT, FAILED, INTERRUPTED = 2, 1, 130

COMMANDS = {
    "demo": "Evolve losses on 8×8 digits in a few minutes.",
    "search": "Evolve losses by genetic programming.",
    "bench": "Compare losses, each at its own best learning rate.",
    "train": "Train a generator on images.",
    "sample": "Write images that a trained run generates.",
    "export": "Write a run's generator: weights, ONNX, card.",
    "evaluate": "Compare generated with real images.",
    "report": "Write the page of a run.",
    "doctor": "Show what is at hand, or audit images.",
    "detect": "Learn what is normal, and find what is not.",
    "loss": "List, show and export losses.",
}
"""Name → what it is for. Each is in the file of its name: a function called the same, or an ``app`` of several."""
STYLE: dict[str, Any] = {"add_completion": False, "rich_markup_mode": None, "pretty_exceptions_enable": False}


class _Commands(Mapping[str, Any]):
    """Name → command, imported when it is asked for: help needs no PyTorch."""

    def __getitem__(self, name: str) -> Any:
        if name not in COMMANDS:
            raise KeyError(name)
        module = import_module(f"ganetics.cli.{name}")
        several = getattr(module, "app", None)
        if several is None:
            several = typer.Typer(**STYLE)
            several.command(name)(getattr(module, name))
        return typer.main.get_command(several)

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class _Group(TyperGroup):
    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Commands()  # type: ignore[assignment]  # nothing is added to them

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


app = typer.Typer(
    name="ganetics",
    cls=_Group,
    help="Evolve, prove and use loss functions for generative adversarial networks.",
    invoke_without_command=True,
    **STYLE,
)


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"ganetics {ganetics.__version__}\n")
        raise typer.Exit


@app.callback()
def _options(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="show the version and exit")
    ] = False,
) -> None:
    help_if_alone(ctx)


def run(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status: 0 done, 2 wrong input, 130 interrupted, 1 anything else.

    Errors are one line on standard error. With GANETICS_DEBUG=1 the traceback is printed as well.
    """
    try:
        status = app(args=arguments, prog_name="ganetics", standalone_mode=False)
        if status == INTERRUPTED:
            raise KeyboardInterrupt  # typer has made a status of it
        return status if isinstance(status, int) else 0
    except typer.Exit as error:
        return int(error.exit_code)
    except TyperException as error:
        warn(error.format_message())
        return WRONG_INPUT
    except InputError as error:
        _debug()
        warn(str(error))
        return WRONG_INPUT
    except (KeyboardInterrupt, typer.Abort):
        warn("interrupted; finished work is kept")
        return INTERRUPTED
    except BrokenPipeError:
        return FAILED
    except OSError as error:
        _debug()
        where = f" {error.filename}:" if error.filename else ""
        warn(f"the system refused:{where} {error.strerror or error}")
        return FAILED
    except Exception as error:  # noqa: BLE001 - the last line of defence: one line, not a traceback
        _debug()
        lines = str(error).splitlines() or [""]
        warn(f"unexpected {type(error).__name__}: {lines[0]} (GANETICS_DEBUG=1 shows where)")
        return FAILED


def _debug() -> None:
    if os.environ.get("GANETICS_DEBUG") == "1":
        traceback.print_exc()


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run())


if __name__ == "__main__":
    main()

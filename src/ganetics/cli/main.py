"""The command: all subcommands, and how errors come out."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Annotated

import typer
from typer.exceptions import TyperException

import ganetics
from ganetics._check import InputError
from ganetics.cli import detect, loss
from ganetics.cli.bench import bench
from ganetics.cli.console import warn
from ganetics.cli.demo import demo
from ganetics.cli.doctor import doctor
from ganetics.cli.evaluate import evaluate
from ganetics.cli.export import export
from ganetics.cli.report import report
from ganetics.cli.sample import sample
from ganetics.cli.search import search
from ganetics.cli.train import train

WRONG_INPUT, FAILED, INTERRUPTED = 2, 1, 130

app = typer.Typer(
    name="ganetics",
    help="Evolve, prove and use loss functions for generative adversarial networks.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for command in (demo, search, bench, train, sample, export, evaluate, report, doctor):
    app.command()(command)
app.add_typer(detect.app, name="detect", help="Learn what is normal, and find what is not.")
app.add_typer(loss.app, name="loss", help="List, show and export losses.")


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"ganetics {ganetics.__version__}\n")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="show the version and exit")
    ] = False,
) -> None:
    pass


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

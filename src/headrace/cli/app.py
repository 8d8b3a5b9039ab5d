"""The command line itself: its help, and the one edge where refusals and defects become messages and exit codes.

Exit codes: 0 done, 1 findings of severity error (or a statement that does not verify), 2 wrong use or a refusal,
70 a defect of Headrace. No traceback is shown unless HEADRACE_DEBUG is set.
"""

import os
import sys

import typer
from rich.markup import escape

from headrace.cli import show
from headrace.cli.commands import Commands
from headrace.engine.findings import Refusal

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def headrace() -> None:
    """Channel incentives, right to the cent and explained: from a sales file and a program document to a statement."""


def main() -> None:
    """Run the command line; the one place where refusals and defects become messages and exit codes."""
    try:
        app()
    except Refusal as refusal:
        show.findings(refusal.findings)
        show.err.print(f"[bold red]refused[/] {escape(refusal.message)} [dim]({refusal.code})[/]")
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    except OSError as error:
        if os.environ.get("HEADRACE_DEBUG"):
            raise
        what = f"{error.filename}: " if error.filename else ""
        show.err.print(
            f"[bold red]refused[/] {escape(what)}{escape(error.strerror or str(error))}. Check that the path is right, that "
            "there is room, and that you may write there. [dim](file_system)[/]"
        )
        sys.exit(2)
    except KeyboardInterrupt:
        show.err.print("Stopped. Nothing half done was kept.")
        sys.exit(130)
    except Exception as error:
        if os.environ.get("HEADRACE_DEBUG"):
            raise
        show.err.print(
            f"[bold red]defect[/] Headrace stopped because of a fault of its own ({type(error).__name__}: "
            f"{escape(str(error))}). Nothing half done was kept. Run again with HEADRACE_DEBUG=1 and report what it prints."
        )
        sys.exit(70)

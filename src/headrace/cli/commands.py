"""Which commands there are, and the group that imports the module of a command only when that command is called.

So `headrace --help` takes as long as its text, and a command waits for no library but its own.
"""

from collections.abc import MutableMapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

if TYPE_CHECKING:
    from typer._click import Command, Context


@dataclass(frozen=True, slots=True)
class Listed:
    """A command as the help lists it. module: of headrace.cli, which adds it to `app`. says: how its own help begins."""

    module: str
    says: str


COMMANDS = {
    "check": Listed(
        "checking",
        "Validate program documents: every fault with its line, and whether each program is additive or ordered.",
    ),
    "calculate": Listed(
        "calculating", "Calculate what programs pay on sales lines; several programs in one run meet on the same lines."
    ),
    "verify": Listed(
        "calculating",
        "Compute a written statement again from what it cites: exit 0 if every figure is equal, 1 with each difference.",
    ),
    "explain": Listed(
        "explaining",
        "Open one balance, or one line, to its arithmetic: rules, inputs, tiers, parts, limits and rounding.",
    ),
    "simulate": Listed(
        "simulating",
        "Say what programs would have cost on past sales lines: totals, partners, winners and losers, the payout curve.",
    ),
    "finalise": Listed(
        "closing",
        "Finalise one program's period: compute it in full and post what is not posted yet; a second time changes nothing.",
    ),
    "intake": Listed(
        "loading",
        "Load sales files into the lake: good rows load, every other row is a finding with its number and reason.",
    ),
    "programs": Listed("balances", "Say which programs the lake keeps live balances of, and list them."),
    "balances": Listed(
        "balances", "Show where everybody stands: what is earned, the tier, and how far the next one is."
    ),
    "profiles": Listed("profiles", "List the built-in profiles; `suggest` proposes one for a file, `show` prints one."),
    "reshape": Listed(
        "reshaping",
        "Turn a reference file of another system into a canonical table: rename columns, pick rows, put versions end to end.",
    ),
    "lake": Listed("closing", "Look after a lake: status, recover, maintain, erase."),
    "demo": Listed(
        "demo",
        "Run the sample channel from files to statements: make it, load it, calculate its programs, show what partners see.",
    ),
    "demo-app": Listed(
        "demo_app",
        "Run the web application over the sample channel: set it up in a folder, serve it with its worker, print the sign-ins.",
    ),
    "sample": Listed(
        "demo",
        "Write the sample channel's files: sales files in three layouts, reference files, profiles, programs, control totals.",
    ),
    "serve": Listed("application", "Run the web application."),
    "worker": Listed(
        "application", "Run the jobs of the application: what is queued, what is scheduled, and again what failed."
    ),
    "migrate": Listed("application", "Bring the database of the application up to date."),
    "company": Listed("application", "Open a company of the vendor, and its books."),
    "found": Listed(
        "application", "Make the first two administrators, once; each chooses a password by “Forgot your password?”."
    ),
    "doctor": Listed(
        "application",
        "Check configuration, database, audit trail, jobs, lake, files and mail: what is wrong and how to mend it.",
    ),
    "jobs": Listed("application", "List the jobs that failed for good, or run one again."),
    "audit": Listed("application", "Prove the audit trail, or print its head for a witness."),
    "bench": Listed("bench", "Measure speed and memory against a yardstick in plain SQL."),
}


class Commands(TyperGroup):
    """Lists every command, and imports one when it is called."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        there = self.commands
        stand_ins = {name: TyperCommand(name, help=listed.says) for name, listed in COMMANDS.items()}
        self.commands = cast("MutableMapping[str, Command]", {**stand_ins, **there})

    def resolve_command(self, ctx: "Context", args: list[str]) -> "tuple[str | None, Command | None, list[str]]":
        """Find the command that is called, and import it."""
        listed = COMMANDS.get(args[0])
        if listed is not None:
            self.commands = get_group(import_module(f"headrace.cli.{listed.module}").app).commands
        return super().resolve_command(ctx, args)

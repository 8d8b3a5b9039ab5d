"""The commands about profiles: list the built-in ones, propose one for a file, print one."""

from importlib import resources
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from headrace.cli import show
from headrace.cli.app import app
from headrace.engine.findings import Refusal
from headrace.engine.schema import REFERENCE_KINDS
from headrace.intake.profile import builtin_profiles, load_profile
from headrace.intake.suggest import suggest_profile

profiles_app = typer.Typer(
    invoke_without_command=True,
    help="List the built-in profiles; `suggest` proposes one for a file, `show` prints one.",
)
app.add_typer(profiles_app, name="profiles")


@profiles_app.callback()
def profiles(context: typer.Context) -> None:
    """List the built-in profiles."""
    if context.invoked_subcommand is not None:
        return
    view = Table("profile", "for", box=box.SIMPLE_HEAD)
    for name in builtin_profiles():
        view.add_row(name, escape(load_profile(name).name))
    show.out.print(view)
    show.out.print(f"Reference tables load by their own names: {', '.join(REFERENCE_KINDS)}.")
    show.out.print("`headrace profiles suggest FILE` proposes a profile for a file of yours.")


@profiles_app.command()
def suggest(
    file: Annotated[Path, typer.Argument(help="A sales file as a source sends it.")],
    name: Annotated[str | None, typer.Option(help="The profile's name; by default from the file's.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the proposed profile here.")] = None,
) -> None:
    """Propose a profile for a file, and say what a person has to decide."""
    suggestion = suggest_profile(file, name=name)
    if out is None:
        show.out.file.write(suggestion.to_yaml())
    else:
        out.write_text(suggestion.to_yaml(), encoding="utf-8")
        show.out.print(f"Written: {out}")
    for note in suggestion.notes:
        lead = "[yellow]decide[/]" if note.decide else f"[dim]{note.confidence}[/]"
        show.err.print(f"{lead} {escape(note.about)}: {escape(note.message)}")


@profiles_app.command(name="show")
def show_profile(profile: Annotated[str, typer.Argument(help="A built-in profile.")]) -> None:
    """Print a built-in profile, to start one of your own from."""
    if profile not in builtin_profiles():
        known = ", ".join(builtin_profiles())
        raise Refusal("profile_not_found", f"There is no built-in profile {profile!r}: choose one of {known}.")
    show.out.file.write((resources.files("headrace.intake") / "profiles" / f"{profile}.yaml").read_text("utf-8"))

"""Running the application: serve, worker, migrate, found, company, doctor, jobs, audit."""

import os
import uuid
from datetime import datetime
from typing import Annotated

import typer
from rich.markup import escape

from headrace.cli import show
from headrace.cli.app import app
from headrace.engine.findings import Refusal

audit_app = typer.Typer(no_args_is_help=True, help="Prove the audit trail, or print its head for a witness.")
app.add_typer(audit_app, name="audit")
company_app = typer.Typer(no_args_is_help=True, help="Open a company of the vendor, and its books.")
app.add_typer(company_app, name="company")


def start() -> None:
    """Load the application as the environment configures it. Refused where it is not installed."""
    try:
        import django
    except ModuleNotFoundError:
        raise Refusal("no_server", "The application is not installed. Run: pip install 'headrace[server]'") from None
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "headrace.server.settings")
    django.setup()


@app.command()
def serve(
    address: Annotated[str, typer.Option(help="Where to listen: HOST:PORT or unix:PATH.")] = "127.0.0.1:8000",
    workers: Annotated[int, typer.Option(min=1, help="Processes, each with eight threads.")] = 2,
) -> None:
    """Run the web application."""
    start()
    from headrace.server import processes

    processes.serve(address, workers)


@app.command()
def worker(
    until_idle: Annotated[bool, typer.Option("--until-idle", help="Stop when nothing is due.")] = False,
) -> None:
    """Run the jobs of the application: what is queued, what is scheduled, and again what failed."""
    start()
    from headrace.server import processes

    processes.work(until_idle=until_idle)


@app.command()
def migrate() -> None:
    """Bring the database of the application up to date."""
    start()
    from pathlib import Path

    from django.core.management import call_command
    from django.db import connection

    if connection.vendor == "sqlite":
        Path(connection.settings_dict["NAME"]).parent.mkdir(parents=True, exist_ok=True)
    call_command("migrate", interactive=False, verbosity=0)
    show.out.print("The database is up to date.")


@app.command()
def found(
    first: Annotated[str, typer.Argument(help="E-mail of the first administrator.")],
    second: Annotated[str, typer.Argument(help="E-mail of the second, since a role takes two people.")],
) -> None:
    """Make the first two administrators, once; each chooses a password by “Forgot your password?”."""
    start()
    from django.utils import timezone

    from headrace.foundation import people
    from headrace.foundation.acts import Actor, acting_as

    with acting_as(Actor(None, "command:found")):
        people.found(emails=(first, second), at=timezone.now())
    show.out.print("Both are administrators. They choose a password by “Forgot your password?” on the sign-in page.")


@company_app.command(name="open")
def open_company(
    code: Annotated[str, typer.Argument(help="Code of the company, as terms and accounts name it.")],
    name: Annotated[str, typer.Argument(help="Name of the company.")],
    currency: Annotated[str, typer.Argument(help="Functional currency, like EUR.")],
    by: Annotated[str, typer.Option(help="E-mail of an administrator.")],
    month: Annotated[int, typer.Option(help="Month in which the fiscal year starts.")] = 1,
    day: Annotated[int, typer.Option(help="Day on which it starts.")] = 1,
) -> None:
    """Open a company."""
    start()
    from django.utils import timezone

    from headrace.foundation import companies, people
    from headrace.foundation.acts import Actor, acting_as

    with acting_as(Actor(None, "command:company")):
        companies.open_company(
            code=code, name=name, functional_currency=currency, fiscal_month=month, fiscal_day=day,
            by=people.with_email(by), at=timezone.now(),
        )  # fmt: skip
    show.out.print(f"{escape(code)} is open. A controller opens its books: headrace company books {escape(code)} DAY")


@company_app.command(name="books")
def open_books(
    code: Annotated[str, typer.Argument(help="Code of the company.")],
    first_on: Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="A day of the first fiscal month.")],
    by: Annotated[str, typer.Option(help="E-mail of a controller.")],
    weeks: Annotated[str, typer.Option(help="Fiscal months of whole weeks: 4-4-5, 4-5-4 or 5-4-4.")] = "",
    begins: Annotated[str, typer.Option(help="The weekday on which such months begin.")] = "sunday",
) -> None:
    """Open the books of a company; what is dated before is booked into the first month."""
    start()
    from django.utils import timezone

    from headrace.foundation import companies, people
    from headrace.foundation.acts import Actor, acting_as
    from headrace.ledger import periods

    with acting_as(Actor(None, "command:company")):
        first = periods.open_books(
            company=companies.find(code), first_on=first_on.date(), weeks=(weeks, begins) if weeks else None,
            by=people.with_email(by), at=timezone.now(),
        )  # fmt: skip
    show.out.print(f"The books of {escape(code)} begin on {first.from_on}.")


@app.command()
def doctor() -> None:
    """Check configuration, database, audit trail, jobs, lake, files and mail: what is wrong and how to mend it."""
    start()
    from headrace.server import doctor as checks

    wrong = False
    for checked in checks.examine():
        wrong = wrong or checked.fault is not None
        mark = "[bold red]wrong[/]" if checked.fault else "[green]right[/]"
        show.out.print(f"{mark} {checked.what}{': ' + escape(checked.fault) if checked.fault else ''}", soft_wrap=True)
    raise typer.Exit(1 if wrong else 0)


@app.command()
def jobs(
    again: Annotated[str, typer.Option(help="Id of a failed job to run again.")] = "",
) -> None:
    """List the jobs that failed for good, or run one again."""
    start()
    from django.utils import timezone

    from headrace.foundation import jobs as queue

    if again:
        try:
            task = uuid.UUID(again)
        except ValueError:
            raise Refusal("job_unknown", f"{again!r} is not the id of a job. `headrace jobs` lists them.") from None
        queue.run_again(task=task, at=timezone.now())
        show.out.print("Queued again.")
        return
    for job in queue.failed():
        show.out.print(f"{job.task} {job.name} {job.attempts} tries: {escape(job.fault)}", soft_wrap=True)


@audit_app.command()
def verify(
    head: Annotated[str, typer.Option(help="A head that was kept outside; it must be a link of this chain.")] = "",
) -> None:
    """Prove the chain from its first link to its head: exit 0 if it holds, 1 with each fault."""
    start()
    from headrace.foundation import audit

    verified = audit.verify(audit.Head.parse(head) if head else None)
    show.findings(verified.findings)
    if verified.findings:
        raise typer.Exit(1)
    show.out.print(
        f"{verified.links} links, {verified.entries} entries ({verified.erased} erased) hold. Head {verified.head}",
        soft_wrap=True,
    )


@audit_app.command()
def head() -> None:
    """Print the head of the chain, to be kept where nobody who writes the database can change it."""
    start()
    from headrace.foundation import audit

    show.out.print(str(audit.head()), soft_wrap=True)

"""Finalising a period: one person asks, a preliminary run says what would be posted, a second person approves exactly that.

The final run reads the lake as of the same batch. If what it comes to is not, to the cent, what was approved (other terms, other
reference tables, another run in between), nothing is posted and it has to be asked for again.
"""

import csv
import hashlib
import io
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from headrace.engine.findings import Refusal
from headrace.foundation import access, acts
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission
from headrace.lake import Lake
from headrace.programs import entering, versions
from headrace.programs.balances import PARTNER, own_payees
from headrace.programs.book import DatabaseBook
from headrace.programs.models import Finalisation, FinalPosting, FinalRun, LiveStatement, Program
from headrace.programs.placing import Claim
from headrace.runs.finalise import Worked, finalise, preview, roll_forward, run_folder
from headrace.sales.lake import opened
from headrace.sales.register import DatabaseRegister
from headrace.workflow import requests

KIND = "finalisation"
VENDORS_OWN = ("accrued", "forecast")
"""Columns of a statement that only people of the vendor see."""


def ask(*, program: str, period_from: date | None, by: Person, at: datetime) -> Finalisation:
    """Ask to finalise a period, as of the last batch; a job works out what it would post, and then others decide.

    Refused for a period that has not ended or holds no balance, while batches wait to be posted, and while another finalisation
    of the program is under way.
    """
    access.require(by, VENDOR, Permission.FINALISE, at.date())
    versions.terms_in_force(program)
    with acts.act("ask_to_finalise", at=at):
        Program.locked(Program.objects.get(code=program).pk)
        if Finalisation.objects.filter(program=program, state__in=("asked", "to_decide", "approved")).exists():
            raise Refusal("finalisation_under_way", f"A finalisation of {program} is under way. Wait for its end.")
        period_until = _end_of(program, period_from, at.date())
        batches = DatabaseRegister().batches()
        if DatabaseRegister().unposted():
            raise Refusal("not_caught_up", "A batch is in the lake and not in the balances yet. Ask again in a moment.")
        asked = Finalisation(
            program=program,
            period_from=period_from,
            period_until=period_until,
            batch_seq=max((each.batch_seq for each in batches if each.state == "posted"), default=0),
            asked_by=by,
            asked_at=at,
        )
        asked.save()
        from headrace.programs.tasks import work_out_finalisation

        work_out_finalisation.enqueue(str(asked.pk))
    return asked


def work_out(*, finalisation: uuid.UUID, at: datetime) -> None:
    """Work out what a finalisation would post, and open the request that others decide. A second time changes nothing."""
    asked = Finalisation.objects.select_related("asked_by").get(pk=finalisation)
    if asked.state != Finalisation.State.ASKED:
        return
    try:
        with opened() as lake:
            worked = preview(
                versions.terms_in_force(asked.program),
                lake=lake,
                book=DatabaseBook(),
                period_from=asked.period_from,
                as_of=asked.asked_at.date(),
                batch_seq=asked.batch_seq,
            )
        _refuse_unplaced(worked, at.date())
    except Refusal as refusal:
        _close(asked.pk, Finalisation.State.ASKED, Finalisation.State.REFUSED, _told(refusal), at)
        return
    with acts.act("work_out_finalisation", at=at):
        asked = Finalisation.locked(finalisation)
        if asked.state != Finalisation.State.ASKED:
            return
        asked.state, asked.figures = Finalisation.State.TO_DECIDE, _figures(worked, asked.period_from)
        asked.save()
        facts = {
            "program": asked.program,
            "from": str(asked.period_from or ""),
            "until": str(asked.period_until or ""),
            "as_of_batch": asked.batch_seq,
            **asked.figures,
        }
        requests.ask(kind=KIND, subject=str(asked.pk), facts=facts, by=asked.asked_by, at=at)


def carry_out(*, finalisation: uuid.UUID, at: datetime) -> str:
    """Post an approved finalisation, and give its state. A second time, also after a killed first, posts nothing twice."""
    asked = Finalisation.objects.get(pk=finalisation)
    if asked.state != Finalisation.State.APPROVED:
        return str(asked.state)
    book = DatabaseBook()
    with opened() as lake:
        if (run := _own_run(lake, book, asked)) is not None:
            return _done(asked.pk, run, at)
        try:
            terms = versions.terms_in_force(asked.program)
            done = finalise(
                terms,
                lake=lake,
                book=book,
                period_from=asked.period_from,
                as_of=asked.asked_at.date(),
                batch_seq=asked.batch_seq,
                agreed=lambda worked: _refuse_other(worked, asked),
            )
        except Refusal as refusal:
            # Another worker may have been at the same job, and then it is done and not refused.
            if (run := _own_run(lake, book, asked)) is not None:
                return _done(asked.pk, run, at)
            return _close(asked.pk, Finalisation.State.APPROVED, Finalisation.State.REFUSED, _told(refusal), at)
    return _done(asked.pk, done.run, at)


def _own_run(lake: Lake, book: DatabaseBook, asked: Finalisation) -> str | None:
    """Bring runs that were cut off to their end, and find the one of this finalisation by its place in the sequence."""
    roll_forward(lake, book)
    found = FinalRun.objects.filter(program=asked.program, sequence=asked.figures["sequence"]).first()
    same = found is not None and (found.period_from, found.batch_seq) == (asked.period_from, asked.batch_seq)
    return found.run if found is not None and same else None


def _done(finalisation: uuid.UUID, run: str | None, at: datetime) -> str:
    with acts.act("finalise_period", at=at):
        asked = Finalisation.locked(finalisation)
        if asked.state == Finalisation.State.APPROVED:
            asked.state, asked.run, asked.done_at = Finalisation.State.DONE, run, at
            asked.save()
    return str(asked.state)


def _close(
    finalisation: uuid.UUID, before: Finalisation.State, after: Finalisation.State, reason: str, at: datetime
) -> str:
    with acts.act("close_finalisation", at=at):
        asked = Finalisation.locked(finalisation)
        if asked.state == before:
            asked.state, asked.reason = after, reason
            asked.done_at = at if after in (Finalisation.State.REFUSED, Finalisation.State.REJECTED) else None
            asked.save()
    return str(asked.state)


def _approved(subject: str, by: Person, at: datetime) -> None:
    _close(uuid.UUID(subject), Finalisation.State.TO_DECIDE, Finalisation.State.APPROVED, "", at)
    from headrace.programs.tasks import carry_out_finalisation

    carry_out_finalisation.enqueue(subject)


def _rejected(subject: str, by: Person, reason: str, at: datetime) -> None:
    _close(uuid.UUID(subject), Finalisation.State.TO_DECIDE, Finalisation.State.REJECTED, reason, at)


requests.ends(KIND, requests.Ending(approved=_approved, rejected=_rejected))


def _refuse_other(worked: Worked, asked: Finalisation) -> None:
    if _figures(worked, asked.period_from) != asked.figures:
        raise Refusal(
            "figures_changed",
            "What would be posted is not what was approved: terms, reference tables or an earlier run changed since. Nothing was "
            "posted; ask for it again.",
        )
    _refuse_unplaced(worked, timezone.now().date())


def _refuse_unplaced(worked: Worked, day: date) -> None:
    sums: dict[Claim, Decimal] = {}
    for each in worked.postings:
        claim = Claim(each.program, each.payee_kind, each.payee_id, each.from_, each.until, each.currency)
        sums[claim] = sums.get(claim, Decimal(0)) + each.amount
    entering.refuse_unplaced(sums.items(), day)


def _figures(worked: Worked, period_from: date | None) -> dict[str, Any]:
    """Say what is approved: what would be posted by currency, to how many statements, and a digest of every single posting."""
    sums: dict[str, Decimal] = {}
    for each in worked.postings:
        sums[each.currency] = sums.get(each.currency, Decimal(0)) + each.amount
    rows = sorted(
        json.dumps([each.payee_kind, each.payee_id, each.scope, str(each.from_), f"{each.amount:f}", each.currency])
        for each in worked.postings
    )
    adjusted = sum(1 for each in worked.postings if each.from_ != period_from)
    return {
        "to_post": {currency: f"{amount:f}" for currency, amount in sorted(sums.items())},
        "postings": len(worked.postings),
        "of_them_adjustments": adjusted,
        "statements": worked.statements.num_rows,
        "sequence": worked.sequence,
        "digest": hashlib.sha256("\n".join(rows).encode()).hexdigest(),
    }


def _end_of(program: str, period_from: date | None, today: date) -> date | None:
    ends = set(
        LiveStatement.objects.filter(program=program, period_from=period_from).values_list("period_until", flat=True)
    )
    if not ends:
        raise Refusal("no_such_period", f"{program} has no balance whose period starts on {period_from}.")
    last = max((each for each in ends if each is not None), default=None)
    if last is not None and last > today:
        raise Refusal("period_open", f"The period lasts until {last}, so it cannot be finalised before that day.")
    return last


def _told(refusal: Refusal) -> str:
    return " ".join([refusal.message, *(each.message for each in refusal.findings[:5] if each.severity == "error")])


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """One period of a program: how many balances it has, and the finalisations that were asked for, the latest first."""

    from_: date | None
    until: date | None
    balances: int
    asked: tuple[Finalisation, ...]
    ended: bool


def periods(program: str, viewer: Person, *, at: datetime) -> tuple[Period, ...]:
    """List the periods of a program that have balances, the latest first. For people of the vendor who may read all."""
    access.require(viewer, VENDOR, Permission.READ_ALL, at.date())
    found = LiveStatement.objects.filter(program=program).values("period_from", "period_until").annotate(n=Count("pk"))
    asked = list(Finalisation.objects.filter(program=program).order_by("-asked_at"))
    rows = sorted(found, key=lambda row: str(row["period_from"]), reverse=True)
    return tuple(
        Period(
            from_=row["period_from"],
            until=row["period_until"],
            balances=row["n"],
            asked=tuple(each for each in asked if each.period_from == row["period_from"]),
            ended=row["period_until"] is None or row["period_until"] <= at.date(),
        )
        for row in rows
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """One final statement: what a run posted to a payee for a period. All amounts of the payee in the run, by currency."""

    run: str
    posting: int
    program: str
    payee_id: str
    from_: date | None
    until: date | None
    amount: Decimal
    currency: str
    finalised_at: datetime


def open_span(program: str) -> tuple[date | None, date | None]:
    """Give the days from the first to the last period of a program that has balances and no final run; null for no bound."""
    final = FinalRun.objects.filter(program=program, state="final").values_list("period_from", flat=True)
    done = set(final)
    days = LiveStatement.objects.filter(program=program).values_list("period_from", "period_until").distinct()
    spans = [each for each in days if each[0] not in done]
    starts, ends = [each[0] for each in spans], [each[1] for each in spans]
    return (
        None if not starts or None in starts else min(each for each in starts if each is not None),
        None if not ends or None in ends else max(each for each in ends if each is not None),
    )


def statements(
    viewer: Person, *, at: datetime, size: int = 500, before: int | None = None, program: str = "", payee: str = ""
) -> tuple[Stated, ...]:
    """List final statements that the viewer may see, the latest run first.

    before: only those behind this posting. program, payee: only those.
    """
    rows = (
        FinalPosting.objects.filter(run__state="final")
        .select_related("run")
        .order_by("-run__begun_at", "payee_id", "pk")
    )
    own = own_payees(viewer, at.date())
    if own is not None:
        rows = rows.filter(payee_kind=PARTNER, payee_id__in=own)
    rows = rows.filter(**{name: text for name, text in (("program", program), ("payee_id", payee)) if text})
    if before is not None:
        rows = _behind(rows, before)
    return tuple(
        Stated(
            run=row.run_id,
            posting=row.pk,
            program=row.program,
            payee_id=row.payee_id,
            from_=row.period_from,
            until=row.period_until,
            amount=row.amount,
            currency=row.currency,
            finalised_at=row.run.begun_at,
        )
        for row in rows[:size]
    )


def _behind(rows: "QuerySet[FinalPosting]", posting: int) -> "QuerySet[FinalPosting]":
    last = rows.filter(pk=posting).first()
    if last is None:
        return rows.none()
    begun, payee = last.run.begun_at, last.payee_id
    later = Q(run__begun_at=begun) & (Q(payee_id__gt=payee) | Q(payee_id=payee, pk__gt=posting))
    return rows.filter(Q(run__begun_at__lt=begun) | later)


def statement(run: str, payee: str, viewer: Person, *, at: datetime) -> tuple[dict[str, Any], ...]:
    """Give the statement rows of a payee in a final run, as they were written and can be verified.

    Refused as `statement_unknown` where there is none that the viewer may see.
    """
    own = own_payees(viewer, at.date())
    final = FinalRun.objects.filter(pk=run, state="final").exists()
    if final and (own is None or payee in own):
        with opened() as lake:
            path = run_folder(lake, run) / "statements.parquet"
            table = pq.read_table(path, filters=[("payee_id", "=", payee)])
        if own is not None:
            table = table.filter(pc.equal(table["payee_kind"], PARTNER)).drop_columns(list(VENDORS_OWN))
        rows = table.to_pylist()
        if rows:
            return tuple(rows)
    raise Refusal("statement_unknown", "There is no such statement.")


def as_csv(rows: Sequence[dict[str, Any]]) -> str:
    """Write statement rows as CSV, exact; a text that a spreadsheet would run as a formula is quoted."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(value) for name, value in row.items()})
    return text.getvalue()


def _cell(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text

"""Who owes which report by when, what came of it, and how well a reporter reports.

A report of a period is there once a row of its reporter, stage and months was loaded, or was there already; for repaired rows the
day of the first file counts. A period is owed if it lies wholly inside the days of the duty.

Timeliness: of the periods that were due in the days asked for, the share that came by the due day. Quality: of the rows that a
reporter's files brought in these days, the share that loaded, or was there already, at the first try. Both in percent, rounded
half away from zero to one decimal; null where nothing was due, or came.
"""

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from django.db.models import Min, Sum

from headrace.engine.findings import Refusal
from headrace.engine.schema import Stage
from headrace.foundation import access, acts, outbox
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission
from headrace.masterdata import store
from headrace.sales.models import Duty, NothingToReport, Reported

CALENDARS = {"month": 1, "quarter": 3, "year": 12}
REMINDED_DAYS = 3
"""So many days before the due day a reporter is reminded."""
DUE_DAYS_MAX = 366


def owe(*, reporter: str, stage: str, calendar: str, due_days: int, from_on: date, by: Person, at: datetime) -> Duty:
    """Say that a partner owes reports from a day on. Refused where it is none, or owes them already."""
    access.require(by, VENDOR, Permission.REPAIR_DATA, at.date())
    if reporter not in store.known_codes("partner", {reporter}):
        raise Refusal("unknown_reference", f"There is no partner {reporter!r}. Load it first, or correct the id.")
    if stage not in set(Stage) or calendar not in CALENDARS:
        raise Refusal("bad_value", f"A report is of {', '.join(Stage)}, by {', '.join(CALENDARS)}.")
    if not 0 <= due_days <= DUE_DAYS_MAX:
        raise Refusal("bad_value", f"A report is due 0 to {DUE_DAYS_MAX} days after its period.")
    with acts.act("owe_report", at=at):
        meeting = Duty.objects.filter(reporter=reporter, stage=stage)
        if any(each.until_on is None or each.until_on > from_on for each in meeting):
            raise Refusal(
                "duty_there", f"{reporter} owes reports of {stage} in these days already. End that duty first."
            )
        duty = Duty(reporter=reporter, stage=stage, calendar=calendar, due_days=due_days, from_on=from_on)
        duty.save()
    return duty


def end(*, duty: uuid.UUID, until_on: date, by: Person, at: datetime) -> None:
    """End a duty: from the day on nothing is owed."""
    access.require(by, VENDOR, Permission.REPAIR_DATA, at.date())
    with acts.act("end_duty", at=at):
        ended = _locked(duty)
        if until_on <= ended.from_on:
            raise Refusal("days", f"It must end after it begins, {ended.from_on}. Give a later day.")
        ended.until_on = until_on
        ended.save()


def nothing(*, duty: uuid.UUID, period_from: date, by: Person, at: datetime) -> None:
    """Note that the reporter says that there was nothing to report in a period; a second time changes nothing."""
    access.require(by, VENDOR, Permission.REPAIR_DATA, at.date())
    with acts.act("note_nothing_to_report", at=at):
        owed = _locked(duty)
        if period_from not in {start for start, _ in _periods(owed, at.date())}:
            raise Refusal(
                "period_unknown", f"{owed.reporter} owes no report of a period from {period_from} on that is over."
            )
        if not NothingToReport.objects.filter(duty=owed, period_from=period_from).exists():
            NothingToReport(duty=owed, period_from=period_from, received_on=at.date(), entered_by=by).save()


def _locked(duty: uuid.UUID) -> Duty:
    if not Duty.objects.filter(pk=duty).exists():
        raise Refusal("duty_unknown", "There is no such duty. Load the page of reports again.")
    return Duty.locked(duty)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One report that is owed. status: received, late, due (its day has not passed) or missing."""

    duty: uuid.UUID
    reporter: str
    stage: str
    period_from: date
    period_until: date
    due_on: date
    received_on: date | None
    status: str


def reports(*, on: date, since: date | None = None, until: date | None = None) -> tuple[Report, ...]:
    """List what is owed of periods that are over, as known on a day, the latest first. since, until: only periods in these."""
    found: list[Report] = []
    for duty in Duty.objects.order_by("reporter", "stage", "from_on"):
        received = _received(duty, on)
        for start, end in _periods(duty, on):
            if (since is not None and start < since) or (until is not None and end > until):
                continue
            came = min((day for first, day in received.items() if start <= first < end), default=None)
            due_on = end + timedelta(days=duty.due_days - 1)
            found.append(
                Report(
                    duty=duty.pk,
                    reporter=duty.reporter,
                    stage=duty.stage,
                    period_from=start,
                    period_until=end,
                    due_on=due_on,
                    received_on=came,
                    status=_status(came, due_on, on),
                )
            )
    return tuple(sorted(found, key=lambda each: (-each.period_from.toordinal(), each.reporter, each.stage)))


def missing_feeds(*, since: date | None, until: date | None, on: date) -> tuple[Report, ...]:
    """List the reports of periods in the days that are not there, whether their due day has passed or not. Closing asks this."""
    return tuple(each for each in reports(on=on, since=since, until=until) if each.received_on is None)


def _received(duty: Duty, on: date) -> dict[date, date]:
    """Give on which day a report first came, by the first day of the month that it is of."""
    rows = Reported.objects.filter(
        reporter=duty.reporter, stage=duty.stage, month__isnull=False, loaded__gt=0, received_at__date__lte=on
    )
    came: dict[date, date] = {}
    for found in rows.values("month").annotate(first=Min("received_at")):
        assert found["month"] is not None
        came[found["month"]] = found["first"].date()
    for each in duty.nothings.filter(received_on__lte=on):
        came[each.period_from] = min(each.received_on, came.get(each.period_from, each.received_on))
    return came


def _periods(duty: Duty, on: date) -> Iterator[tuple[date, date]]:
    """Give the periods that are owed and over on the day."""
    months = CALENDARS[duty.calendar]
    first = duty.from_on.year * 12 + duty.from_on.month - 1
    first -= first % months
    while True:
        start, end = (date(number // 12, number % 12 + 1, 1) for number in (first, first + months))
        if end > on or (duty.until_on is not None and end > duty.until_on):
            return
        if start >= duty.from_on:
            yield start, end
        first += months


def _status(came: date | None, due_on: date, on: date) -> str:
    if came is not None:
        return "received" if came <= due_on else "late"
    return "due" if on <= due_on else "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How well a reporter reports: figures as in the module's words, with what they are made of."""

    reporter: str
    due: int
    on_time: int
    timeliness: Decimal | None
    received: int
    loaded: int
    quality: Decimal | None


def scores(*, since: date, until: date, on: date) -> tuple[Score, ...]:
    """Score every reporter that owes reports, over the days since until before until."""
    by_reporter: dict[str, list[Report]] = {name: [] for name in Duty.objects.values_list("reporter", flat=True)}
    for each in reports(on=on):
        if since <= each.due_on < until and each.due_on < on:
            by_reporter[each.reporter].append(each)
    rows = Reported.objects.filter(
        delivery__repairs__isnull=True,
        received_at__date__gte=since,
        received_at__date__lt=until,
        reporter__in=by_reporter,
    )
    counted = {
        each["reporter"]: (each["all"], each["good"])
        for each in rows.values("reporter").annotate(all=Sum("received"), good=Sum("loaded"))
    }
    return tuple(_score(name, owed, counted.get(name, (0, 0))) for name, owed in sorted(by_reporter.items()))


def _score(reporter: str, owed: Iterable[Report], rows: tuple[int, int]) -> Score:
    statuses = [each.status for each in owed]
    on_time = statuses.count("received")
    return Score(
        reporter=reporter,
        due=len(statuses),
        on_time=on_time,
        timeliness=_percent(on_time, len(statuses)),
        received=rows[0],
        loaded=rows[1],
        quality=_percent(rows[1], rows[0]),
    )


def _percent(part: int, whole: int) -> Decimal | None:
    return None if not whole else (Decimal(100 * part) / whole).quantize(Decimal("0.1"), ROUND_HALF_UP)


def remind(*, at: datetime) -> int:
    """Write a notice for each report that is due soon or missing, each once; gives how many reports that are."""
    waiting = [
        each
        for each in reports(on=at.date())
        if each.status == "missing"
        or (each.status == "due" and each.due_on - at.date() <= timedelta(days=REMINDED_DAYS))
    ]
    with acts.act("remind_reporters", at=at):
        for each in waiting:
            kind = "report_missing" if each.status == "missing" else "report_due"
            outbox.write(
                kind=kind,
                key=f"{kind}:{each.duty}:{each.period_from}",
                payload={
                    "reporter": each.reporter,
                    "stage": each.stage,
                    "from": each.period_from.isoformat(),
                    "until": each.period_until.isoformat(),
                    "due_on": each.due_on.isoformat(),
                },
                at=at,
            )
    return len(waiting)


def seen(viewer: Person, *, at: datetime) -> tuple[tuple[Report, ...], tuple[Score, ...]]:
    """Give the reports of the last twelve months and the scores over them. For people of the vendor who may read all."""
    access.require(viewer, VENDOR, Permission.READ_ALL, at.date())
    since = at.date() - timedelta(days=366)
    return reports(on=at.date(), since=since), scores(since=since, until=at.date() + timedelta(days=1), on=at.date())

"""The port to what runs have decided (headrace.runs.port), in the application's database: finalised periods, postings."""

import hashlib
import json
from collections.abc import Iterable
from decimal import Decimal
from itertools import batched

from django.db import IntegrityError, transaction
from django.utils import timezone

from headrace.engine.findings import Refusal
from headrace.engine.terms import Terms, terms_hash
from headrace.lake import Lake
from headrace.programs import entering, governed
from headrace.programs.live_totals import DatabaseTotals, alone
from headrace.programs.models import FinalPosting, FinalRun, Version
from headrace.programs.versions import IN_FORCE
from headrace.runs.book import Posting, RunRow
from headrace.runs.record import document
from headrace.sales import references

_AT_ONCE = 5_000


class DatabaseBook:
    """The book of the installation's one lake."""

    def totals(self, lake: Lake) -> DatabaseTotals:
        """Give the store of live balances, in the same database."""
        return DatabaseTotals()

    def references(self) -> dict[str, str]:
        """Give the content hash of each reference table that is in force."""
        return references.in_force()

    def programs(self) -> list[dict[str, object]]:
        """Give the documents of all versions whose balances are kept, by program and version, with who was enrolled since.

        Raises Refusal `terms_not_approved` where a document is not the one that came into force.
        """
        versions = Version.objects.filter(state__in=IN_FORCE).select_related("program")
        approved: list[Terms] = []
        for row in versions.order_by("program__code", "number"):
            terms = Terms.model_validate(row.document)
            if terms_hash(terms) != row.terms_hash:
                raise Refusal(
                    "terms_not_approved",
                    f"The terms of version {row.number} of {row.program.code} were changed in the database after they came into "
                    "force. Nothing was calculated. The audit trail shows the terms as they were approved.",
                )
            approved.append(terms)
        return [document(terms) for terms in governed.enrolled(approved)]

    def begin(self, run: RunRow) -> RunRow:
        """Note a run before its awards reach the lake; gives the row that is there where it was begun already."""
        found = FinalRun.objects.filter(pk=run.run).first()
        if found is not None:
            return _row(found)
        try:
            with transaction.atomic():
                FinalRun.objects.create(
                    run=run.run,
                    program=run.program,
                    period_from=run.from_,
                    period_until=run.until,
                    batch_seq=run.batch_seq,
                    sequence=run.sequence,
                    state="pending",
                    begun_at=timezone.now(),
                )
        except IntegrityError as error:
            raise Refusal(
                "finalised_meanwhile",
                f"Another run finalised {run.program} in the meantime; nothing was posted by this one. Ask for it again.",
            ) from error
        return run

    def finish(self, run: str, postings: Iterable[Posting]) -> None:
        """Write a run's postings, make it final and post it to the books, in one transaction; a run that is final stays as it is.

        Raises Refusal `no_place` where the books cannot take an amount.
        """
        with alone():
            found = FinalRun.objects.select_for_update().get(pk=run)
            if found.state == "final":
                return
            for some in batched(postings, _AT_ONCE, strict=False):
                FinalPosting.objects.bulk_create([_posting(run, each) for each in some])
            found.state = "final"
            found.save()
            entering.finalised(found, at=timezone.now())

    def runs(self, program: str | None = None) -> list[RunRow]:
        """Give the runs in the order in which they were begun."""
        rows = FinalRun.objects.order_by("sequence", "run")
        return [_row(row) for row in (rows if program is None else rows.filter(program=program))]

    def postings(self, program: str | None = None) -> list[Posting]:
        """Give what was posted, summed for each statement."""
        rows = FinalPosting.objects.order_by("pk")
        sums: dict[tuple[str, str], Posting] = {}
        for row in rows if program is None else rows.filter(program=program):
            key = (row.statement_key, row.currency)
            before = sums[key].amount if key in sums else Decimal(0)
            sums[key] = Posting(
                program=row.program,
                payee_kind=row.payee_kind,
                payee_id=row.payee_id,
                scope=row.scope,
                from_=row.period_from,
                until=row.period_until,
                amount=before + row.amount,
                currency=row.currency,
            )
        return sorted(sums.values(), key=_order)


def _posting(run: str, each: Posting) -> FinalPosting:
    key = [each.program, each.payee_kind, each.payee_id, each.scope, each.from_, each.until]
    return FinalPosting(
        run_id=run,
        statement_key=hashlib.sha256(json.dumps(key, default=str).encode()).hexdigest(),
        program=each.program,
        payee_kind=each.payee_kind,
        payee_id=each.payee_id,
        scope=each.scope,
        period_from=each.from_,
        period_until=each.until,
        amount=each.amount,
        currency=each.currency,
    )


def _row(row: FinalRun) -> RunRow:
    return RunRow(
        run=row.run,
        program=row.program,
        from_=row.period_from,
        until=row.period_until,
        batch_seq=row.batch_seq,
        sequence=row.sequence,
        state=row.state,
    )


def _order(each: Posting) -> tuple[str, ...]:
    parts = (each.program, each.payee_kind, each.payee_id, each.scope, each.from_, each.until, each.currency)
    return tuple("" if part is None else str(part) for part in parts)

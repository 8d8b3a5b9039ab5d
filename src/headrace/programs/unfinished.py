"""What of programs is not through yet: periods that are not finalised, finalisations that are under way."""

from datetime import date

from headrace.programs.models import Finalisation, FinalRun

UNDER_WAY = (Finalisation.State.ASKED, Finalisation.State.TO_DECIDE, Finalisation.State.APPROVED)


def finalised() -> frozenset[tuple[str, date | None]]:
    """Give the periods that were finalised: program and first day."""
    return frozenset(FinalRun.objects.filter(state="final").values_list("program", "period_from").distinct())


def under_way() -> tuple[tuple[str, date | None, str], ...]:
    """List the finalisations that were asked for and are not done: program, first day of the period, state."""
    rows = Finalisation.objects.filter(state__in=UNDER_WAY).order_by("program")
    return tuple(rows.values_list("program", "period_from", "state"))

"""The whole check of one document: every fault that shows when its keys are read together."""

from headrace.engine.findings import Finding
from headrace.engine.rules import Columns
from headrace.engine.terms.check_pricing import check_schedule
from headrace.engine.terms.check_program import (
    check_currency,
    check_dates,
    check_inputs,
    check_limits,
    check_measure,
    check_parties,
    check_settling,
)
from headrace.engine.terms.check_rules import check_rules
from headrace.engine.terms.checking import Check, Checked
from headrace.engine.terms.document import Document, Faulty
from headrace.engine.terms.model import Terms

_CHECKS: tuple[Check, ...] = (
    check_dates,
    check_parties,
    check_currency,
    check_measure,
    check_schedule,
    check_limits,
    check_settling,
    check_inputs,
)


def check(
    terms: Terms,
    *,
    columns: Columns | None = None,
    document: Document | None = None,
    faulty: Faulty | None = None,
) -> list[Finding]:
    """Check one program version; gives every fault, none where it can be calculated.

    columns: every column that there is, by declared name (`line.region`); null: those of the contracts, further ones on
    trust. document: where it was read from, so that findings can name lines. faulty: paths already told.
    """
    checked = Checked(terms, document, faulty)
    for each in _CHECKS:
        each(checked)
    check_rules(checked, columns)
    return checked.findings

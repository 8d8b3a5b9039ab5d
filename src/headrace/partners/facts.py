"""Partner facts as rules read them: one record per partner and day, and the partners table of the engine."""

from collections.abc import Collection, Mapping
from datetime import date

import pyarrow as pa

from headrace.engine.findings import Refusal
from headrace.engine.rules import ColumnType, Rule, RuleError, parse
from headrace.engine.schema import PARTNERS
from headrace.masterdata import store
from headrace.masterdata.fields import fields_of
from headrace.masterdata.kinds import EXISTS
from headrace.masterdata.tables import table_of
from headrace.masterdata.timeline import on
from headrace.masterdata.values import typed
from headrace.partners.kinds import PARTNER


def columns() -> dict[str, ColumnType]:
    """Declare what a rule over partner facts may name."""
    return {
        "partner.partner_id": ColumnType.TEXT,
        **{f"partner.{field.name}": field.type for field in fields_of(PARTNER.name).values()},
    }


def read_rule(text: str) -> Rule:
    """Read a rule over partner facts; refused (`rule`) with every fault and its place."""
    try:
        return parse(text, columns())
    except RuleError as error:
        raise Refusal("rule", str(error)) from None


def records(
    day: date, *, revision: int | None = None, codes: Collection[str] | None = None
) -> dict[str, Mapping[str, object]]:
    """Give the facts of each partner that is there on the day, as one-record evaluation reads them."""
    fields = fields_of(PARTNER.name)
    held = store.history(PARTNER.name, codes=codes, revision=revision)
    return {
        code: {
            "partner.partner_id": code,
            **{f"partner.{name}": typed(field.type, on(known.get(name, ()), day)) for name, field in fields.items()},
        }
        for code, known in held.items()
        if on(known.get(EXISTS, ()), day) is not None
    }


def partners_table(revision: int | None = None) -> pa.Table:
    """Give the engine's partners: one row per partner and days on which nothing of it changes, as known at the revision.

    Columns are those of `engine.schema.PARTNERS`, then each field of partners in order of name.
    """
    return table_of(PARTNER.name, PARTNERS, revision=revision)

"""Statements between SQL and Python: days in force, own caps, chains of periods, the program's limit, postings, gates.

Everything here works on statements of the few programs that ask for it; the lines stay in the database.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from headrace.engine.against import Place, Rows, force_share, input_value, places
from headrace.engine.book import DAY_MAX, Book, Calendar, Edition, day_number
from headrace.engine.chain import (
    Account,
    exists_unworked,
    finish,
    guarantee,
    in_chains,
    looks_past_periods,
    scope_text,
    unworked,
)
from headrace.engine.facts import enrolments, facts_as_of
from headrace.engine.findings import Finding
from headrace.engine.period import Period
from headrace.engine.schema import SUM
from headrace.engine.session import Session, text
from headrace.engine.words import Scopes

SHARE_TYPE = pa.decimal128(38, 12)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What the steps over statements share."""

    session: Session
    book: Book
    calendar: Calendar
    scopes: Scopes
    ids: Mapping[str, int]
    as_of: date
    fixed: pa.Table | None

    def put(self, table: str, rows: Sequence[Mapping[str, object]], schema: Sequence[tuple[str, pa.DataType]]) -> None:
        """Make a table whose column s, given as an integer, has the type of scopes' numbers."""
        fields = [(name, pa.string() if name == "s" else kind) for name, kind in schema]
        written = [{**row, "s": str(row["s"])} if "s" in row else dict(row) for row in rows]
        self.session.put(f"{table}_rows", pa.Table.from_pylist(written, schema=pa.schema(fields)))
        number = f" REPLACE (CAST(s AS {self.scopes.type}) AS s)" if any(name == "s" for name, _ in schema) else ""
        self.session.table(table, f"SELECT *{number} FROM {table}_rows")
        self.session.drop(f"{table}_rows")

    def editions(self, asks: Callable[[Edition], bool]) -> set[int]:
        """Give the numbers of the editions that ask for something."""
        return {edition.number for edition in self.book.editions if asks(edition)}


def put_payee_limits(desk: Desk) -> None:
    """Make `payee_limits`: days in force, exits and own caps, for the payees that have them."""

    def asks(edition: Edition) -> bool:
        terms = edition.terms
        return (
            terms.limits.prorate in {"payout", "both"}
            or terms.on_exit != "pay"
            or any(entry.cap is not None for entry in terms.inputs)
        )

    editions = desk.editions(asks)
    rows: list[dict[str, object]] = []
    if editions:
        payees: dict[tuple[int, int, int], list[int]] = {}
        for s, edition, earner, payee in desk.session.rows("SELECT s, edition, earner_no, payee_no FROM payees"):
            payees.setdefault((int(str(s)), int(str(edition)), int(str(earner))), []).append(int(str(payee)))
        for place in places(desk.session, desk.book, "payees", desk.calendar.periods, editions):
            found = payees[place.s, place.edition.number, place.earner_no]
            rows += [{"s": place.s, "payee_no": payee, **_payee_limits(desk.book, place)} for payee in found]
    schema = [
        ("s", pa.string()),
        ("payee_no", pa.int32()),
        ("days", SUM),
        ("days_of", SUM),
        ("forfeited", pa.bool_()),
        ("cap", SUM),
    ]
    desk.put("payee_limits", rows, schema)


def _payee_limits(book: Book, place: Place) -> dict[str, object]:
    terms = place.edition.terms
    entry = next((each for each in terms.inputs if each.earner == place.earner and each.enrolled_from), None)
    end = None if entry is None else entry.enrolled_until
    left = end is not None and (place.period.from_ is None or end > place.period.from_)
    left = left and end is not None and (place.period.until is None or end < place.period.until)
    prorated = terms.limits.prorate in {"payout", "both"} or (left and terms.on_exit == "prorate")
    share = force_share(book, place.edition, place.earner, place.period)
    return {
        "days": Decimal(share.numerator) if prorated else None, "days_of": Decimal(share.denominator) if prorated else None,
        "forfeited": left and terms.on_exit == "forfeit", "cap": input_value(place, "cap"),
    }  # fmt: skip


def _accounts(desk: Desk, editions: set[int], value: str, relation: str) -> list[Account]:
    """Read the statements of some editions."""
    if not editions:
        return []
    chosen = ", ".join(str(number) for number in sorted(editions))
    rows = desk.session.rows(
        f"SELECT e.s, e.payee_no, e.edition, i.id, w.scope, w.period, e.lines, {value} FROM {relation} "
        f"LEFT JOIN ids i ON i.no = e.earner_no JOIN scope_names w ON w.s = e.s WHERE e.edition IN ({chosen}) ORDER BY ALL"
    )
    return [
        Account(
            s=int(str(s)), payee_no=int(str(payee)), edition=desk.book.editions[int(str(edition))], earner=str(earner),
            scope=str(scope), words=json.loads(str(scope)), period=desk.calendar.periods[int(str(period))],
            lines=int(str(lines)), exact=Decimal(str(exact)),
        )
        for s, payee, edition, earner, scope, period, lines, exact in rows
    ]  # fmt: skip


def put_lifts(desk: Desk, programs: Sequence[int]) -> None:
    """Make `lifts` (what guarantees add) and `lifted_alone`, and list in `entitled` the statements that exist without lines."""
    promised = desk.editions(lambda each: exists_unworked(each.terms) and each.program in programs)
    rows: list[dict[str, object]] = []
    alone: list[dict[str, object]] = []
    if promised:
        everyone = desk.editions(
            lambda each: any(desk.book.editions[number].program == each.program for number in promised)
        )
        accounts = _accounts(desk, everyone, "e.entitlement", "entitled e")
        accounts += _add_unworked(desk, accounts, promised)
        for chain in in_chains(accounts):
            guarantee(desk.book, chain)
            for account in chain:
                if account.lift:
                    row = {"s": account.s, "payee_no": account.payee_no, "lift": account.lift}
                    rows.append(row)
                    if not account.lines:
                        end = DAY_MAX if account.period.until is None else day_number(account.period.until)
                        alone.append({**row, "program": account.edition.program, "day": end})
    desk.put("lifts", rows, [("s", pa.string()), ("payee_no", pa.int32()), ("lift", SUM)])
    schema = [("s", pa.string()), ("payee_no", pa.int32()), ("lift", SUM), ("program", pa.int32()), ("day", pa.int32())]
    desk.put("lifted_alone", alone, schema)


def _add_unworked(desk: Desk, accounts: Sequence[Account], promised: set[int]) -> list[Account]:
    """Add to `entitled` the statements without lines that a guarantee or a lump sum makes."""
    made: list[Account] = []
    for program in desk.book.programs:
        edition = desk.book.editions[program.editions[-1]]
        if edition.number not in promised:
            continue
        there = {(each.scope, each.period) for each in accounts if each.edition.program == program.number}
        starts = [
            each.period.from_ for each in accounts if each.edition.program == program.number and each.period.from_
        ]
        for earner, words, period in unworked(desk.book, edition, there, desk.as_of, min(starts, default=None)):
            number = desk.calendar.number_of(period)
            s = None if number is None else _scope_number(desk, edition, words, number)
            if s is None:
                continue
            payee = _payee_alone(desk, edition, earner, period)
            made.append(
                Account(
                    s=s,
                    payee_no=payee,
                    edition=edition,
                    earner=earner,
                    scope=scope_text(words),
                    words=words,
                    period=period,
                    lines=0,
                    exact=Decimal(0),
                )
            )
    for account in made:
        card = max(card.number for card in desk.book.cards if card.version == account.edition.number)
        desk.session.execute(
            "INSERT INTO entitled BY NAME SELECT e.*, c.negative, c.decimals FROM ("
            f"SELECT {account.s} AS s, {account.payee_no} AS payee_no, {account.edition.program} AS program, "
            f"{account.edition.number} AS edition, {card} AS card, {card} AS ladder, {desk.ids[account.earner]} AS earner_no, "
            "0 AS lines, CAST(0 AS DECIMAL(28, 6)) AS base, CAST(0 AS DECIMAL(28, 6)) AS shared, "
            "CAST(0 AS DECIMAL(28, 6)) AS total, "
            "CAST(0 AS DECIMAL(38, 12)) AS share, CAST(0 AS DECIMAL(38, 12)) AS entitlement, FALSE AS forfeited) e "
            f"JOIN card_terms c ON c.card = {card}"
        )
        number = desk.calendar.number_of(account.period)
        desk.session.execute(
            f"INSERT INTO scope_names SELECT {account.s}, {text(account.scope)}, {number} "
            f"WHERE NOT EXISTS (SELECT 1 FROM scope_names WHERE s = {account.s})"
        )
    return made


def _payee_alone(desk: Desk, edition: Edition, earner: str, period: Period) -> int:
    """Give the payee of a statement without lines; a group has no seller then, and is paid itself."""
    number = desk.ids[earner]
    own = number + len(desk.ids) if edition.terms.earner == "rep" else number
    if edition.terms.paid_to == "earner" or edition.terms.earner == "group":
        return own
    column = "group_no" if edition.terms.paid_to == "group_head" else "parent_no"
    on = _fact_day(edition, earner, period, desk.as_of)
    rows = desk.session.rows(
        f"SELECT {column} FROM partner_rows WHERE id = {text(earner)} AND since <= {on} AND until > {on} AND {column} IS NOT NULL"
    )
    return int(str(rows[0][0])) if rows else own


def _fact_day(edition: Edition, earner: str, period: Period, as_of: date) -> int:
    """Give the day on which an earner's facts are read where it has no lines: as if one stood on the period's first day."""
    start = day_number(period.from_ or as_of)
    way = facts_as_of(edition)
    if way == "period_end" and period.until is not None:
        return day_number(period.until) - 1
    enrolment = enrolments(edition).get(earner)
    return enrolment.since if way == "enrolment" and enrolment is not None else start


def _scope_number(desk: Desk, edition: Edition, words: Mapping[str, str], period: int) -> int | None:
    """Give the number of a scope from its words; null where a word is in no dictionary."""
    number = period
    shape = desk.book.shapes[edition.shape]
    for name in shape.per:
        word = desk.scopes.words[name]
        if word.table == "ids":
            place = desk.ids.get(words[name])
        else:
            rows = desk.session.rows(f"SELECT no FROM {word.table} WHERE value = {text(words[name])}")
            place = int(str(rows[0][0])) if rows else None
        if place is None:
            return None
        number = number * word.size + place
    return number + desk.scopes.offsets[edition.shape]


def put_program_limits(desk: Desk, programs: Sequence[int]) -> bool:
    """Make `program_limits` and `settled_before`; tells whether some program has a limit over all of its statements."""
    rows: list[dict[str, object]] = []
    for number in programs:
        program = desk.book.programs[number]
        limit = desk.book.in_force(program, desk.as_of).terms.limits.payout.program
        if limit is not None:
            settled = sum((Decimal(str(row["amount"])) for row in _fixed_rows(desk, program.id)), Decimal(0))
            rows.append({"program": number, "remaining": limit - settled})
    desk.put("program_limits", rows, [("program", pa.int32()), ("remaining", SUM)])
    settled_rows = (
        _settled_before(desk, {int(str(row["program"])) for row in rows}) if rows and desk.fixed is not None else []
    )
    desk.put("settled_before", settled_rows, [("s", pa.string()), ("payee_no", pa.int32())])
    return bool(rows)


def _fixed_rows(desk: Desk, program: str) -> list[Mapping[str, object]]:
    return [] if desk.fixed is None else [row for row in desk.fixed.to_pylist() if row["program"] == program]


def _settled_before(desk: Desk, programs: set[int]) -> list[dict[str, object]]:
    """List the statements that were finalised before."""
    found: list[dict[str, object]] = []
    editions = desk.editions(lambda each: each.program in programs)
    fixed = {
        (row["program"], row["payee_kind"], row["payee_id"], row["scope"], row["from"], row["until"])
        for program in programs
        for row in _fixed_rows(desk, desk.book.programs[program].id)
    }
    names = {number: identity for identity, number in desk.ids.items()}
    for account in _accounts(desk, editions, "e.entitlement", "entitled e"):
        kind = "person" if account.payee_no >= len(desk.ids) else "partner"
        payee = names[account.payee_no % len(desk.ids)]
        key = (account.terms.program, kind, payee, account.scope, account.period.from_, account.period.until)
        if key in fixed:
            found.append({"s": account.s, "payee_no": account.payee_no})
    return found


def put_outcomes(desk: Desk, programs: Sequence[int]) -> None:
    """Make `outcomes`: what each statement earns where it depends on the payee's other periods."""
    chained = {
        each.program for each in desk.book.editions if looks_past_periods(each.terms) and each.program in programs
    }
    accounts = _accounts(
        desk, desk.editions(lambda each: each.program in chained), "x.exact",
        "entitled e JOIN finals_exact x ON x.s = e.s AND x.payee_no = e.payee_no",
    )  # fmt: skip
    rows: list[dict[str, object]] = []
    for chain in in_chains(accounts):
        finish(desk.book, chain)
        rows += [
            {
                "s": each.s, "payee_no": each.payee_no, "start": each.start, "zeroed": each.zeroed, "earned": each.earned,
                "carried": each.carried, "carried_in": each.carried_in,
            }
            for each in chain
        ]  # fmt: skip
    schema = [
        ("s", pa.string()), ("payee_no", pa.int32()), ("start", SHARE_TYPE), ("zeroed", pa.bool_()), ("earned", SUM),
        ("carried", SUM), ("carried_in", SUM),
    ]  # fmt: skip
    desk.put("outcomes", rows, schema)


def put_posted(desk: Desk, posted: pa.Table | None) -> tuple[Finding, ...]:
    """Make `posted`: what was posted before on each statement. A posting that names no payee belongs to the scope's first one."""
    rows: list[dict[str, object]] = []
    findings: list[Finding] = []
    schema = [("s", pa.string()), ("payee_no", pa.int32()), ("amount", SUM)]
    if posted is not None and posted.num_rows:
        named = set(posted.column("program").to_pylist())
        editions = desk.editions(lambda each: each.terms.program in named)
        open_ones = _without_payee(posted)
        to_payees, to_scopes = (
            Rows(posted.filter(pc.invert(open_ones)), "amount"),
            Rows(posted.filter(open_ones), "amount"),
        )
        names = {number: identity for identity, number in desk.ids.items()}
        seen: set[int] = set()
        for account in _accounts(desk, editions, "e.entitlement", "entitled e"):
            person, number = divmod(account.payee_no, len(desk.ids))
            payee = {"payee_kind": "person" if person else "partner", "payee_id": names[number]}
            program, words = account.terms.program, account.words
            amounts = list(to_payees.matching(program, {**words, **payee}, account.period))
            to_any = list(to_scopes.matching(program, {**words, "payee_kind": payee["payee_kind"]}, account.period))
            if to_any and account.s in seen:
                findings.append(_ambiguous(account))
            elif to_any:
                amounts += to_any
            seen.add(account.s)
            if amounts:
                rows.append({"s": account.s, "payee_no": account.payee_no, "amount": sum(amounts, Decimal(0))})
    desk.put("posted", rows, schema)
    return tuple(dict.fromkeys(findings))


def _without_payee(posted: pa.Table) -> pa.Array:
    """Tell which postings name no payee."""
    if "payee_id" not in posted.column_names:
        return pa.array([True] * posted.num_rows)
    return pc.is_null(posted.column("payee_id")).combine_chunks()


def _ambiguous(account: Account) -> Finding:
    message = (
        f"What was posted for {account.scope} of {account.terms.program} could belong to several payees and was taken off the "
        "first. Add a column payee_id to the postings."
    )
    return Finding(code="posted_ambiguous", severity="warning", message=message)


def fetch_places(desk: Desk, relation: str, editions: set[int]) -> list[Place]:
    """List the scopes of a relation as `against` looks at them."""
    return places(desk.session, desk.book, relation, desk.calendar.periods, editions)


def listed(numbers: Iterable[int]) -> str:
    """Write numbers for an IN list."""
    return ", ".join(str(number) for number in numbers) or "NULL"

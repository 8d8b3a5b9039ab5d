"""Running totals of additive programs: what lines add to them, and what they are worth, by the plan of every calculation.

Lines are qualified and valued like in any run; then, instead of being priced, they are added up into *parts*: per scope and
period, the lines that one rate card prices alike (same factor of boosts, same row of a table). The caller adds these shares to
the totals that it keeps and gives back all parts of every scope that was touched. Each part then stands in the place of one
line, and the steps that price lines price it. That this gives what the lines themselves would give is what makes a program
additive (see terms.classes and decision 0055).
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

import pyarrow as pa

from headrace.engine import statements
from headrace.engine.accounts import Desk, listed
from headrace.engine.book import Book, make_book
from headrace.engine.findings import Finding
from headrace.engine.judge import Judgement, make_pairs, read_against
from headrace.engine.ladders import put_schedules
from headrace.engine.numeric import SUM, scaled, unscaled
from headrace.engine.pairs import Plan
from headrace.engine.prepare import prepare
from headrace.engine.qualify import Ground
from headrace.engine.results import STATEMENTS
from headrace.engine.run import Request, open_session, price_waves
from headrace.engine.session import Session
from headrace.engine.straight import settle_straight
from headrace.engine.terms.model import Terms
from headrace.engine.values import UNITS, Needs
from headrace.engine.words import decode_scopes


class ScopeKey(NamedTuple):
    """One scope of a program in one period. scope: canonical JSON object of the words of `per`; null bounds are unbounded."""

    program: str
    scope: str
    from_: date | None
    until: date | None


class Sums(NamedTuple):
    """What one part adds up to, in whole millionths, exactly. lines: how many of its lines earn."""

    measure: int
    base: int
    units: int
    quantity: int
    lines: int

    def plus(self, other: "Sums") -> "Sums":
        """Add the shares of one part."""
        return Sums(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


# The parts of each scope by name: version, rate card, whether it measures and earns, boost, row of the table.
type Totals = Mapping[ScopeKey, Mapping[str, Sums]]
type Fold = Callable[[Totals], Totals]


@dataclass(frozen=True, slots=True, kw_only=True)
class Worked:
    """What became of the lines: the statements (columns of STATEMENTS) of every touched scope.

    moneys: the currencies that programs without a money of their own met; of more than one, the program has no statements.
    """

    statements: pa.Table
    moneys: Mapping[str, frozenset[str]]
    findings: tuple[Finding, ...]


class Desktop:
    """A session for batch after batch: what no line decides is laid once, and again when it no longer serves."""

    def __init__(self) -> None:
        # A batch is small; more threads would only wait for each other.
        self.session = Session(memory_bytes_max=None, threads=1, temp_dir=None)
        self._book: Book | None = None
        self._of: tuple[tuple[Terms, ...], pa.Table | None] = ((), None)
        self._ground: Ground | None = None

    def book(self, request: Request) -> Book:
        """Number the programs of a request, or give those of the last one where they are the same."""
        calendar = request.tables.references.get("calendar")
        programs, last = self._of
        same = last is calendar and len(programs) == len(request.programs)
        if self._book is None or not same or any(a is not b for a, b in zip(programs, request.programs, strict=True)):
            self._book = make_book(request.programs, calendar)
            self._of = request.programs, calendar
            self._ground = None
        return self._book

    def prepare(self, request: Request) -> tuple[Plan | None, bool]:
        """Prepare a request; tells beside the plan whether the ground was laid anew."""
        self.session.statements.clear()
        before = self._ground
        plan = prepare(
            self.session, self.book(request), request.tables, request.as_of, ground=before, room=timedelta(days=200)
        )
        if plan is not None:
            self._ground = plan.ground
        return plan, self._ground is not before


def work(
    request: Request, fold: Fold, *, counted: Collection[str] | None = None, desktop: Desktop | None = None
) -> Worked:
    """Add the lines of a request to totals, and give the statements of the scopes that they touch.

    fold: takes the shares of the lines and gives all parts of the same scopes. counted: the line ids that are added; null adds
    all. Others among the lines are there only because a return names them. desktop: for batch after batch. Every program must
    be additive.
    """
    if desktop is not None:
        plan, fresh = desktop.prepare(request)
        return _work(desktop.session, request, plan, fold, counted, fresh=fresh)
    with open_session(request) as session:
        book = make_book(request.programs, request.tables.references.get("calendar"))
        return _work(session, request, prepare(session, book, request.tables, request.as_of), fold, counted, fresh=True)


def _work(
    session: Session,
    request: Request,
    plan: Plan | None,
    fold: Fold,
    counted: Collection[str] | None,
    *,
    fresh: bool,
) -> Worked:
    """Do the work of a request that is prepared. fresh: the tables of programs are not in the session yet."""
    if plan is None:
        return Worked(statements=STATEMENTS.empty_table(), moneys={}, findings=())
    book = plan.book
    if fresh or plan.needs.against:  # ladders of single scopes are added to those of the programs
        put_schedules(session, book)
        statements.put_labels(session, book, plan.calendar)
        statements.put_program_labels(session, book)
    make_pairs(session, plan, plan.feeds)
    desk = Desk(
        session=session, book=book, calendar=plan.calendar, scopes=plan.scopes, ids=plan.known.ids,
        as_of=plan.source.as_of, fixed=None,
    )  # fmt: skip
    places, shares = _shares(session, plan, counted)
    totals = fold(shares)
    _put_totals(session, plan, places, totals)
    findings = [*plan.findings]
    straight = [edition for feed in plan.feeds if feed.straight for edition in feed.editions]
    if straight:
        findings += settle_straight(desk, plan, straight, None)
    if not all(feed.straight for feed in plan.feeds):
        relation = read_against(desk, plan, request.tables)
        judged = Judgement(relation=relation, reasons={}, refused=frozenset(), findings=(), run=None)
        price_waves(desk, plan, judged, None, findings, by_line=False)
    made = statements.read_statements(session)
    return Worked(statements=_with_lines(made, totals), moneys=_moneys(session, plan, places), findings=tuple(findings))


class _Place(NamedTuple):
    """Where a scope stands in the session's numbers."""

    s: str
    period: int
    program: int
    earner_no: int
    payee_no: int


def _shares(
    session: Session, plan: Plan, counted: Collection[str] | None
) -> tuple[dict[ScopeKey, _Place], dict[ScopeKey, dict[str, Sums]]]:
    """Add the pairs up into parts."""
    only = ""
    if counted is not None:
        session.put("counted_lines", pa.table({"line_id": pa.array(sorted(counted), pa.string())}))
        only = " AND p.line_id IN (SELECT line_id FROM counted_lines)"
    needs = plan.needs
    keys = ["s", "period", "program", "edition", "card", "earner_no", "payee_no", "measures"]
    optional = [name for name, there in (("boost", needs.boosts), ("table_row", needs.table)) if there]
    values = ("m", "b", "u", "quantity") if needs.special else ("m", "b", "u")
    money = ", currency" if needs.currency else ""
    sums = ", ".join(f"CAST(sum({scaled(value)}) AS HUGEINT) AS {value}" for value in values)
    session.table(
        "parts",
        f"SELECT {', '.join([*keys, *optional])}, reason IS NULL AS earns{money}, {sums}, count(*) AS lines FROM pairs p "
        f"WHERE (measures OR reason IS NULL){only} GROUP BY ALL",
    )
    decode_scopes(session, plan.scopes, plan.book.shapes, "parts", "scope_names")
    boost, row = ("CAST(p.boost AS VARCHAR)" if needs.boosts else "NULL"), ("p.table_row" if needs.table else "NULL")
    quantity = "CAST(sum(p.quantity) AS HUGEINT)" if needs.special else "0"
    rows = session.rows(
        f"SELECT CAST(p.s AS VARCHAR), p.period, p.program, p.edition, p.card, p.earner_no, p.payee_no, p.measures, p.earns, "
        f"{boost}, {row}, w.scope, CAST(sum(p.m) AS HUGEINT), CAST(sum(p.b) AS HUGEINT), CAST(sum(p.u) AS HUGEINT), {quantity}, "
        "CAST(sum(p.lines) AS BIGINT) FROM parts p JOIN scope_names w ON w.s = p.s GROUP BY ALL"
    )
    places: dict[ScopeKey, _Place] = {}
    shares: dict[ScopeKey, dict[str, Sums]] = {}
    names = _PartNames(plan.book)
    for s, period, program, edition, card, earner, payee, measures, earns, boosted, table_row, scope, *sums_ in rows:
        bounds = plan.calendar.periods[_int(period)]
        key = ScopeKey(plan.book.programs[_int(program)].id, str(scope), bounds.from_, bounds.until)
        place = _Place(str(s), _int(period), _int(program), _int(earner), _int(payee))
        assert places.setdefault(key, place) == place, f"{key} has several earners"
        measure, base, units, amount, lines = map(_int, sums_)
        part = names.write(_int(edition), _int(card), bool(measures), bool(earns), boosted, table_row)
        added = Sums(measure if measures else 0, *((base, units, amount, lines) if earns else (0, 0, 0, 0)))
        shares.setdefault(key, {})[part] = added
    return places, shares


class _PartNames:
    """Names parts so that they mean the same in another session: by version and by the place of the card in its version."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._first: dict[int, int] = {}
        for card in book.cards:
            self._first.setdefault(card.version, card.number)
        self._editions = {(each.program, each.terms.version): each.number for each in book.editions}

    def write(self, edition: int, card: int, measures: bool, earns: bool, boost: object, row: object) -> str:
        version = self._book.editions[edition].terms.version
        said = f"{version}.{card - self._first[edition]}.{measures:d}{earns:d}"
        return f"{said}.{'' if boost is None else boost}.{'' if row is None else row}"

    def read(self, program: int, part: str) -> tuple[int, int, bool, bool, str | None, int | None]:
        """Give edition, card, whether the part measures and earns, boost and row."""
        version, card, flags, boost, row = part.split(".")
        edition = self._editions[program, int(version)]
        number = self._first[edition] + int(card)
        return edition, number, flags[0] == "1", flags[1] == "1", boost or None, int(row) if row else None


def _put_totals(session: Session, plan: Plan, places: Mapping[ScopeKey, _Place], totals: Totals) -> None:
    """Put totals in the place of what was made of lines: `straight_sums` of plain programs, `pairs` of the others.

    A part stands as one line, later rate cards after earlier ones.
    """
    rows = sorted(_rows(plan.book, places, totals), key=lambda row: row[:3])
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(_TOTALS)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, _TOTALS, strict=True)]
    session.put("totals", pa.Table.from_arrays(arrays, schema=_TOTALS))
    straight = listed([-1, *(edition.number for feed in plan.feeds if feed.straight for edition in feed.editions)])
    total = unscaled("CAST(sum(CAST(m AS HUGEINT)) AS HUGEINT)")
    session.view(
        "straight_sums",
        f"SELECT CAST(s AS {plan.scopes.type}) AS s, edition, earner_no, payee_no, {total} AS total, "
        f"CAST(sum(lines) AS BIGINT) AS lines FROM totals WHERE edition IN ({straight}) GROUP BY ALL",
    )
    if not all(feed.straight for feed in plan.feeds):
        session.table("pairs", f"{_as_pairs(plan)} WHERE edition NOT IN ({straight})")


_TOTALS = pa.schema(
    [
        ("since", pa.int32()), ("s", pa.string()), ("part", pa.string()), ("period", pa.int32()), ("program", pa.int32()),
        ("edition", pa.int32()), ("card", pa.int32()), ("earner_no", pa.int32()), ("payee_no", pa.int32()),
        ("measures", pa.bool_()), ("earns", pa.bool_()), ("boost", pa.string()), ("table_row", pa.int32()),
        ("m", pa.string()), ("b", pa.string()), ("u", pa.string()), ("quantity", pa.string()), ("lines", pa.int64()),
    ]
)  # fmt: skip


def _rows(book: Book, places: Mapping[ScopeKey, _Place], totals: Totals) -> Iterator[tuple[object, ...]]:
    names = _PartNames(book)
    for key, parts in totals.items():
        place = places[key]
        for part, sums in parts.items():
            edition, card, measures, earns, boost, row = names.read(place.program, part)
            since = max(book.cards[card].since, book.editions[edition].since)
            yield (
                since, place.s, part, place.period, place.program, edition, card, place.earner_no, place.payee_no,
                measures, earns, boost, row, *(str(value) for value in sums[:4]), sums.lines,
            )  # fmt: skip


def _as_pairs(plan: Plan) -> str:
    """Write the totals with the columns of pairs that the steps of pricing read."""

    def amount(name: str, kind: str = SUM) -> str:
        return f"CAST({unscaled(f'CAST({name} AS HUGEINT)')} AS {kind}) AS {name}"

    columns = [
        "program", "edition", "card", "row_number() OVER (ORDER BY since, s, part) AS k", "CAST(NULL AS BIGINT) AS n",
        "CAST(NULL AS VARCHAR) AS line_id", "CAST(NULL AS DATE) AS occurred_on", "CAST(NULL AS INTEGER) AS day",
        "'sale' AS kind", "period", "earner_no", f"CAST(s AS {plan.scopes.type}) AS s", "payee_no", "measures", "0 AS gate",
        f"CASE WHEN NOT earns THEN {_NOT_EARNING} END AS reason", amount("m"), amount("b"), amount("u", UNITS),
    ]  # fmt: skip
    return f"SELECT {', '.join([*columns, *_optional(plan.needs, amount)])} FROM totals"


_NOT_EARNING = 0  # any reason: the part measures and earns nothing


def _optional(needs: Needs, amount: Callable[[str], str]) -> Iterator[str]:
    if needs.special:
        yield from (amount("quantity"), f"CAST(0 AS {SUM}) AS cost", f"CAST(0 AS {SUM}) AS amount")
    if needs.boosts:
        yield "CAST(boost AS HUGEINT) AS boost"
    if needs.table:
        yield "table_row"
    if needs.payee:
        yield "FALSE AS payee_missing"


def _with_lines(made: pa.Table, totals: Totals) -> pa.Table:
    """Say how many lines stand behind each statement."""
    counts = [
        sum(sums.lines for sums in totals[ScopeKey(*key)].values())
        for key in zip(*(made[name].to_pylist() for name in ("program", "scope", "from", "until")), strict=True)
    ]
    at = made.schema.get_field_index("lines")
    return made.set_column(at, made.schema.field(at), pa.array(counts, pa.int64()))


def _moneys(session: Session, plan: Plan, places: Mapping[ScopeKey, _Place]) -> dict[str, frozenset[str]]:
    """List the currencies that programs without a money of their own met."""
    open_ones = {plan.book.editions[number].program for number, money in plan.money.items() if money is None}
    if not open_ones:
        return {}
    if not plan.needs.currency:
        met = {place.program for place in places.values()} & open_ones
        return {plan.book.programs[number].id: frozenset(plan.source.currencies) for number in met}
    rows = session.rows("SELECT DISTINCT program, currency FROM parts ORDER BY ALL")
    found: dict[str, set[str]] = {}
    for program, currency in rows:
        if _int(program) in open_ones:
            found.setdefault(plan.book.programs[_int(program)].id, set()).add(str(currency))
    return {program: frozenset(currencies) for program, currencies in found.items()}


def _int(value: object) -> int:
    return int(str(value))

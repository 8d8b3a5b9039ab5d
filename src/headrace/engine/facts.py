"""What is known of partners and products, as classes: who meets the same conditions is one class.

Conditions that read one partner or one product are decided here on the reference rows, once, and never on the lines: a
line looks up the class of its partner and of its product, and the pair of classes says which rate cards it meets. Everything
here is small and local.

A *slice* is one partner (or product) over days on which nothing about it changes. A *signature* is a text with one letter per
condition: 1 true, 0 false, 2 unknown; equal signatures are one class.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import pairwise

import pyarrow as pa

from headrace.engine.book import DAY_MAX, DAY_MIN, Edition, day_number, day_of
from headrace.engine.findings import Finding
from headrace.engine.period import Periods, period_of, periods_between
from headrace.engine.rules import Rule
from headrace.engine.schema import Column
from headrace.engine.session import Session, name, text

NULL_ROW = 0
MISSING_CLASS = -1
UNKNOWN_CLASS = 0

# Which row of an earner a condition reads, as `facts_as_of` says: the way, and the periods where the way needs them.
type FactWay = tuple[str, Periods | None, int | None]


def facts_as_of(edition: Edition) -> str:
    """Give the day whose facts an edition reads; the seller's facts know no enrolment of its rep or group."""
    way = edition.terms.facts_as_of
    return "line" if way == "enrolment" and edition.terms.earner in {"rep", "group"} else way


def fact_way(edition: Edition) -> FactWay:
    """Give the way in which an edition picks the earner's facts."""
    way = facts_as_of(edition)
    if way in {"period_start", "period_end"}:
        return way, edition.periods, None
    return (way, None, edition.number) if way == "enrolment" else (way, None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The dated rows of one reference table by id; row 0 stands for none."""

    table: str
    given: bool
    by_id: Mapping[str, Sequence[tuple[int, int, int]]]
    findings: tuple[Finding, ...] = ()


def load_rows(
    session: Session, table: str, declared: Mapping[str, Column], rows: pa.Table | None, ids: Mapping[str, int]
) -> Rows:
    """Make the session table of a reference table: row_no, id, since, until, parent_no, group_no, and each column as c_<name>.

    The first declared column is the identity. Rows of one id that overlap are cut where the earlier one ends, with a finding.
    Without the reference table there is only row 0, which stands for none, and every id of `ids` is known by it.
    """
    key = next(iter(declared))
    given = rows is not None and key in rows.column_names
    source = rows if rows is not None and given else pa.table({key: pa.array([], pa.string())})
    own = list(source.column_names)

    def column(wanted: str) -> list[object]:
        return list(source.column(wanted).to_pylist()) if wanted in own else [None] * source.num_rows

    keys = [None if each is None else str(each) for each in column(key)]
    spans, overlapping = _spans(keys, column("valid_from"), column("valid_until"))
    columns: dict[str, pa.Array] = {
        "row_no": pa.array(range(source.num_rows + 1), pa.int32()),
        "id": pa.array([None, *keys], pa.string()),
        "since": pa.array([0, *(start for start, _ in spans)], pa.int32()),
        "until": pa.array([0, *(end for _, end in spans)], pa.int32()),
        "parent_no": pa.array([None, *(ids.get(str(each)) for each in column("parent_id"))], pa.int32()),
        "group_no": pa.array([None, *(ids.get(str(each)) for each in column("group_id"))], pa.int32()),
    }
    for wanted in own:
        values = source.column(wanted).combine_chunks()
        chunks = list(values.chunks) if isinstance(values, pa.ChunkedArray) else [values]
        columns[f"c_{wanted}"] = pa.concat_arrays([pa.nulls(1, values.type), *chunks])
    for wanted, kind in declared.items():
        if wanted not in own:
            columns[f"c_{wanted}"] = pa.nulls(source.num_rows + 1, kind.type)
    session.put(table, pa.table(columns))
    by_id: dict[str, list[tuple[int, int, int]]] = {} if given else {identity: [] for identity in ids}
    for number, (identity, (start, end)) in enumerate(zip(keys, spans, strict=True), start=1):
        if identity is not None and start < end:
            by_id.setdefault(identity, []).append((start, end, number))
    for dated in by_id.values():
        dated.sort()
    return Rows(table=table, given=given, by_id=by_id, findings=_overlaps(table, overlapping))


def _spans(
    keys: Sequence[str | None], starts: Sequence[object], ends: Sequence[object]
) -> tuple[list[tuple[int, int]], list[int]]:
    """Give the days of each row, cut where an earlier row of the same id still holds; and the rows that were cut."""
    spans = [
        (DAY_MIN if start is None else _day(start), DAY_MAX if end is None else _day(end))
        for start, end in zip(starts, ends, strict=True)
    ]
    reached: dict[str, int] = {}
    cut: list[int] = []
    for index in sorted(range(len(spans)), key=lambda index: (spans[index][0], index)):
        key, (start, end) = keys[index], spans[index]
        if key is None:
            continue
        held = reached.get(key, DAY_MIN)
        if start < held:
            cut.append(index)
            spans[index] = (min(held, max(start, end)), end)
        reached[key] = max(held, end)
    return spans, sorted(cut)


def _overlaps(table: str, rows: Sequence[int]) -> tuple[Finding, ...]:
    return tuple(
        Finding(
            code="rows_overlap",
            severity="warning",
            message=f"Row {row + 2} of the {table.removesuffix('_rows')}s starts before an earlier row of the same id ends; it "
            "counts from that end on. Correct valid_from and valid_until.",
            row=row + 2,
        )
        for row in rows[:20]
    )


def _day(value: object) -> int:
    assert isinstance(value, date)
    return day_number(value)


def row_on(dated: Sequence[tuple[int, int, int]], day: int) -> int:
    """Give the row that holds on a day; the null row where none does."""
    return next((number for start, end, number in dated if start <= day < end), NULL_ROW)


@dataclass(slots=True)
class Conditions:
    """The conditions on one reference table, each with the way its row is picked; grows as editions ask."""

    ways: dict[FactWay, int] = field(default_factory=dict)
    rules: dict[tuple[str, int], Rule] = field(default_factory=dict)

    def way(self, way: FactWay) -> int:
        """Give the number of a way."""
        return self.ways.setdefault(way, len(self.ways))

    def add(self, rule: Rule | None, way: FactWay) -> tuple[str, int] | None:
        """Ask for a condition; gives its key."""
        number = self.way(way)
        if rule is None:
            return None
        key = (rule.text, number)
        self.rules[key] = rule
        return key

    def position(self, key: tuple[str, int] | None) -> int:
        """Give the 1-based place of a condition in a signature; 0 for no condition."""
        return 0 if key is None else list(self.rules).index(key) + 1


@dataclass(frozen=True, slots=True)
class Enrolment:
    """When an earner takes part in an edition."""

    since: int
    until: int


def enrolments(edition: Edition) -> dict[str, Enrolment]:
    """Give the enrolment of each earner that has one: its first."""
    found: dict[str, Enrolment] = {}
    for entry in edition.terms.inputs:
        if entry.enrolled_from is not None and entry.earner not in found:
            until = DAY_MAX if entry.enrolled_until is None else day_number(entry.enrolled_until)
            found[entry.earner] = Enrolment(day_number(entry.enrolled_from), until)
    return found


def enrolment_letter(edition: Edition, enrolled: Mapping[str, Enrolment], earner: str | None, day: int) -> str:
    """Tell whether an earner takes part on a day: 1 yes, 0 no, m its lines measure but do not earn."""
    entry = enrolled.get(earner) if earner is not None else None
    if entry is None:
        return "0" if edition.terms.enrolled else "1"
    if day >= entry.until:
        return "0"
    if day >= entry.since:
        return "1"
    return "m" if edition.terms.counts_from == "program" else "0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """One id over days on which the same rows are picked and its enrolments do not change."""

    id: str
    since: int
    until: int
    rows: tuple[int, ...]
    letters: str


def partner_slices(
    rows: Rows,
    conditions: Conditions,
    editions: Sequence[Edition],
    group_of: Mapping[int, str],
    days: tuple[date, date],
) -> list[Slice]:
    """Cut every partner's days where a picked row or an enrolment changes. `letters`: one per edition, enrolment.

    Whether a person takes part is not known from the seller (see `pairs`): its letter is 1.
    """
    ways = list(conditions.ways)
    of_partners = [edition for edition in editions if edition.terms.earner != "rep"]
    enrolled = {edition.number: enrolments(edition) for edition in of_partners}
    watching = any(enrolled.values()) or any(edition.terms.enrolled for edition in of_partners)
    slices: list[Slice] = []
    for identity, dated in rows.by_id.items():
        always = not dated or (len(dated) == 1 and dated[0][:2] == (DAY_MIN, DAY_MAX))
        if always and not watching:
            row = dated[0][2] if dated else NULL_ROW
            letters = "1" * len(editions)
            slices.append(Slice(id=identity, since=DAY_MIN, until=DAY_MAX, rows=(row,) * len(ways), letters=letters))
            continue
        cuts = _cuts(identity, dated, ways, of_partners, enrolled, group_of, days)
        previous: Slice | None = None
        for start, end in pairwise(cuts):
            picked = tuple(_picked(identity, dated, way, start, enrolled) for way in ways)
            letters = "".join(
                enrolment_letter(
                    edition, enrolled[edition.number], _earner(edition, identity, picked, conditions, group_of), start
                )
                if edition.number in enrolled
                else "1"
                for edition in editions
            )
            if previous is not None and (previous.rows, previous.letters) == (picked, letters):
                slices[-1] = previous = replace(previous, until=end)
                continue
            previous = Slice(id=identity, since=start, until=end, rows=picked, letters=letters)
            slices.append(previous)
    return slices


def _earner(
    edition: Edition, identity: str, picked: tuple[int, ...], conditions: Conditions, group_of: Mapping[int, str]
) -> str | None:
    if edition.terms.earner == "group":
        return group_of.get(picked[conditions.way(fact_way(edition))])
    return identity


def _cuts(
    identity: str,
    dated: Sequence[tuple[int, int, int]],
    ways: Sequence[FactWay],
    editions: Sequence[Edition],
    enrolled: Mapping[int, Mapping[str, Enrolment]],
    group_of: Mapping[int, str],
    days: tuple[date, date],
) -> list[int]:
    """Give every day on which something may change, with the unbounded ends."""
    edges = {edge for start, end, _ in dated for edge in (start, end)}
    cuts = {DAY_MIN, DAY_MAX} | edges
    for _, periods, _ in ways:
        if periods is not None and edges - {DAY_MIN, DAY_MAX}:
            cuts |= {day_number(each.from_) for each in periods_between(periods, *days) if each.from_ is not None}
            cuts |= {day_number(each.until) for each in periods_between(periods, *days) if each.until is not None}
    earners = {identity, *(group_of[number] for _, _, number in dated if number in group_of)}
    for edition in editions:
        for earner in earners:
            entry = enrolled[edition.number].get(earner)
            if entry is not None:
                cuts |= {entry.since, entry.until}
    return sorted(cuts)


def _picked(
    identity: str,
    dated: Sequence[tuple[int, int, int]],
    way: FactWay,
    day: int,
    enrolled: Mapping[int, Mapping[str, Enrolment]],
) -> int:
    """Give the row that a way picks for a line placed on the day; without a period, or at its open end, that of the day."""
    kind, periods, edition = way
    if kind == "enrolment":
        assert edition is not None
        entry = enrolled[edition].get(identity)
        return row_on(dated, day if entry is None else entry.since)
    if periods is None:
        return row_on(dated, day)
    period = period_of(periods, day_of(day) or date.min)
    if period is None:
        return row_on(dated, day)
    if kind == "period_start":
        return row_on(dated, day if period.from_ is None else day_number(period.from_))
    return row_on(dated, day if period.until is None else day_number(period.until) - 1)


def put_slices(session: Session, table: str, slices: Iterable[Slice], ids: Mapping[str, int], ways: int) -> bool:
    """Make the session table of slices; tells whether some id has more than one, or one that does not always hold."""
    listed = list(slices)
    columns: dict[str, pa.Array] = {
        "id": pa.array([each.id for each in listed], pa.string()),
        "no": pa.array([ids.get(each.id) for each in listed], pa.int32()),
        "since": pa.array([each.since for each in listed], pa.int32()),
        "until": pa.array([each.until for each in listed], pa.int32()),
        "letters": pa.array([each.letters for each in listed], pa.string()),
    }
    for way in range(ways):
        columns[f"row_{way}"] = pa.array([each.rows[way] for each in listed], pa.int32())
    session.put(table, pa.table(columns))
    return any((each.since, each.until) != (DAY_MIN, DAY_MAX) for each in listed)


def classify(session: Session, table: str, rows: Rows, conditions: Conditions, letters: int) -> str:
    """Add the class to a table of slices and list the classes as `<table>_classes(class, signature)`.

    A signature: the conditions in order, then one letter per way (1 a row holds, 0 none, n a row without group_id), then the
    letters of the slice. Class 0 is that of ids without any row. Gives the name of the table with classes.
    """
    by_way: dict[int, list[str]] = {way: [] for way in conditions.ways.values()}
    pieces: list[str] = []
    for (_, way), rule in conditions.rules.items():
        condition = rule.to_sql(_column)
        by_way[way].append(
            f"CASE WHEN {condition} THEN '1' WHEN NOT ({condition}) THEN '0' ELSE '2' END AS v{len(pieces)}"
        )
        pieces.append(f"t{way}.v{len(pieces)}")
    joins = ""
    for way, values in by_way.items():
        holds = "CASE WHEN row_no = 0 THEN '0' WHEN group_no IS NULL THEN 'n' ELSE '1' END AS holds"
        session.table(f"{table}_truth{way}", f"SELECT row_no, {', '.join([holds, *values])} FROM {rows.table}")
        joins += f" JOIN {table}_truth{way} t{way} ON t{way}.row_no = s.row_{way}"
        pieces.append(f"t{way}.holds")
    signature = " || ".join([*pieces, "s.letters"])
    session.table(f"{table}_signed", f"SELECT s.*, {signature} AS signature FROM {table} s{joins}")
    nulls = " || ".join([*pieces, text("1" * letters)])
    source = (
        "(SELECT " + ", ".join(f"0 AS row_{way}" for way in conditions.ways.values()) + ") s"
        if by_way
        else "(SELECT 1) s"
    )
    session.table(
        f"{table}_classes",
        "SELECT CAST(row_number() OVER (ORDER BY first DESC, signature) - 1 AS INTEGER) AS class, signature FROM ("
        f"SELECT signature, max(first) AS first FROM (SELECT {nulls} AS signature, 1 AS first FROM {source}{joins} "
        f"UNION ALL SELECT DISTINCT signature, 0 AS first FROM {table}_signed) GROUP BY signature)",
    )
    session.table(
        f"{table}_known",
        f"SELECT s.*, c.class FROM {table}_signed s JOIN {table}_classes c ON c.signature = s.signature",
    )
    return f"{table}_known"


def _column(declared: str) -> str:
    return name(f"c_{declared.partition('.')[2]}")

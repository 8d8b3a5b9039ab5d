"""The activity lines as the plan reads them: typed columns, cut at the as-of day, each with its place in the order.

`base` has one row per line: day (integer), n (line_id as a number, see identity), kind and the named columns that the run uses.
`placed` adds, for a return that names its sale, a second row at the sale's place; a feed keeps one of the two.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from headrace.engine.findings import Finding, Refusal
from headrace.engine.identity import LineOrder, Packing, order_lines
from headrace.engine.numeric import LINE
from headrace.engine.schema import LINES, Lines
from headrace.engine.session import Session, name, text

KINDS = ("sale", "return", "purchase", "purchase_return", "stock_count", "training", "referral")
STAGES = ("sell_in", "sell_through", "sell_out")
_EPOCH = "DATE '1970-01-01'"

# Where a row of `placed` stands: a line at its own place; a return of a known sale at its own place; the same at the sale's.
OWN, OWN_OF_TWO, WITH_SALE = 0, 1, 2


def line_type(kind: str, stage: str, internal: bool) -> int:
    """Give the number of a combination of kind, stage and internal: 1 to 42, so that a set of them is one "
    "integer; 0 is none."""
    return (KINDS.index(kind) * len(STAGES) + STAGES.index(stage)) * 2 + internal + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What is known of the lines before the plan is made."""

    first_day: date
    last_day: date
    as_of: date
    order: LineOrder
    currencies: tuple[str, ...]
    has_sales_of_returns: bool
    returns_per_sale_max: int
    findings: tuple[Finding, ...]


def open_lines(
    session: Session, lines: Lines, as_of: date | None, extra: Collection[str], packing: Packing | None = None
) -> Source | None:
    """Make `base` and `placed`; extra: columns beside those of schema.LINES that rules or scopes read.

    Gives nothing where there are no lines at all.
    """
    read = _read(lines)
    bound = "TRUE" if lines.batch_seq_max is None else f"batch_seq <= {int(lines.batch_seq_max)}"
    if as_of is None:
        as_of = _last_day(session, lines, read, bound)
        if as_of is None:
            return None
    if not read:
        return None
    known = f"occurred_on <= {_date(as_of)}"
    if "received_on" in lines.columns:
        known += f" AND (received_on IS NULL OR received_on <= {_date(as_of)})"
    session.view("read_lines", f"SELECT {_columns(lines.columns, extra)} FROM {read} WHERE {bound}")
    session.view("known_lines", f"SELECT * FROM read_lines WHERE {known}")
    first, last = session.rows("SELECT min(occurred_on), max(occurred_on) FROM known_lines")[0]
    if first is None:
        return None
    assert isinstance(first, date)
    assert isinstance(last, date)
    order = order_lines(session, "known_lines", packing)
    _make_base(session, order)
    currencies = tuple(sorted(str(row[0]) for row in session.rows("SELECT DISTINCT currency FROM known_lines")))
    findings: list[Finding] = []
    per_sale = _place_returns(session, findings) if "original_line_id" in lines.columns else 0
    if not per_sale:
        session.view(
            "placed", f"SELECT *, {OWN} AS placing, CAST(0 AS INTEGER) AS seq, day AS sale_day, n AS place_n FROM base"
        )
    return Source(
        first_day=first, last_day=last, as_of=as_of, order=order, currencies=currencies,
        has_sales_of_returns=per_sale > 0, returns_per_sale_max=per_sale, findings=tuple(findings),
    )  # fmt: skip


def _read(lines: Lines) -> str:
    if not lines.paths:
        return ""
    listed = ", ".join(text(str(path)) for path in lines.paths)
    return f"read_parquet([{listed}], union_by_name = {str(len(lines.paths) > 1).lower()}, hive_partitioning = false)"


def _last_day(session: Session, lines: Lines, read: str, bound: str) -> date | None:
    """Find the last day in the lines: on which one occurred, or on which one was received."""
    if not read:
        return None
    days = [name for name in ("occurred_on", "received_on") if name in lines.columns]
    listed = ", ".join(f"max(CAST({name} AS DATE))" for name in days)
    found = [day for day in session.rows(f"SELECT {listed} FROM {read} WHERE {bound}")[0] if isinstance(day, date)]
    return max(found, default=None)


def _columns(there: Mapping[str, pa.DataType], extra: Collection[str]) -> str:
    missing = [column for column, declared in LINES.items() if not declared.nullable and column not in there]
    if missing and missing != ["stage"]:
        message = f"The lines lack the column {missing[0]}; every line needs {', '.join(missing)}."
        raise Refusal("missing_column", message)
    items: list[str] = []
    for column, declared in LINES.items():
        kind = sql_type(declared.type)
        if column in there:
            items.append(f"CAST({name(column)} AS {kind}) AS {name(column)}")
        else:
            default = "'sell_through'" if column == "stage" else "NULL"
            items.append(f"CAST({default} AS {kind}) AS {name(column)}")
    items += [f"CAST({name(each)} AS {sql_type(there[each])}) AS {name(f'x_{each}')}" for each in sorted(extra)]
    return ", ".join(items)


def sql_type(kind: pa.DataType) -> str:
    """Give the SQL type of one of the four types of columns."""
    if pa.types.is_decimal(kind) or pa.types.is_integer(kind):
        return LINE
    if pa.types.is_date(kind):
        return "DATE"
    return "BOOLEAN" if pa.types.is_boolean(kind) else "VARCHAR"


def _date(day: date) -> str:
    return f"CAST('{day.isoformat()}' AS DATE)"


def _make_base(session: Session, order: LineOrder) -> None:
    kind = " ".join(f"WHEN '{each}' THEN {index}" for index, each in enumerate(KINDS))
    stage = " ".join(f"WHEN '{each}' THEN {index}" for index, each in enumerate(STAGES))
    kind_no = f"CASE l.kind {kind} ELSE -1000 END"
    stage_no = f"CASE l.stage {stage} ELSE -1000 END"
    internal = "CASE WHEN l.internal THEN 1 ELSE 0 END"
    number = "r.line_rank" if order.join else order.of("l.line_id")
    join = f" JOIN {order.join} r ON r.ranked_id = l.line_id" if order.join else ""
    select = (
        f"SELECT l.*, CAST(l.occurred_on - {_EPOCH} AS INTEGER) AS day, {number} AS n, "
        f"CAST(greatest(({kind_no} * 3 + {stage_no}) * 2 + {internal}, -1) + 1 AS INTEGER) AS type FROM known_lines l{join}"
    )
    session.view("base", select)


def _place_returns(session: Session, findings: list[Finding]) -> int:
    """Make `placed` with the returns that name their sale; gives the most returns of one sale, 0 where there are none."""
    if not session.rows("SELECT 1 FROM base WHERE original_line_id IS NOT NULL LIMIT 1"):
        return 0
    session.table(
        "named",
        "SELECT line_id, original_line_id, day, n FROM base WHERE original_line_id IS NOT NULL AND kind IN "
        "('return', 'purchase_return')",
    )
    session.table(
        "originals",
        "SELECT line_id, kind, day, n, partner_id, buyer_id, reporter_id, rep_id FROM base "
        "WHERE line_id IN (SELECT original_line_id FROM named)",
    )
    unknown = session.rows(
        "SELECT count(*), min(line_id) FROM named WHERE original_line_id NOT IN (SELECT line_id FROM originals)"
    )[0]
    if unknown[0]:
        message = (
            f"{unknown[0]} returns name a sale that is not among the lines (the first is {unknown[1]}); they "
            f"count on their own "
            "dates. Load the sales, or take the references out."
        )
        findings.append(
            Finding(code="original_unknown", severity="warning", message=message, column="original_line_id")
        )
    session.table(
        "sale_of",
        "SELECT r.line_id AS return_id, o.day AS sale_day, o.n AS sale_n, o.partner_id AS sale_partner, "
        "o.buyer_id AS sale_buyer, "
        "o.reporter_id AS sale_reporter, o.rep_id AS sale_rep, "
        "CAST(row_number() OVER (PARTITION BY o.line_id ORDER BY r.day, r.n) AS INTEGER) AS return_seq "
        "FROM named r JOIN originals o ON o.line_id = r.original_line_id WHERE o.kind NOT IN ('return', 'purchase_return')",
    )
    most = session.rows("SELECT max(return_seq) FROM sale_of")[0][0]
    if most is None:
        return 0
    session.view(
        "placed",
        f"SELECT b.*, CASE WHEN s.return_id IS NULL THEN {OWN} ELSE {OWN_OF_TWO} END AS placing, CAST(0 AS INTEGER) AS seq, "
        "coalesce(s.sale_day, b.day) AS sale_day, b.n AS place_n, s.sale_partner, s.sale_buyer, s.sale_reporter, s.sale_rep "
        "FROM base b LEFT JOIN sale_of s ON s.return_id = b.line_id "
        f"UNION ALL SELECT b.* REPLACE (s.sale_day AS day), {WITH_SALE}, s.return_seq, s.sale_day, s.sale_n, s.sale_partner, "
        "s.sale_buyer, s.sale_reporter, s.sale_rep FROM base b JOIN sale_of s ON s.return_id = b.line_id",
    )
    return int(str(most))

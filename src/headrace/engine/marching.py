"""The awards of straight programs: their lines in one order, one running sum over all of them, prices in whole numbers.

Works on what `straight` settled. Three things make it quick, and none of them changes an award:

- Lines of all programs are sorted by scope and place, once, and a single running sum goes through all of them: what a scope had
  before a line is that sum less the total of the scopes before it. The order and the sum are proven on every run.
- A price is F(M) = constant + M × rate on each band, in integers: measures in units of their last decimal, rates likewise. They
  are 64 bits wide where the largest |M| × rate of the run fits, else 128; whichever is chosen, an overflow stops the run.
- What is said of a scope (payee, period, the text of the scope) is written once per scope and looked up.

For a retroactive program every band has the rate of the tier that the whole measure reached, for a scope that owes nothing 0, so
that one formula prices all of them.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from decimal import Decimal
from math import prod

import pyarrow as pa

from headrace.engine.accounts import Desk
from headrace.engine.book import Edition
from headrace.engine.numeric import SUM
from headrace.engine.pairs import PairsOf, Plan
from headrace.engine.qualify import Feed, list_cards
from headrace.engine.session import Session
from headrace.engine.straight import Way, by_rate, card_of, coefficient_of, is_certain
from headrace.engine.values import Values

# Half of what a DECIMAL(18, …) holds, so that the difference of two prices still fits.
_NARROW_MAX = 5 * 10**17
# Texts that repeat are written through a dictionary, which stands in every part of the file: not for more than so many.
_DICTIONARY_MAX = 20_000


@dataclass(frozen=True, slots=True)
class Scale:
    """How measures and rates become integers: their decimals, the integer type, and the bound of every |M|."""

    measure: int
    rate: int
    kind: str
    reach: int

    @property
    def price(self) -> int:
        """The decimals of a price."""
        return self.measure + self.rate

    @property
    def far(self) -> int:
        """A number past every measure and every price."""
        return 4 * 10**18 if self.kind == "BIGINT" else 10**37

    def whole(self, value: Decimal, decimals: int) -> int:
        """Give a value in units of its last decimal."""
        scaled = value.scaleb(decimals)
        assert scaled == scaled.to_integral_value(), value
        return int(scaled)


@dataclass(frozen=True, slots=True)
class Run:
    """The lines of straight programs in `straight_run`: their scale, and the SQL of a line's scope."""

    scale: Scale
    scope: str


def run_lines(desk: Desk, plan: Plan, feeds: Sequence[Feed]) -> tuple[Run, list[tuple[int, int | None, int, int]]]:
    """Make `straight_run` and from it `straight_sums` (as straight.sum_scopes does from the pairs), in one pass over the lines.

    Gives beside the run edition, reason, gate and how many pairs there are of each.
    """
    session = desk.session
    selects: list[str] = []
    uncertain: list[str] = []
    values: AbstractSet[str] | None = frozenset()
    for feed in feeds:
        pairs = PairsOf(plan, feed)
        select = pairs.select()
        selects.append(f"SELECT s, k, line_id, occurred_on, m, reason FROM ({select})")
        if not is_certain(pairs):
            uncertain.append(f"SELECT edition, reason, gate FROM ({select}) WHERE reason IS NOT NULL")
        written = Values(pairs)
        values = values | set(written.line_values()) if values is not None and written.narrow else None
        list_cards(session, feed, pairs.attributes)
    session.view("straight_pairs", " UNION ALL ".join(selects))
    editions = [edition for feed in feeds for edition in feed.editions]
    scale, line = _scale(desk, editions, values)
    run = Run(scale, _run(session, plan, scale, line))
    _sum_run(desk, plan, editions, run)
    counted = session.rows("SELECT edition, NULL, 0, CAST(sum(lines) AS BIGINT) FROM straight_sums GROUP BY edition")
    if uncertain:
        query = f"SELECT edition, reason, gate, count(*) FROM ({' UNION ALL '.join(uncertain)}) GROUP BY ALL"
        counted += session.rows(query)
    return run, [(int(str(a)), None if b is None else int(str(b)), int(str(c)), int(str(d))) for a, b, c, d in counted]


def march(desk: Desk, editions: Sequence[Edition], run: Run) -> str:
    """Price the lines of a run, once its statements are settled; gives the query of their awards, in the contract's columns."""
    _put_prices(desk, editions, run.scale)
    return _awards(desk, editions, run)


def _sum_run(desk: Desk, plan: Plan, editions: Sequence[Edition], run: Run) -> None:
    """Make `straight_sums`: s, edition, earner_no, payee_no, total, lines; what a scope is of stands in its number."""
    session, scopes = desk.session, plan.scopes
    ids = len(plan.known.ids)
    rows = []
    for edition in editions:
        per = desk.book.shapes[edition.shape].per
        sizes = [scopes.words[word].size for word in per]
        place = per.index("earner")
        rows.append(
            {
                "edition": edition.number, "shape": edition.shape, "size": sizes[place],
                "radix": Decimal(prod(sizes[place + 1 :])), "past": ids if edition.terms.earner == "rep" else 0,
            }
        )  # fmt: skip
    kinds = [("edition", pa.int32()), ("shape", pa.int32()), ("radix", pa.decimal128(38, 0))]
    kinds += [("size", pa.int64()), ("past", pa.int64())]
    session.put("straight_shapes", pa.Table.from_pylist(rows, schema=pa.schema(kinds)))
    session.table(
        "straight_totals",
        f"SELECT {run.scope} AS s, CAST(sum(m) AS {run.scale.kind}) AS total, count(*) AS lines FROM straight_run l GROUP BY 1",
    )
    earner = f"CAST(((t.s % {scopes.span}) // CAST(x.radix AS {scopes.type})) % x.size AS INTEGER)"
    session.table(
        "straight_sums",
        f"SELECT t.s, x.edition, {earner} AS earner_no, CAST({earner} + x.past AS INTEGER) AS payee_no, "
        f"{_decimal('t.total', run.scale.measure, run.scale.kind)} AS total, t.lines "
        f"FROM straight_totals t JOIN straight_shapes x ON x.shape = t.s // {scopes.span}",
    )


def _scale(desk: Desk, editions: Sequence[Edition], values: AbstractSet[str] | None) -> tuple[Scale, str]:
    """Find the decimals and the width that hold every measure and price of the run; and how a line's measure is written.

    values: what the measures are, where each is a value of the line as it stands. What is wider is taken to have all six
    decimals, since to find out costs more than it saves.
    """
    together, largest, decimals = _sizes(desk.session, values, len({edition.program for edition in editions}))
    cards = [card_of(desk.book, edition) for edition in editions]
    edges = [tier.from_ if tier.from_ is not None else tier.above or Decimal(0) for c in cards for tier in c.tiers]
    caps = [edition.terms.limits.payout.per_scope or Decimal(0) for edition in editions]
    rates = [coefficient_of(card, index) for card in cards for index in range(len(card.tiers))]
    measure = max(decimals, *(_decimals(edge) for edge in edges))
    rounded = max(desk.book.decimals(edition.number) for edition in editions)
    rate = max(0, rounded - measure, *(_decimals(each) for each in rates), *(_decimals(cap) - measure for cap in caps))
    reach = int(together.scaleb(measure)) + 1
    highest = max(int(abs(each).scaleb(rate)) for each in rates) + 1
    kind = "BIGINT" if reach * highest * 2 < _NARROW_MAX else "HUGEINT"
    quick = values is not None and largest.scaleb(2 * measure) < 10**18
    wide = f"CAST(m AS {SUM}) * CAST({10**measure} AS DECIMAL(7, 0))"
    narrow = f"CAST(m AS DECIMAL(18, {measure})) * CAST({10**measure} AS DECIMAL({measure + 1}, 0))"
    return Scale(measure, rate, kind, reach), f"CAST({narrow if quick else wide} AS {kind})"


def _sizes(session: Session, values: AbstractSet[str] | None, programs: int) -> tuple[Decimal, Decimal, int]:
    """Give a bound of what all measures add up to regardless of sign, the largest, and how many decimals they have."""
    if values is None:
        row = session.rows("SELECT sum(abs(m)), max(abs(m)) FROM straight_pairs WHERE reason IS NULL")[0]
        return Decimal(str(row[0] or 0)), Decimal(str(row[1] or 0)), 6
    written = [
        f"sum(abs({value})), max(abs({value})), bool_or({value} <> CAST({value} AS DECIMAL(18, 2))), "
        f"bool_or({value} <> CAST({value} AS DECIMAL(18, 4)))"
        for value in sorted(values)
    ]
    row = session.rows(f"SELECT {', '.join(written)} FROM known_lines l")[0]
    sums, largest = (max(Decimal(str(each or 0)) for each in row[at::4]) for at in (0, 1))
    return sums * programs, largest, 6 if any(row[3::4]) else 4 if any(row[2::4]) else 2


def _decimals(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return max(0, -exponent)


def _put_prices(desk: Desk, editions: Sequence[Edition], scale: Scale) -> None:
    """Make `straight_prices` (one row per edition, in whole numbers) and `straight_labels` (one per scope, with its prices)."""
    session, bands = desk.session, _bands(desk, editions)
    width = pa.int64() if scale.kind == "BIGINT" else pa.decimal128(38, 0)
    kinds: list[tuple[str, pa.DataType]] = [("edition", pa.int32()), ("most", width), ("unit", width), ("lift", width)]
    for band in bands:
        kinds += [(f"{column}_{band}", width) for column in ("first", "edge", "constant", "price")]
    most = _rounded(desk, editions)[-1]
    rows = [_prices(desk, edition, scale, len(bands), most) for edition in editions]
    session.put("straight_prices", pa.Table.from_pylist(rows, schema=pa.schema(kinds)))
    way = Way(len(bands))
    lowest = "CASE WHEN w.owes THEN w.rate_0 END"
    session.table(
        "straight_finals",
        f"SELECT e.s, e.zeroed, e.total, {way.of_step('e.step', 'rate', lowest)} AS rate_reached, "
        f"CASE e.step {' '.join(f'WHEN {band} THEN p.price_{band}' for band in bands)} "
        "ELSE CASE WHEN w.owes THEN p.price_1 ELSE 0 END END AS price_reached "
        "FROM entitled e JOIN ways w ON w.edition = e.edition JOIN straight_prices p ON p.edition = e.edition",
    )
    rate = "CASE WHEN w.rates THEN {0} WHEN {0} IS NOT NULL THEN CAST(0 AS DECIMAL(9, 6)) END"
    columns = [
        f"CAST(CASE WHEN w.retroactive OR w.owes THEN -{scale.far} ELSE p.edge_1 END AS {scale.kind}) AS edge_1",
        f"{rate.format(_chosen(lowest))} AS shown_0",
        "w.retroactive OR NOT w.rates AS alike",
    ]
    for band in bands:
        if band > 1:
            columns.append(f"CAST(p.edge_{band} AS {scale.kind}) AS edge_{band}")
        # What belongs to a band that the terms do not have is never looked up.
        rate_now = f"CASE WHEN e.zeroed THEN 0 WHEN w.retroactive THEN e.price_reached ELSE p.price_{band} END"
        columns += [
            f"CAST(p.first_{band} AS {scale.kind}) AS first_{band}",
            f"CAST(CASE WHEN e.zeroed OR w.retroactive THEN 0 ELSE p.constant_{band} END AS {scale.kind}) AS constant_{band}",
            f"CAST({rate_now} AS {scale.kind}) AS price_{band}",
            f"{rate.format(_chosen(f'w.rate_{band}'))} AS shown_{band}",
        ]
    total = f"CAST(CAST(e.total AS {SUM}) * CAST({10**scale.measure} AS DECIMAL(7, 0)) AS {scale.kind})"
    before = "OVER (ORDER BY e.s ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"
    dictionaries = {column: _dictionary(session, column) for column in ("program", "payee_kind", "payee_id", "scope")}
    texts = ", ".join(f"CAST(r.{column} AS {kind}) AS {column}" for column, kind in dictionaries.items())
    session.table(
        "straight_labels",
        f'SELECT r.s, r.version, r."from", r.until, {texts}, '
        f"CAST(coalesce(sum({total}) {before}, 0) AS {scale.kind}) AS start, "
        f"CAST(p.most AS {scale.kind}) AS most, CAST(p.unit AS {scale.kind}) AS unit, CAST(p.lift AS {scale.kind}) AS lift, "
        f"{', '.join(columns)} FROM statement_rows r "
        "JOIN straight_finals e ON e.s = r.s JOIN ways w ON w.edition = r.edition "
        "JOIN straight_prices p ON p.edition = r.edition",
    )


def _chosen(incremental: str) -> str:
    return f"(CASE WHEN w.retroactive THEN e.rate_reached ELSE {incremental} END)"


def _dictionary(session: Session, column: str) -> str:
    """Make a type that lists the texts of a column; gives its name, or plain text where there are too many."""
    count = int(str(session.rows(f"SELECT count(DISTINCT {column}) FROM statement_rows")[0][0]))
    if not 0 < count <= _DICTIONARY_MAX:
        return "VARCHAR"
    session.execute(f"CREATE TYPE straight_{column} AS ENUM (SELECT DISTINCT {column} FROM statement_rows)")
    return f"straight_{column}"


def _bands(desk: Desk, editions: Sequence[Edition]) -> range:
    return range(1, max(len(card_of(desk.book, edition).tiers) for edition in editions) + 1)


def _prices(desk: Desk, edition: Edition, scale: Scale, bands: int, most: int) -> dict[str, object]:
    """Give the bands of an edition in whole numbers; those past the reach of every scope stay out of reach.

    most: the most decimals that some edition rounds to; `lift` brings a rounded amount to as many.
    """
    card, terms = card_of(desk.book, edition), edition.terms
    cap, decimals = terms.limits.payout.per_scope, desk.book.decimals(edition.number)
    row: dict[str, object] = {
        "edition": edition.number, "most": scale.far if cap is None else min(scale.far, scale.whole(cap, scale.price)),
        "unit": 10 ** (scale.price - decimals), "lift": 10 ** (most - decimals),
    }  # fmt: skip
    earned = low = rate = 0
    for band in range(1, bands + 1):
        row |= {f"first_{band}": scale.far, f"edge_{band}": scale.far, f"constant_{band}": 0, f"price_{band}": 0}
        if band > len(card.tiers):
            continue
        tier = card.tiers[band - 1]
        edge = scale.whole(tier.from_ if tier.from_ is not None else tier.above or Decimal(0), scale.measure)
        if edge > scale.reach:
            continue
        earned, low, rate = earned + (edge - low) * rate, edge, scale.whole(coefficient_of(card, band - 1), scale.rate)
        row |= {
            f"first_{band}": edge + (tier.above is not None), f"edge_{band}": edge, f"constant_{band}": earned - edge * rate,
            f"price_{band}": rate,
        }  # fmt: skip
    return row


def _rounded(desk: Desk, editions: Sequence[Edition]) -> list[int]:
    """Give the decimals that amounts are rounded to, the fewest first."""
    return sorted({desk.book.decimals(edition.number) for edition in editions})


def _run(session: Session, plan: Plan, scale: Scale, line: str) -> str:
    """Make `straight_run`: lines in order with their whole measure and its sum up to them. Gives the SQL of their scope."""
    first, last = plan.days
    places = (last - first + 2) * plan.source.order.span * plan.step
    fits = (max(plan.scopes.offsets) + plan.scopes.span) * places < 2**63
    key = f"CAST(s AS BIGINT) * {places} + k AS place" if fits else "s, k AS place"
    session.ordered_table(
        "straight_run",
        f"SELECT *, CAST(sum(m) OVER (ROWS UNBOUNDED PRECEDING) AS {scale.kind}) AS upto FROM ("
        f"SELECT {key}, line_id, occurred_on, {line} AS m FROM straight_pairs WHERE reason IS NULL AND s IS NOT NULL "
        f"ORDER BY {'place' if fits else 's, place'})",
    )
    late = "place <= place_before" if fits else "s < s_before OR (s = s_before AND place <= place_before)"
    before = "lag(place) OVER () AS place_before, lag(upto) OVER () AS upto_before"
    scope = "" if fits else ", lag(s) OVER () AS s_before"
    faults = session.ordered_rows(
        f"SELECT count(*) FROM (SELECT *, {before}{scope} FROM straight_run) "
        f"WHERE {late} OR upto - m <> coalesce(upto_before, 0)"
    )[0][0]
    assert faults == 0, "the running sum did not follow the order of the lines"
    return f"l.place // {places}" if fits else "l.s"


def _awards(desk: Desk, editions: Sequence[Edition], run: Run) -> str:
    scale = run.scale
    bands = list(reversed(_bands(desk, editions)))
    decimals = _rounded(desk, editions)
    capped = any(edition.terms.limits.payout.per_scope is not None for edition in editions)

    def band(measure: str, column: str, sign: str) -> str:
        # Counting the edges that are passed is several times quicker than a CASE over them.
        return "(" + " + ".join(f"CAST({measure} {sign} {column}_{index} AS TINYINT)" for index in bands) + ")"

    def price(measure: str) -> str:
        cases = " ".join(f"WHEN {measure} >= edge_{i} THEN constant_{i} + {measure} * price_{i}" for i in bands)
        whole = f"CASE {cases} ELSE 0 END"
        return f"least({whole}, most)" if capped else whole

    def rounded(price: str) -> str:
        unit = str(10 ** (scale.price - decimals[0])) if len(decimals) == 1 else "unit"
        half = f"({unit} // 2)" if len(decimals) > 1 else str(10 ** (scale.price - decimals[0]) // 2)
        up = f"({price} + CASE WHEN {price} < 0 THEN -{half} ELSE {half} END)"
        return f"({up} // {unit})" + (" * lift" if len(decimals) > 1 else "")

    # On an edge that a tier starts past, a line that measures nothing lies below it.
    opens = any(tier.above is not None for each in editions for tier in card_of(desk.book, each).tiers)
    alike = any(each.terms.schedule.mode == "retroactive" or not by_rate(desk.book, each) for each in editions)
    shown = "CASE band " + " ".join(f"WHEN {index} THEN shown_{index}" for index in [*bands, 0]) + " END"
    measure = _decimal("m", scale.measure, scale.kind)
    award = _decimal(f"({rounded('earned')} - {rounded('earned_before')})", decimals[-1], scale.kind)
    low, high = "(CASE WHEN m < 0 THEN after ELSE before END)", "(CASE WHEN m < 0 THEN before ELSE after END)"
    return (
        'SELECT program, version, payee_kind, payee_id, scope, "from", until, line_id, occurred_on, '
        f"{measure} AS measure, {_decimal('after', scale.measure, scale.kind)} AS measure_after, {measure} AS base, "
        f"CAST(CASE WHEN step > 0 THEN step END AS INTEGER) AS tier, "
        f"CASE WHEN {'alike OR ' if alike else ''}first >= last THEN {shown} END AS rate, {award} AS award, "
        "TRUE AS verified, CAST(NULL AS VARCHAR) AS lost_to FROM ("
        f"SELECT *, {'CASE WHEN m = 0 THEN step ELSE first END' if opens else 'first'} AS band FROM ("
        f"SELECT *, {band('after', 'first', '>=')} AS step, {band(low, 'edge', '>=')} AS first, "
        f"{band(high, 'edge', '>')} AS last, {price('after')} AS earned, {price('before')} AS earned_before FROM ("
        "SELECT l.line_id, l.occurred_on, l.m, l.upto - w.start AS after, l.upto - l.m - w.start AS before, w.* "
        f"FROM straight_run l JOIN straight_labels w ON w.s = {run.scope})))"
    )


def _decimal(whole: str, decimals: int, kind: str) -> str:
    """Write an integer in units of its last decimal as SUM."""
    digits = 18 if kind == "BIGINT" else 38
    if decimals == 0:
        return f"CAST(CAST({whole} AS DECIMAL({digits}, 0)) AS {SUM})"
    unit = f"CAST('{Decimal(1).scaleb(-decimals):f}' AS DECIMAL({decimals}, {decimals}))"
    return f"CAST(CAST({whole} AS DECIMAL({digits - (0 if kind == 'BIGINT' else decimals)}, 0)) * {unit} AS {SUM})"

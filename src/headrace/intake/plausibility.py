"""Is what a row says plausible? Rules of the profile, known partners and products, prices, columns that must agree, suspects."""

from collections.abc import Mapping as MappingOf
from decimal import Decimal

import duckdb
import pyarrow as pa

from headrace.engine.schema import LINE
from headrace.intake.conversion import Styles, convert
from headrace.intake.findings_log import DETAIL_MAX, FindingLog
from headrace.intake.mapping import RETURNS, Mapping, number_literal
from headrace.intake.profile import Agreement
from headrace.intake.staging import ROW, TEXT, literal, quote
from headrace.intake.store import FactStore
from headrace.intake.verdicts import Check, note, note_checks

KNOWN = {
    "partner": ("partner_id", "partners", "partner_id"),
    "product": ("product_id", "products", "product_id"),
    "buyer": ("buyer_id", "partners", "partner_id"),
    "customer": ("customer_id", "customers", "customer_id"),
}
"""What a row names: the field, the table of those that are known, and its column."""
NAMES = {
    "partner_id": "partner",
    "buyer_id": "partner",
    "reporter_id": "partner",
    "product_id": "product",
    "customer_id": "customer",
}
"""Which kind of record a field names."""


def resolve_names(
    con: duckdb.DuckDBPyConnection, mapping: Mapping, aliases: MappingOf[str, MappingOf[str, str]], log: FindingLog
) -> None:
    """Put what a source's names stand for in their place. aliases: by kind of record, name → id. No identity changes."""
    for field, kind in NAMES.items():
        named = aliases.get(kind, {})
        if not named or not mapping.has(field):
            continue
        names = pa.table({"name": list(named), "stands_for": list(named.values())})
        con.register("named", names)
        (changed,) = con.execute(
            f"UPDATE lines_read SET {field} = stands_for FROM named WHERE lines_read.{field} = named.name"
        ).fetchall()[0]
        con.unregister("named")
        if changed:
            told = f"{changed:,} rows name a {kind} as this source does; the {kind} that is meant was put in its place."
            log.add("name_resolved", told, severity="info", column=field)


def check_rows(con: duckdb.DuckDBPyConnection, mapping: Mapping) -> dict[str, str]:
    """Note rows that break the profile's row rules, signs and currencies; give the reason of each rule by its code."""
    rules = [
        Check(
            condition=mapping.condition(rule.when), code=rule.code, action=rule.do, column=literal(rule.when[0].column)
        )
        for rule in mapping.profile.rows
    ]
    note_checks(con, "raw", rules)
    checks = [
        Check(
            condition=f"kind IN ({', '.join(map(literal, RETURNS))}) AND (quantity > 0 OR amount > 0)",
            code="return_not_negative",
            action="reject",
            stated="'A return carries negative quantity and amount, and this one has quantity ' || quantity || ' and"
            " amount ' || amount || '. State in the profile how this source signs its returns.'",
        ),
        Check(
            condition="kind IN ('sale', 'purchase') AND quantity < 0",
            code="negative_sale",
            action="warn",
            stated="'The row is no return and has quantity ' || quantity || '. It counts as written; state `kinds`"
            " or `negative_is_return` if it is a return.'",
            unless_faulty=True,
        ),
    ]
    if mapping.profile.currencies:
        listed = ", ".join(mapping.profile.currencies)
        checks.append(
            Check(
                condition=f"currency NOT IN ({', '.join(map(literal, mapping.profile.currencies))})",
                code="unexpected_currency",
                action="reject",
                column="'currency'",
                stated=f"'The row is in ' || currency || ', and this source reports in {listed}.'",
            )
        )
    note_checks(con, "lines_read", checks)
    return {rule.code: rule.because for rule in mapping.profile.rows}


def note_references(con: duckdb.DuckDBPyConnection, references: MappingOf[str, pa.Table]) -> None:
    """Make a table `known_partners` and `known_products` of the ids that are known, once for all files of an intake."""
    for table, identity in {(table, identity) for _, table, identity in KNOWN.values()}:
        if table in references:
            con.register("reference", references[table])
            con.execute(
                f"CREATE TABLE known_{table} AS SELECT DISTINCT {identity} FROM reference WHERE {identity} IS NOT NULL"
            )
            con.unregister("reference")


def check_known(
    con: duckdb.DuckDBPyConnection, mapping: Mapping, references: MappingOf[str, pa.Table], log: FindingLog
) -> None:
    """Reject rows of unknown parties or products where the profile requires them; else give one warning per unknown name."""
    asked = {word: of for word, of in KNOWN.items() if of[1] in references and mapping.has(of[0])}
    known = {
        word: f"(SELECT {identity} AS {field} FROM known_{table})" for word, (field, table, identity) in asked.items()
    }
    for word in _with_unknown(con, asked, known):
        field, table, _ = asked[word]
        unknown = f"lines_read ANTI JOIN {known[word]} USING ({field}) WHERE {field} IS NOT NULL"
        if word in mapping.profile.require_known:
            stated = f"'{word} ' || {field} || ' is unknown. Add it to the {table}, or map it to one that is known.'"
            note(con, code=f"unknown_{word}", action="reject", rows=unknown, column=literal(field), stated=stated)
        else:
            _warn_unknown(con, word, field, unknown, log)


def _with_unknown(
    con: duckdb.DuckDBPyConnection, asked: MappingOf[str, tuple[str, str, str]], known: MappingOf[str, str]
) -> list[str]:
    """Tell of which words some row names one that is not known, in one look at the rows."""
    if not asked:
        return []
    met = ", ".join(
        f"bool_or({asked[word][0]} IS NOT NULL AND {asked[word][0]} NOT IN {known[word]})" for word in asked
    )
    found = con.execute(f"SELECT {met} FROM lines_read").fetchall()[0]
    return [word for word, is_met in zip(asked, found, strict=True) if is_met]


def _warn_unknown(con: duckdb.DuckDBPyConnection, word: str, field: str, unknown: str, log: FindingLog) -> None:
    names = con.execute(
        f"SELECT {field}, count(*), min({ROW}) FROM {unknown} GROUP BY {field} ORDER BY min({ROW})"
    ).fetchall()
    for name, number, row in names[:DETAIL_MAX]:
        log.add(
            f"unknown_{word}",
            f"{word} {name!r} is unknown ({number:,} rows from row {row} on). They load, and earn nothing until it is known.",
            severity="warning",
            row=row,
            column=field,
        )
    log.count_more(f"unknown_{word}", field, "warning", max(0, len(names) - DETAIL_MAX))


def check_prices(
    con: duckdb.DuckDBPyConnection, mapping: Mapping, references: MappingOf[str, pa.Table], log: FindingLog
) -> None:
    """Compare unit prices with the product's listed price on the day."""
    check = mapping.profile.price
    if check is None:
        return
    products = references.get("products")
    if products is None or check.list_price not in products.column_names:
        log.add(
            "no_price_list",
            f"The profile compares prices with {check.list_price} of the products, and no products with that"
            " column were given. Nothing"
            " was compared; give the products.",
            severity="warning",
        )
        return
    con.register("listed", products)
    names = products.column_names
    start = "valid_from IS NULL OR occurred_on >= valid_from" if "valid_from" in names else "true"
    end = "valid_until IS NULL OR occurred_on < valid_until" if "valid_until" in names else "true"
    price = f"TRY_CAST({quote(check.list_price)} AS DECIMAL(18,6))"
    unit = f"CAST({quote(check.unit) if check.unit else 'amount'} AS DECIMAL(19,6))"
    times = "CAST(1 AS DECIMAL(9,0))" if check.unit else "abs(CAST(quantity AS DECIMAL(18,6)))"
    compared = f"CAST(CAST({price} AS DECIMAL(18,6)) * {times} AS DECIMAL(28,4))"
    low, high = (f"CAST({number_literal(limit)} AS DECIMAL(9,4))" for limit in (check.at_least, check.at_most))
    rows = f"""
        (SELECT {ROW}, {unit} AS unit, {compared} AS compared, {price} AS price FROM lines_read
         JOIN listed USING (product_id) WHERE ({start}) AND ({end}) AND {price} > 0 AND quantity <> 0)
        GROUP BY {ROW} HAVING NOT bool_or(CAST(abs(unit) AS DECIMAL(38,8)) BETWEEN compared * {low} AND compared * {high})"""
    what = check.unit or "amount of the line"
    note(
        con,
        code="implausible_price",
        action=check.do,
        rows=rows,
        column=literal(check.unit or "amount"),
        stated=f"'The {what} is ' || any_value(unit) || ', far from the {check.list_price} of the product (' ||"
        " any_value(price) ||"
        " '). Look for lost decimal points or another unit of measure.'",
    )
    con.unregister("listed")


def check_agreements(con: duckdb.DuckDBPyConnection, mapping: Mapping) -> None:
    """Note rows whose columns disagree where the profile says that they must agree."""
    checks = []
    for agreement in mapping.profile.agreements:
        names = agreement.equal or agreement.product
        assert names is not None
        left, right, shown = _sides(mapping, agreement)
        tolerance = agreement.tolerance
        if agreement.equal and agreement.as_type != "decimal":
            differs = f"{left} IS DISTINCT FROM {right}"
        else:
            differs = f"abs({left} - {right}) > {number_literal(tolerance)}"
        checks.append(
            Check(
                condition=differs,
                code="columns_disagree",
                action=agreement.do,
                column=literal(names[0]),
                stated=f"{shown} || ' disagree, and must not in this source.'",
            )
        )
    note_checks(con, "raw", checks)


def _sides(mapping: Mapping, agreement: Agreement) -> tuple[str, str, str]:
    """Give SQL for the two values to compare, and for a text that names both."""
    names = agreement.equal or agreement.product
    assert names is not None
    texts = [mapping.column(name) for name in names]
    shown = " || ' and ' || ".join(
        f"'{name} ' || coalesce({text}, '(empty)')" for name, text in zip(names, texts, strict=True)
    )
    if agreement.product:
        a, b, c = (f"CAST({convert(text, TEXT, LINE, mapping.styles).value} AS DECIMAL(19,6))" for text in texts)
        return f"CAST({a} * {b} AS DECIMAL(38,6))", c, shown
    kinds = {"text": pa.string(), "date": pa.date32(), "decimal": LINE}
    styles = [mapping.styles, mapping.styles]
    if agreement.dates:
        styles = [Styles(mapping.styles.number, dates.style()) for dates in agreement.dates]
    left, right = (convert(t, TEXT, kinds[agreement.as_type], s).value for t, s in zip(texts, styles, strict=True))
    return left, right, shown


def convert_units(con: duckdb.DuckDBPyConnection, mapping: Mapping) -> None:
    """Turn quantities into base units; a unit without a factor is rejected. Unit prices are divided, rounded to six decimals."""
    units = mapping.profile.units
    if units is None or not mapping.has("unit"):
        return
    rows: list[tuple[str | None, str, Decimal]] = [
        (None, unit, factor) for unit, factor in {units.base: Decimal(1), **units.factors}.items()
    ]
    rows += [(product, unit, factor) for product, table in units.per_product.items() for unit, factor in table.items()]
    con.execute("CREATE OR REPLACE TEMP TABLE factors (product_id VARCHAR, unit VARCHAR, factor DECIMAL(18,6))")
    con.executemany("INSERT INTO factors VALUES (?, ?, ?)", rows)
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE row_factors AS
        SELECT {ROW}, l.unit AS unit, coalesce(own.factor, common.factor) AS factor FROM lines_read l
        LEFT JOIN factors own ON own.product_id = l.product_id AND own.unit = l.unit
        LEFT JOIN factors common ON common.product_id IS NULL AND common.unit = l.unit
        WHERE l.unit IS NOT NULL"""
    )
    note(
        con,
        code="unknown_unit",
        action="reject",
        rows="row_factors WHERE factor IS NULL",
        column="'unit'",
        stated=f"'The unit ' || unit || ' has no factor to {units.base}. Add it to `units` in the profile.'",
    )
    # Integers in millionths, because a division of decimals would pass through a float; half away from zero.
    millionths = "CAST(CAST(unit_price AS DECIMAL(38,6)) * 1000000 AS HUGEINT)"
    factor = "CAST(CAST(factor AS DECIMAL(38,6)) * 1000000 AS HUGEINT)"
    divided = f"sign(unit_price)::HUGEINT * ((2 * abs({millionths}) * 1000000 + {factor}) // (2 * {factor}))"
    price = f", unit_price = CAST(CAST({divided} AS DECIMAL(38,0)) * CAST(0.000001 AS DECIMAL(7,6)) AS DECIMAL(18,6))"
    converted = "TRY_CAST(round(CAST(quantity AS DECIMAL(19,6)) * CAST(f.factor AS DECIMAL(19,6)), 6) AS DECIMAL(18,6))"
    price = price if mapping.has("unit_price") else ""
    con.execute(
        f"""
        UPDATE lines_read SET quantity = {converted}, unit = {literal(units.base)}{price}
        FROM row_factors f WHERE f.{ROW} = lines_read.{ROW} AND f.factor IS NOT NULL AND f.unit <> {literal(units.base)}"""
    )
    note(
        con,
        code="number_out_of_range",
        action="reject",
        rows="lines_read WHERE quantity IS NULL AND NOT _bad",
        column="'quantity'",
        stated="'the quantity in base units'",
    )


def check_suspects(con: duckdb.DuckDBPyConnection, mapping: Mapping, store: FactStore | None) -> None:
    """Hold rows that look like another line under another identity, in this file or among the lines that are there.

    Alike in all fields that the profile names under `suspects`; or the same serial number from two reporters.
    """
    if mapping.profile.suspects and all(map(mapping.has, mapping.profile.suspects)):
        _hold_alike(con, mapping, store)
    if mapping.has("serial_number"):
        _hold_serials(con, mapping, store)


def _hold_alike(con: duckdb.DuckDBPyConnection, mapping: Mapping, store: FactStore | None) -> None:
    suspects = mapping.profile.suspects
    # A repaired row keeps the number that it had among equal rows, which are no duplicates of each other.
    base = "regexp_replace(_base, '#[0-9]+$', '')" if mapping.repairs else "_base"
    unnumbered = f" AND {base} = _base" if mapping.repairs else ""
    named = ", ".join(map(quote, suspects))
    complete = " AND ".join(f"{quote(name)} IS NOT NULL" for name in suspects)
    rows = f"""
        (SELECT {ROW}, first_value({ROW}) OVER (PARTITION BY {named} ORDER BY {ROW}) AS first_row FROM lines_read
         WHERE {complete} AND NOT _bad{unnumbered} AND {ROW} NOT IN (SELECT {ROW} FROM numbered)) WHERE first_row <> {ROW}"""
    listed = ", ".join(suspects)
    note(
        con,
        code="suspected_duplicate",
        action="hold",
        rows=rows,
        stated=f"'It equals row ' || first_row || ' in {listed}, under another identity. Release it if both happened.'",
    )
    if store is None:
        return
    keys = con.sql(f"SELECT DISTINCT {named} FROM lines_read WHERE {complete} AND NOT _bad").to_arrow_table()
    con.register("there", store.lines_with(suspects, keys))
    rows = f"(SELECT {ROW}, {base} AS _base, {named} FROM lines_read)"
    twins = f"(SELECT {named}, list(line_id) AS ids, min(line_id) AS twin FROM there GROUP BY {named})"
    note(
        con,
        code="suspected_duplicate",
        action="hold",
        rows=f"{rows} JOIN {twins} USING ({named}) WHERE NOT list_contains(ids, _base)",
        stated=f"'It equals the loaded line ' || twin || ' in {listed}, under another identity. Release it if both happened.'",
    )
    con.unregister("there")


def _hold_serials(con: duckdb.DuckDBPyConnection, mapping: Mapping, store: FactStore | None) -> None:
    parties = [name for name in ("reporter_id", "partner_id") if mapping.has(name)]
    reporter = f"coalesce({', '.join([*parties, chr(39) * 2])})"
    sold = f"""
        (SELECT {ROW}, serial_number, stage, _base, {reporter} AS reporter FROM lines_read
         WHERE serial_number IS NOT NULL AND kind = 'sale' AND NOT _bad)"""
    keys = con.sql(f"SELECT DISTINCT serial_number, stage FROM {sold}").to_arrow_table()
    if keys.num_rows == 0:
        return
    several = f"(SELECT serial_number, stage FROM {sold} GROUP BY ALL HAVING count(DISTINCT reporter) > 1)"
    note(
        con,
        code="serial_reported_twice",
        action="hold",
        rows=f"{sold} SEMI JOIN {several} USING (serial_number, stage)",
        column="'serial_number'",
        stated="'Serial number ' || serial_number || ' is reported by several parties in this file. Decide whose sale it is.'",
    )
    if store is None:
        return
    con.register("there", store.lines_with(("serial_number", "stage"), keys))
    twins = "(SELECT serial_number, stage, min(line_id) AS twin FROM there GROUP BY ALL)"
    note(
        con,
        code="serial_reported_twice",
        action="hold",
        rows=f"{sold} JOIN {twins} USING (serial_number, stage) WHERE twin <> _base",
        column="'serial_number'",
        stated="'Serial number ' || serial_number || ' was loaded already as line ' || twin || '. Decide whose sale it is.'",
    )
    con.unregister("there")

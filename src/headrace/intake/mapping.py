"""Turn a profile and the columns of a file into the SQL that reads its lines."""

from collections.abc import Iterable
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, replace
from decimal import Decimal

import duckdb
import pyarrow as pa

from headrace.engine.schema import LINE, LINES, Kind, Stage
from headrace.intake.conversion import CURRENCY, SQL_DECIMAL, Conversion, Styles, convert, inside
from headrace.intake.findings_log import FindingLog
from headrace.intake.profile import Condition, FieldMap, Profile
from headrace.intake.staging import PLAIN, ROW, TEXT, Staged, as_sql_text, literal, quote

SQL_TYPES = {LINE: SQL_DECIMAL, pa.date32(): "DATE", pa.bool_(): "BOOLEAN", pa.string(): "VARCHAR"}
FIELD_TYPES = {"text": pa.string(), "decimal": LINE, "date": pa.date32(), "boolean": pa.bool_()}
# What a file of rejects carries in front of the source's own columns.
REJECT_COLUMNS = ("_row", "_outcome", "_reasons", "_line_id", "_release")
RETURNS = (Kind.RETURN.value, Kind.PURCHASE_RETURN.value)
SIGNED = ("quantity", "amount", "gross_amount", "cost")


@dataclass(frozen=True, slots=True)
class MappedField:
    """One field: SQL of its text after the profile's clean-up, of its value, and of the code of what is wrong with it.

    The value is null where it lies outside the days `within`. `text` is the text where it is worked out once for each row, as
    the column that `stated` names; value and reason read it. `excused`: a text that cannot be read may be null, which `reason`
    says by an empty code.
    """

    name: str
    type: pa.DataType
    stated: str
    value: str
    reason: str
    required: bool
    column: str | None
    factors: tuple[str, str] | None = None
    text: str | None = None
    excused: bool = False
    within: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Mapping:
    """How a file becomes lines. release: SQL of what a reviewer wrote under `_release`, in small letters, if asked for.

    repairs: the file holds rows of a file of rejects, each of which stands for itself.
    """

    profile: Profile
    staged: Staged
    styles: Styles
    fields: tuple[MappedField, ...]
    release: str | None = None
    repairs: bool = False

    def has(self, name: str) -> bool:
        """Tell whether this file gives a field."""
        return any(field.name == name for field in self.fields)

    def is_of_rejects(self) -> bool:
        """Tell whether the file is one of rejects, which never stands for a whole period."""
        return {"_row", "_outcome", "_reasons"} <= set(self.staged.columns)

    def column(self, name: str) -> str:
        """Give SQL for the trimmed text of a source column, null where it is empty."""
        at = self.staged.position(name)
        assert at is not None, name
        return f"nullif(trim({as_sql_text(f'_c{at}', self.staged.types[at])}), '')"

    def content(self) -> str:
        """Give SQL for a digest of all that the profile reads of a row, 80 bits in hexadecimal."""
        optional = {f.column for f in self.profile.fields.values() if f.column and f.optional}
        columns = sorted(
            {*self.profile.source_columns(), *(c for c in optional if self.staged.position(c) is not None)}
        )
        parts = ", ".join(f"coalesce({self.column(name)}, '')" for name in columns)
        return f"left(md5(concat_ws(chr(31), {parts})), 20)"

    def condition(self, conditions: Iterable[Condition]) -> str:
        """Give SQL for whether a row meets all conditions (false where that is unknown)."""
        return f"coalesce({' AND '.join(f'({part})' for c in conditions for part in self._parts(c))}, false)"

    def _parts(self, condition: Condition) -> list[str]:
        text = self.column(condition.column)
        parts = []
        if condition.is_in is not None:
            parts.append(f"{text} IN ({', '.join(map(literal, condition.is_in))})")
        if condition.matches is not None:
            parts.append(f"regexp_matches({text}, {literal(condition.matches)})")
        if condition.empty is not None:
            parts.append(f"{text} IS {'' if condition.empty else 'NOT '}NULL")
        number = convert(text, TEXT, LINE, self.styles).value
        if condition.below is not None:
            parts.append(f"{number} < {number_literal(condition.below)}")
        if condition.above is not None:
            parts.append(f"{number} > {number_literal(condition.above)}")
        return parts


def number_literal(number: Decimal) -> str:
    """Give SQL for an exact number of at most six decimals."""
    return f"CAST('{number:f}' AS {SQL_DECIMAL})"


def map_file(
    profile: Profile, staged: Staged, log: FindingLog, *, release: bool = False, repairs: bool = False
) -> Mapping | None:
    """Match a profile to a file; null with a finding for each column that is not there. release: as a reviewer marked it.

    repairs: as in Mapping.
    """
    missing = [(c, where) for c, where in profile.source_columns().items() if staged.position(c) is None]
    for column, where in missing:
        log.add(
            "missing_column",
            f"The file has no column {column!r}, which the profile reads ({where}). It has:"
            f" {', '.join(staged.columns)}. Use the profile"
            " of this source, or correct it.",
            row=1,
            column=column,
        )
    if release and "_release" not in staged.columns:
        log.add(
            "nothing_to_release",
            "Rows are released in a file of rejects, which has a column _release; this file has none. Nothing was loaded.",
            row=1,
        )
    if missing or (release and "_release" not in staged.columns):
        return None
    _tell_unused(profile, staged, log)
    styles = Styles(profile.numbers.style(), profile.dates.style())
    there = {
        name: field
        for name, field in profile.fields.items()
        if not (field.optional and field.column and staged.position(field.column) is None)
    }
    plain = {name: _map_field(name, field, staged, styles) for name, field in there.items() if not field.multiply}
    fields = tuple(plain.get(name) or _map_product(name, field, plain) for name, field in there.items())
    mapping = Mapping(profile, staged, styles, fields, repairs=repairs)
    return replace(mapping, release=f"lower({mapping.column('_release')})") if release else mapping


def _tell_unused(profile: Profile, staged: Staged, log: FindingLog) -> None:
    used = {c.casefold() for c in profile.source_columns()} | {
        f.column.casefold() for f in profile.fields.values() if f.column
    }
    unused = [name for name in staged.columns if name.casefold() not in used and name not in REJECT_COLUMNS]
    if unused:
        log.add(
            "columns_not_loaded",
            f"The profile does not load: {', '.join(unused)}. Add them to its fields if rules or people need them.",
            severity="info",
        )


def _map_field(name: str, field: FieldMap, staged: Staged, styles: Styles) -> MappedField:
    declared = LINES.get(name)
    target = declared.type if declared else FIELD_TYPES[field.type]
    required = declared is not None and not declared.nullable
    if field.constant is not None:
        text = literal(field.constant)
        conversion = _in_words(name, convert(text, PLAIN, target, styles))
        return MappedField(name, target, text, conversion.value, conversion.reason, required, None)
    assert field.column is not None
    at = staged.position(field.column)
    assert at is not None
    header = staged.columns[at]
    stored = staged.types[at]
    if stored != TEXT and stored == SQL_TYPES[target] and _is_plain(field):
        conversion = convert(f"_c{at}", stored, target, styles)
        return MappedField(
            name, target, as_sql_text(f"_c{at}", stored), conversion.value, conversion.reason, required, header
        )
    stated = quote(f"_stated_{name}")
    if field.dates or field.numbers:
        styles = Styles(
            field.numbers.style() if field.numbers else styles.number,
            field.dates.style() if field.dates else styles.date,
        )
    conversion = _in_words(name, _convert(stated, stored, field, target, styles))
    return MappedField(
        name, target, stated, conversion.read, conversion.reason, required, header,
        text=_clean(as_sql_text(f"_c{at}", stored), field), excused=field.unmapped == "null", within=conversion.within,
    )  # fmt: skip


def _map_product(name: str, field: FieldMap, plain: MappingOf[str, MappedField]) -> MappedField:
    assert field.multiply is not None
    declared = LINES.get(name)
    # Null where a factor is missing, so that what is missing is told from what is too large.
    stated = " || ' × ' || ".join(f"({plain[factor].stated})" for factor in field.multiply)
    required = declared is not None and not declared.nullable
    return MappedField(name, LINE, stated, "NULL", "'number_out_of_range'", required, None, field.multiply)


def _is_plain(field: FieldMap) -> bool:
    return field.model_copy(update={"column": None, "type": "text"}) == FieldMap.model_construct()


def _clean(text: str, field: FieldMap) -> str:
    text = f"nullif(trim({text}), '')"
    for null in field.nulls:
        text = f"nullif({text}, {literal(null)})"
    if field.extract:
        text = f"nullif(regexp_extract({text}, {literal(field.extract)}, 1), '')"
    if field.strip_prefix:
        prefix = literal(field.strip_prefix)
        text = f"CASE WHEN starts_with({text}, {prefix}) THEN substr({text}, {len(field.strip_prefix) + 1}) ELSE {text} END"
    if field.strip_suffix:
        suffix = literal(field.strip_suffix)
        text = f"CASE WHEN ends_with({text}, {suffix}) THEN left({text}, -{len(field.strip_suffix)}) ELSE {text} END"
    if field.case:
        text = f"{field.case}({text})"
    if field.default is not None:
        text = f"coalesce({text}, {literal(field.default)})"
    return text


def _convert(stated: str, stored: str, field: FieldMap, target: pa.DataType, styles: Styles) -> Conversion:
    if field.values is None:
        # What comes last in `_clean` may leave blanks at the ends, or bring them.
        trimmed = not any((field.extract, field.strip_prefix, field.strip_suffix, field.default))
        return convert(stated, PLAIN if stored != TEXT else TEXT, target, styles, trimmed=trimmed)
    cases = " ".join(f"WHEN {literal(theirs)} THEN {literal(ours)}" for theirs, ours in field.values.items())
    kept = {"reject": "NULL", "keep": stated, "null": "NULL"}[field.unmapped]
    mapped = f"CASE {stated} {cases} ELSE {kept} END"
    conversion = convert(mapped, TEXT, target, styles)
    if field.unmapped == "keep":
        return conversion
    refused = "'unmapped_value'" if field.unmapped == "reject" else "''"
    reason = f"CASE WHEN {mapped} IS NULL THEN {refused} ELSE {conversion.reason} END"
    return Conversion(conversion.value, reason)


def _in_words(name: str, conversion: Conversion) -> Conversion:
    """Let kind, stage and currency be nothing but the words that they may be."""
    value = conversion.value
    tests = {
        "kind": (f"{value} IN ({', '.join(map(literal, Kind))})", "unknown_kind"),
        "stage": (f"{value} IN ({', '.join(map(literal, Stage))})", "unknown_stage"),
        "currency": (f"regexp_full_match({value}, '{CURRENCY}')", "bad_currency"),
    }
    if name not in tests:
        return conversion
    test, code = tests[name]
    reason = f"CASE WHEN {value} IS NULL THEN {conversion.reason} ELSE '{code}' END"
    return Conversion(f"CASE WHEN {test} THEN {value} END", reason)


def read_lines(con: duckdb.DuckDBPyConnection, mapping: Mapping, base: str) -> None:
    """Make the table `lines_read`: one row per record, all fields typed (null where faulty), and whether any is faulty (_bad).

    `base` is SQL for the identity that the source gives, which becomes `_base`. `_quantity` and `_amount` are as the source
    wrote them, before signs are turned: control totals are sums of these.
    """
    sign = _sign(mapping)
    outer = ", ".join(_signed(f, sign) for f in mapping.fields if f.name not in ("kind", "stage"))
    stage = "stage" if mapping.has("stage") else literal(Stage.SELL_THROUGH)
    bad = " OR ".join(fails(field) for field in mapping.fields)
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE lines_read AS
        SELECT {ROW}, {outer}, _kind AS kind, {stage} AS stage, quantity AS _quantity, amount AS _amount,
               {bad} AS _bad, {base} AS _base
        FROM {typed(mapping, "raw")}"""
    )


def typed(mapping: Mapping, source: str) -> str:
    """Give SQL for records with all fields typed beside the raw columns; `_kind` is the kind that the profile's rules give.

    The texts come first, in a step of their own: a value names its text up to ten times, and the plan grows with every name.
    """
    plain = [field for field in mapping.fields if field.factors is None]
    computed = [field for field in mapping.fields if field.factors is not None]
    texts = "".join(f", {field.text} AS {field.stated}" for field in plain if field.text is not None)
    inner = ", ".join(f"CAST({f.value} AS {SQL_TYPES[f.type]}) AS {quote(f.name)}" for f in plain)
    middle = "".join(f", {_product(f)} AS {quote(f.name)}" for f in computed)
    dates = ", ".join(f"{inside(quote(f.name), f.within)} AS {quote(f.name)}" for f in plain if f.within)
    replaced = f" REPLACE ({dates})" if dates else ""
    typed_rows = f"(SELECT *{replaced}{middle} FROM (SELECT *, {inner} FROM (SELECT *{texts} FROM {source})))"
    return f"(SELECT *, {_kind(mapping)} AS _kind FROM {typed_rows})"


def fails(field: MappedField) -> str:
    """Give SQL for whether a field of a row is faulty."""
    value = quote(field.name)
    if field.factors is not None:
        factors = " AND ".join(f"{quote(name)} IS NOT NULL" for name in field.factors)
        missing = f"{field.stated} IS NULL OR " if field.required else ""
        # A factor that cannot be read is a fault of its own.
        return f"CASE WHEN {value} IS NULL THEN {missing}({factors}) ELSE false END"
    if field.required:
        return f"({value} IS NULL)"
    if field.type == pa.string() and field.reason == "'bad_text'":
        return "false"
    reason = f" AND {field.reason} <> ''" if field.excused else ""
    # A CASE, because it looks at the text only where there is no value: AND would do so for every row.
    return f"CASE WHEN {value} IS NULL THEN {field.stated} IS NOT NULL{reason} ELSE false END"


def _product(field: MappedField) -> str:
    assert field.factors is not None
    left, right = (f"CAST({quote(name)} AS DECIMAL(19,6))" for name in field.factors)
    return f"TRY_CAST(round({left} * {right}, 6) AS {SQL_DECIMAL})"


def _kind(mapping: Mapping) -> str:
    base = "kind" if mapping.has("kind") else literal(Kind.SALE)
    cases = " ".join(f"WHEN {mapping.condition(rule.when)} THEN {literal(rule.kind)}" for rule in mapping.profile.kinds)
    kind = f"CASE {cases} ELSE {base} END" if cases else base
    if mapping.profile.negative_is_return:
        negative = "quantity < 0 OR (quantity = 0 AND amount < 0)"
        kind = (
            f"CASE WHEN {kind} = 'sale' AND ({negative}) THEN 'return'"
            f" WHEN {kind} = 'purchase' AND ({negative}) THEN 'purchase_return' ELSE {kind} END"
        )
    return kind


def _sign(mapping: Mapping) -> str | None:
    return {"negative_in_source": None, "positive_in_source": "-{0}", "any_sign": "-abs({0})"}[mapping.profile.returns]


def _signed(field: MappedField, sign: str | None) -> str:
    name = quote(field.name)
    if sign is None or field.name not in SIGNED:
        return name
    returned = " OR ".join(f"_kind = {literal(kind)}" for kind in RETURNS)
    return f"CASE WHEN {returned} THEN {sign.format(name)} ELSE {name} END AS {name}"

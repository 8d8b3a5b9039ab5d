"""A profile: one reviewable document that says how a source's files become activity lines.

Nothing about a source is guessed while loading: what a profile does not state is refused. `headrace.intake.suggest` proposes a
profile from a file; a person decides what it cannot know.
"""

import datetime as dt
import re
from decimal import Decimal
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import duckdb
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from headrace.engine.findings import Finding, Refusal
from headrace.engine.schema import LINES, Kind
from headrace.intake.conversion import EARLIEST_ON, LATEST_ON, DateStyle, NumberStyle

DOCUMENT_CHARACTERS_MAX = 200_000
DECIMALS = frozenset({"quantity", "amount", "gross_amount", "unit_price", "cost"})
# What a field may be called: it becomes a column of the lake, and a word in rules.
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


def _text(value: object) -> object:
    """Take a YAML number or truth value for the text that it was written as, where text is meant."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float | Decimal | dt.date) else value


type Text = Annotated[str, BeforeValidator(_text)]
type Exact = Annotated[Decimal, BeforeValidator(lambda value: str(value) if isinstance(value, float) else value)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileForm(_Model):
    """How the file is written; what is absent is found out from the file."""

    encoding: str | None = None
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    header_row: Annotated[int, Field(ge=1)] | None = None
    sheet: str | None = None


class Dates(_Model):
    """How dates are written. `format` (strptime) overrides the order. A year outside earliest to latest is a fault."""

    order: Literal["ymd", "dmy", "mdy", "yyyymmdd"]
    format: str | None = None
    earliest: dt.date = EARLIEST_ON
    latest: dt.date = LATEST_ON

    def style(self) -> DateStyle:
        """Give the style for conversion."""
        return DateStyle(
            order=self.order,
            format=self.format,
            earliest=self.earliest,
            latest=self.latest,
            lenient_iso=self.order == "ymd",
        )


class Numbers(_Model):
    """How numbers are written. `strip` names marks to drop (a currency sign); `excess` says what more than six decimals are."""

    decimal: Literal[".", ","] = "."
    thousands: Literal["", ",", ".", " ", "'", "’"] = ""
    negative: Literal["minus", "parentheses", "trailing_minus"] = "minus"
    strip: tuple[str, ...] = ()
    excess: Literal["reject", "round"] = "reject"

    @model_validator(mode="after")
    def _marks_differ(self) -> Self:
        if self.decimal == self.thousands:
            raise ValueError("decimal and thousands cannot be the same mark; state both as the source writes them")
        return self

    def style(self) -> NumberStyle:
        """Give the style for conversion."""
        return NumberStyle(**self.model_dump())


class FieldMap(_Model):
    """Where one field of a line comes from: a column, a constant, or a product of two other fields.

    In order: the column's text is trimmed, `nulls` become null, `extract` keeps the group of a pattern, prefix and suffix are
    dropped, case is changed, `values` are mapped, and `default` fills what is then null. An `optional` column may be absent.
    """

    column: str | None = None
    constant: Text | None = None
    multiply: tuple[str, str] | None = None
    optional: bool = False
    type: Literal["text", "decimal", "date", "boolean"] = "text"
    nulls: tuple[Text, ...] = ()
    extract: str | None = None
    strip_prefix: str | None = None
    strip_suffix: str | None = None
    case: Literal["upper", "lower"] | None = None
    values: dict[Text, Text] | None = None
    unmapped: Literal["reject", "keep", "null"] = "reject"
    default: Text | None = None
    dates: Dates | None = None
    numbers: Numbers | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: Any) -> Any:
        return {"column": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.optional and self.column is None:
            raise ValueError("only a column can be optional")
        if sum(source is not None for source in (self.column, self.constant, self.multiply)) != 1:
            raise ValueError("give exactly one of column, constant, multiply")
        if self.extract is not None:
            _check_pattern(self.extract, groups=1)
        return self


class Condition(_Model):
    """What a row of the source must be like; all that is given must hold. A column that is empty fails all but `empty`."""

    column: str
    is_in: Annotated[tuple[Text, ...] | None, Field(alias="in")] = None
    matches: str | None = None
    empty: bool | None = None
    below: Exact | None = None
    above: Exact | None = None

    @model_validator(mode="after")
    def _something_is_asked(self) -> Self:
        if all(part is None for part in (self.is_in, self.matches, self.empty, self.below, self.above)):
            raise ValueError("give at least one of in, matches, empty, below, above")
        if self.matches is not None:
            _check_pattern(self.matches, groups=None)
        return self


class KindRule(_Model):
    """Rows that meet all conditions are of this kind; the first rule that fits wins."""

    when: Annotated[tuple[Condition, ...], Field(min_length=1)]
    kind: Kind


class RowRule(_Model):
    """Rows that meet all conditions are held for a decision, or rejected, with a reason."""

    when: Annotated[tuple[Condition, ...], Field(min_length=1)]
    do: Literal["hold", "reject"]
    code: Annotated[str, Field(pattern=_NAME.pattern)]
    because: str


class LineKey(_Model):
    """The columns that tell lines of this source apart; `content: true` adds what the mapped columns hold.

    line_id is then source:values, with the occurrence number (#2, #3, …) among equal rows. Not used where `line_id` is mapped.
    """

    columns: tuple[str, ...] = ()
    content: bool = False

    @model_validator(mode="after")
    def _something_tells_apart(self) -> Self:
        if not self.columns and not self.content:
            raise ValueError("give columns, or content: true where the source has no line number")
        return self


class PriceCheck(_Model):
    """Compare a unit price with a price of the product: between at_least and at_most times the listed price.

    `unit` is a field, or null for amount ÷ quantity (compared by multiplying). Products without that price are not compared.
    """

    list_price: str
    unit: str | None = None
    at_least: Exact
    at_most: Exact
    do: Literal["hold", "reject", "warn"] = "reject"


class Agreement(_Model):
    """Columns of the source that must agree: two dates or numbers that are equal, or a product that equals a third column."""

    equal: tuple[str, str] | None = None
    as_type: Literal["text", "date", "decimal"] = "text"
    dates: tuple[Dates, Dates] | None = None
    product: tuple[str, str, str] | None = None
    tolerance: Exact = Decimal(0)
    do: Literal["hold", "reject", "warn"] = "reject"

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.equal is None) == (self.product is None):
            raise ValueError("give either equal: [a, b] or product: [a, b, a×b]")
        return self


class Units(_Model):
    """Units of measure: how many base units one unit is, for all products or per product. Quantities load in the base unit."""

    base: str
    factors: dict[str, Exact]
    per_product: dict[Text, dict[str, Exact]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _factors_are_positive(self) -> Self:
        tables = [self.factors, *self.per_product.values()]
        if any(
            factor <= 0 or factor != round(factor, 6) or factor >= 10**6
            for table in tables
            for factor in table.values()
        ):
            raise ValueError("a factor is a positive number below 1,000,000 with at most six decimals")
        if self.factors.get(self.base, Decimal(1)) != 1:
            raise ValueError(f"the factor of the base unit {self.base} is 1")
        return self


class ControlTotals(_Model):
    """What the sender says the file holds; sums over all received rows, as written. A difference loads nothing."""

    rows: int | None = None
    quantity: Exact | None = None
    amount: Exact | None = None


class Mode(_Model):
    """How a file meets what was loaded before.

    add: new lines only; a line that is there already is rejected. replace: the file is the whole truth of (reporter, period).
    changes: a line that is there already is corrected by a reversal and a new line.
    """

    kind: Literal["add", "replace", "changes"] = "add"
    shrinkage_max: Annotated[Exact, Field(ge=0, le=1)] = Decimal("0.2")

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: Any) -> Any:
        return {"kind": value} if isinstance(value, str) else value


class Profile(_Model):
    """How the files of one source become activity lines. One document, kept under version control.

    `personal` names groups of fields that describe a person; in the lines each group is replaced by one column with a key.
    """

    profile: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    name: str
    source: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,30}$")] | None = None
    notes: str | None = None
    file: FileForm = FileForm()
    dates: Dates
    numbers: Numbers = Numbers()
    fields: dict[str, FieldMap]
    kinds: tuple[KindRule, ...] = ()
    returns: Literal["negative_in_source", "positive_in_source", "any_sign"] = "negative_in_source"
    negative_is_return: bool = False
    rows: tuple[RowRule, ...] = ()
    line_key: LineKey | None = None
    duplicates: Literal["load", "hold", "reject"] = "load"
    suspects: tuple[str, ...] = ()
    mode: Mode = Mode()
    units: Units | None = None
    currencies: tuple[Annotated[str, Field(pattern="^[A-Z]{3}$")], ...] = ()
    require_known: tuple[Literal["partner", "product", "buyer", "customer"], ...] = ()
    price: PriceCheck | None = None
    agreements: tuple[Agreement, ...] = ()
    personal: dict[Annotated[str, Field(pattern=_NAME.pattern)], Annotated[tuple[str, ...], Field(min_length=1)]] = (
        Field(default_factory=dict)
    )
    control_totals: ControlTotals | None = None
    quarantine_above: Annotated[Exact, Field(ge=0, le=1)] | None = None

    @model_validator(mode="after")
    def _fields_fit_together(self) -> Self:
        wrong = [name for name in self.fields if not _NAME.fullmatch(name)]
        if wrong:
            raise ValueError(f"field names are lower case letters, digits and _: {', '.join(wrong)}")
        missing = [n for n in ("occurred_on", "quantity", "amount", "currency") if n not in self.fields]
        if missing:
            raise ValueError(f"every line needs {', '.join(missing)}: map a column, or give a constant")
        if "line_id" not in self.fields and (self.line_key is None or self.source is None):
            raise ValueError("lines need an identity: map line_id, or give source and line_key")
        for name, field in self.fields.items():
            for factor in field.multiply or ():
                if factor not in self.fields or self.fields[factor].multiply or self.fields[factor].optional:
                    raise ValueError(f"{name}: multiply names {factor}, which is no mapped column that is always there")
        for listed, names in (("suspects", self.suspects), ("personal", self.personal_fields())):
            unknown = [name for name in names if name not in self.fields]
            if unknown:
                raise ValueError(f"{listed} names {', '.join(unknown)}, which are no fields of this profile")
        if self.mode.kind == "replace" and "reporter_id" not in self.fields:
            raise ValueError(
                "mode replace needs reporter_id: whose lines does a file replace? Map a column or give a constant"
            )
        if set(self.personal_fields()) & set(LINES):
            raise ValueError("a personal field cannot be a declared column of lines; give it a name of its own")
        return self

    def personal_fields(self) -> list[str]:
        """List the fields that are kept apart from the lines, under the keys that `personal` names."""
        return [name for group in self.personal.values() for name in group]

    def source_columns(self) -> dict[str, str]:
        """Give every column of the source that the profile reads and cannot do without, with the place that names it."""
        named = {f.column: f"fields.{name}" for name, f in self.fields.items() if f.column and not f.optional}
        conditions = [c for kind in self.kinds for c in kind.when] + [c for row in self.rows for c in row.when]
        named |= {condition.column: "when" for condition in conditions if condition.column not in named}
        named |= {
            column: "line_key" for column in (self.line_key.columns if self.line_key else ()) if column not in named
        }
        for agreement in self.agreements:
            named |= {c: "agreements" for c in (agreement.equal or agreement.product or ()) if c not in named}
        return named


@cache
def _reader() -> duckdb.DuckDBPyConnection:
    """Open the database whose patterns these are; once, for it takes longer than all the rest of a profile."""
    return duckdb.connect()


def _check_pattern(pattern: str, *, groups: int | None) -> None:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
    try:
        _reader().cursor().execute("SELECT regexp_matches('', ?)", [pattern]).fetchall()
    except duckdb.Error as error:
        raise ValueError(f"{pattern!r} uses what the reader does not know (look-ahead, back reference)") from error
    if groups is not None and compiled.groups != groups:
        raise ValueError(f"{pattern!r} must have exactly {groups} group in parentheses")


def builtin_profiles() -> list[str]:
    """List the names of the profiles that come with Headrace."""
    folder = resources.files("headrace.intake") / "profiles"
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def load_profile(named: str | Path) -> Profile:
    """Load a profile by the name of a built-in one or from a file. Raises Refusal with one finding for each fault."""
    if isinstance(named, str) and named in builtin_profiles():
        text = (resources.files("headrace.intake") / "profiles" / f"{named}.yaml").read_text("utf-8")
        return parse_profile(text, file=named)
    path = Path(named)
    try:
        return parse_profile(path.read_text("utf-8"), file=str(path))
    except (OSError, UnicodeError) as error:
        known = ", ".join(builtin_profiles())
        raise Refusal(
            "profile_not_found", f"There is no profile {str(named)!r}: give a file, or one of {known}. ({error})"
        ) from error


def parse_profile(text: str, *, file: str | None = None) -> Profile:
    """Read a profile from YAML or JSON text. Raises Refusal with one finding for each fault."""
    if len(text) > DOCUMENT_CHARACTERS_MAX:
        raise Refusal(
            "bad_profile", f"The profile is longer than {DOCUMENT_CHARACTERS_MAX:,} characters and was not read."
        )
    yaml = YAML(typ="rt", pure=True)
    try:
        if "*" in text and any(type(event).__name__ == "AliasEvent" for event in yaml.parse(text)):
            raise Refusal("bad_profile", "The profile uses YAML aliases (*name). Write the values out.")
        document = YAML(typ="rt", pure=True).load(text)
    except (YAMLError, ValueError, RecursionError) as error:
        raise Refusal("bad_profile", f"The profile is no valid YAML: {error}") from error
    if not isinstance(document, dict):
        raise Refusal("bad_profile", "A profile is a mapping that begins with `profile:` and its name.")
    try:
        return Profile.model_validate(_plain(document))
    except ValidationError as error:
        findings = tuple(_finding(fault, document, file) for fault in error.errors())
        listed = "; ".join(f"{finding.column}: {finding.message}" for finding in findings[:10])
        raise Refusal("bad_profile", f"The profile has {len(findings)} faults: {listed}", findings=findings) from error


def _plain(node: Any) -> Any:
    """Turn YAML nodes into plain values; numbers with a fraction stay exact text."""
    if isinstance(node, dict):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value) for value in node]
    return str(node) if isinstance(node, float) else node


def _finding(fault: Any, document: Any, file: str | None) -> Finding:
    path = [part for part in fault["loc"] if not (isinstance(part, str) and part.startswith("function-"))]
    node, line = document, None
    for part in path:
        marks = getattr(node, "lc", None)
        try:
            if marks is not None:
                line = (marks.key(part) if isinstance(node, dict) else marks.item(part))[0] + 1
            node = node[part]
        except (KeyError, IndexError, TypeError):
            break
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        message = "no such key here; look at the spelling and the indentation"
    return Finding(code="bad_profile", message=message, file=file, row=line, column=".".join(map(str, path)) or None)

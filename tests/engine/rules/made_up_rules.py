"""Declared columns, records with every awkward value, and random rules over them."""

import random
from datetime import date
from decimal import Decimal

import pyarrow as pa
from hypothesis import strategies as st

from headrace.engine.rules import Columns, ColumnType, Rule
from headrace.engine.rules.build import like_parts
from headrace.engine.rules.tree import (
    Always,
    And,
    Arithmetic,
    Between,
    Boolean,
    Column,
    Comparator,
    Comparison,
    Condition,
    Constant,
    Date,
    Holds,
    In,
    IsNull,
    IsTruth,
    Like,
    Not,
    Number,
    Or,
    Sign,
    Text,
    Value,
    common_digits,
    digits,
    joined,
)

COLUMNS: Columns = {
    "line.quantity": ColumnType.DECIMAL,
    "line.amount": ColumnType.DECIMAL,
    "line.gross_amount": ColumnType.DECIMAL,
    "line.internal": ColumnType.BOOLEAN,
    "line.occurred_on": ColumnType.DATE,
    'line.Ship-to "city"': ColumnType.TEXT,
    "partner.region": ColumnType.TEXT,
    "partner.level": ColumnType.TEXT,
    "partner.certified": ColumnType.BOOLEAN,
    "partner.since": ColumnType.DATE,
    "partner.credit_limit": ColumnType.DECIMAL,
    "product.family": ColumnType.TEXT,
    "product.name": ColumnType.TEXT,
    "product.list_price": ColumnType.DECIMAL,
    "buyer.region": ColumnType.TEXT,
}
ARROW_TYPES = {
    ColumnType.TEXT: pa.string(),
    ColumnType.DECIMAL: pa.decimal128(18, 6),
    ColumnType.DATE: pa.date32(),
    ColumnType.BOOLEAN: pa.bool_(),
}
LARGEST = Decimal("999999999999.999999")
POOLS: dict[ColumnType, list[object]] = {
    ColumnType.TEXT: [
        *("", " ", "gold", "Gold", "gold ", "platinum", "EMEA", "it's", "100%", "a_b", "axb", "\\", "a\\b", "%", "_"),
        *(
            "é",
            "e\u0301",
            "😀",
            "${HOME}",
            "${spark.app.name}",
            "Road-150",
            "road",
            "ß",
            "\ufb00",
            "zz",
            "a%_b",
            "-- x",
        ),
    ],
    ColumnType.DECIMAL: [
        *map(Decimal, ("0", "1", "5", "-5", "0.8", "0.000001", "-0.000001", "100", "99.999999", "2.5", "1000000")),
        *(LARGEST, -LARGEST),
    ],
    ColumnType.DATE: [date(2026, 7, 1), date(2026, 8, 31), date(2024, 2, 29), date(1, 1, 1), date(9999, 12, 31)],
    ColumnType.BOOLEAN: [True, False],
}


def made_up_records(count: int = 120) -> list[dict[str, object]]:
    """Make records whose columns hold awkward values, a quarter of them null."""
    dice = random.Random(20260731)
    return [
        {name: None if dice.random() < 0.25 else dice.choice(POOLS[kind]) for name, kind in COLUMNS.items()}
        for _ in range(count)
    ]


def as_table(records: list[dict[str, object]]) -> pa.Table:
    """Put records into a table, numbered."""
    schema = pa.schema([("number", pa.int64()), *((name, ARROW_TYPES[kind]) for name, kind in COLUMNS.items())])
    return pa.Table.from_pylist([{"number": at, **record} for at, record in enumerate(records)], schema=schema)


def spelled(name: str, quote: str = '"') -> str:
    """Spell a declared column of that table."""
    return quote + name.replace(quote, quote * 2) + quote


def _columns(kind: ColumnType) -> st.SearchStrategy[Column]:
    return st.sampled_from([Column(name, kind) for name, each in COLUMNS.items() if each is kind])


def _numbers() -> st.SearchStrategy[Number]:
    common = st.sampled_from([number for number in POOLS[ColumnType.DECIMAL] if isinstance(number, Decimal)])
    any_other = st.decimals(-LARGEST, LARGEST, places=6)
    return (common | any_other).map(lambda number: Number(_plain(number)))


def _plain(number: Decimal) -> Decimal:
    return Decimal(f"{number.normalize():f}") if number else Decimal(0)


def _texts() -> st.SearchStrategy[str]:
    common = st.sampled_from([text for text in POOLS[ColumnType.TEXT] if isinstance(text, str)])
    return common | st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"]), max_size=6)


def _constants(kind: ColumnType) -> st.SearchStrategy[Constant]:
    dates = st.sampled_from([day for day in POOLS[ColumnType.DATE] if isinstance(day, date)]) | st.dates()
    by_kind: dict[ColumnType, st.SearchStrategy[Constant]] = {
        ColumnType.TEXT: _texts().map(Text),
        ColumnType.DECIMAL: _numbers(),
        ColumnType.DATE: dates.map(Date),
        ColumnType.BOOLEAN: st.booleans().map(Boolean),
    }
    return by_kind[kind]


def _calculations() -> st.SearchStrategy[Value]:
    leaves: st.SearchStrategy[Value] = _columns(ColumnType.DECIMAL) | _numbers()
    signs: st.SearchStrategy[Sign] = st.sampled_from(["+", "-", "*"])
    longer = st.recursive(leaves, lambda inner: st.builds(Arithmetic, signs, inner, inner), max_leaves=5)
    return longer.filter(lambda value: all(sum(digits(each)) <= 37 for each in _inside(value)))


def _inside(value: Value) -> list[Value]:
    below = [*_inside(value.left), *_inside(value.right)] if isinstance(value, Arithmetic) else []
    return [value, *below]


def _with_column(value: Value) -> bool:
    return any(isinstance(each, Column) for each in _inside(value))


@st.composite
def _comparisons(draw: st.DrawFn) -> Condition:
    kind = draw(st.sampled_from(ColumnType))
    comparators: list[Comparator] = ["=", "<>"] if kind is ColumnType.BOOLEAN else ["=", "<>", "<", "<=", ">", ">="]
    if kind is ColumnType.DECIMAL and draw(st.booleans()):
        pairs = st.tuples(_calculations().filter(_with_column), _calculations())
        left, right = draw(pairs.filter(lambda pair: sum(common_digits(*pair)) <= 37))
        return Comparison(draw(st.sampled_from(comparators)), left, right)
    return Comparison(draw(st.sampled_from(comparators)), draw(_columns(kind)), draw(_constants(kind) | _columns(kind)))


@st.composite
def _ranges(draw: st.DrawFn) -> Condition:
    kind = draw(st.sampled_from([ColumnType.TEXT, ColumnType.DECIMAL, ColumnType.DATE]))
    plain = _constants(kind) | _columns(kind)
    edges: st.SearchStrategy[Value] = plain if kind is not ColumnType.DECIMAL else plain | _calculations()
    parts = st.tuples(edges, edges, edges).filter(lambda three: any(map(_with_column, three)))
    if kind is ColumnType.DECIMAL:
        parts = parts.filter(lambda three: sum(common_digits(*three)) <= 37)
    return Between(*draw(parts), negated=draw(st.booleans()))


@st.composite
def _lists(draw: st.DrawFn) -> Condition:
    kind = draw(st.sampled_from(ColumnType))
    options = draw(st.lists(_constants(kind), min_size=1, max_size=4))
    return In(draw(_columns(kind)), tuple(options), draw(st.booleans()))


@st.composite
def _patterns(draw: st.DrawFn) -> Condition:
    alphabet = st.sampled_from([*"abod%_%_\\!'", "é", "😀"])
    pattern = draw(st.text(alphabet, max_size=7) | _texts())
    escape = draw(st.sampled_from([None, None, "\\", "!", "'", "a"]))
    parts = like_parts(pattern, escape)
    if parts is None or sum(part is None for part in parts) > 4:
        pattern = "%o%d"
    return Like(draw(_columns(ColumnType.TEXT)), pattern, escape, draw(st.booleans()))


def _leaves() -> st.SearchStrategy[Condition]:
    anything = st.sampled_from([Column(name, kind) for name, kind in COLUMNS.items()])
    flags = _columns(ColumnType.BOOLEAN)
    return st.one_of(
        _comparisons(),
        _ranges(),
        _lists(),
        _patterns(),
        st.builds(IsNull, anything, st.booleans()),
        st.builds(IsTruth, flags, st.booleans(), st.booleans()),
        st.builds(Holds, flags),
        st.builds(Always, st.booleans()),
    )


def _groups(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    several = st.lists(inner, min_size=2, max_size=4)
    return st.one_of(
        st.builds(lambda parts: joined(And, parts), several),
        st.builds(lambda parts: joined(Or, parts), several),
        st.builds(Not, inner),
    )


def rules() -> st.SearchStrategy[Rule]:
    """Any rule over COLUMNS."""
    return st.recursive(_leaves(), _groups, max_leaves=8).map(Rule)

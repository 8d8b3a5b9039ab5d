"""What scopes are made of: each word of `per` as a small integer, each scope as one integer, and back to text.

A scope's number is its program's offset plus its period and words in mixed radix, so equal scopes have equal numbers and no
dictionary of scopes is needed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from headrace.engine.book import Book, Shape
from headrace.engine.session import Session, name, text

_LINE_COLUMNS: Mapping[str, str] = {
    "product": "product_id",
    "customer": "customer_id",
    "deal": "deal_id",
    "authorization": "authorization_id",
    "line": "line_id",
}
# Words whose values are ids of partners or persons; they share the one dictionary `ids`.
ID_WORDS = ("earner", "group", "buyer", "rep")
_BIGINT_MAX = 2**62


@dataclass(frozen=True, slots=True)
class Word:
    """One word: how many values it has, and the dictionary table (no, value) that lists them."""

    word: str
    size: int
    table: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scopes:
    """How every shape's scopes are numbered: shape n has the numbers from its offset n × span on."""

    words: Mapping[str, Word]
    offsets: tuple[int, ...]
    span: int
    periods: int
    type: str

    def number(self, per: Sequence[str], period: str, values: Mapping[str, str], offset: str) -> str:
        """Write the number of a scope from SQL for its period, its words and its program's offset; null where any is."""
        expression = f"CAST({period} AS {self.type})"
        for word in per:
            expression = f"({expression} * {self.words[word].size} + {values[word]})"
        return expression if offset == "0" else f"({expression} + CAST({offset} AS {self.type}))"


def line_column(word: str) -> str | None:
    """Give the column of the lines that a word reads, if it does read one."""
    if word in _LINE_COLUMNS:
        return _LINE_COLUMNS[word]
    return word.partition(".")[2] if word.startswith("line.") else None


def is_word(column: str) -> bool:
    """Tell whether a column of targets, forecasts or postings is named by a word of scopes."""
    return column in {*_LINE_COLUMNS, *ID_WORDS, "family"} or column.startswith(("line.", "product."))


def product_column(word: str) -> str | None:
    """Give the column of the products that a word reads, if it does read one."""
    if word == "family":
        return "family"
    return word.partition(".")[2] if word.startswith("product.") else None


def make_scopes(
    session: Session,
    book: Book,
    ids: int,
    periods: int,
    line_columns: Mapping[str, str],
    relations: Sequence[str] = ("base",),
) -> Scopes:
    """Make the dictionaries of the words in use and give every shape its range of numbers.

    line_columns: for a column of the lines, how `base` spells it. relations: where lines are looked up.
    """
    words: dict[str, Word] = {}
    for index, word in enumerate(book.words):
        if word in ID_WORDS:
            words[word] = Word(word, max(ids, 1), "ids")
            continue
        table = f"words_{index}"
        column = line_column(word)
        if column is not None:
            spelled = f"CAST({line_columns[column]} AS VARCHAR) AS value"
            values = " UNION ".join(f"SELECT DISTINCT {spelled} FROM {relation}" for relation in relations)
        else:
            values = f"SELECT DISTINCT CAST({name(f'c_{product_column(word)}')} AS VARCHAR) AS value FROM product_rows"
        session.table(
            table,
            f"SELECT CAST(row_number() OVER () - 1 AS BIGINT) AS no, value FROM ({values}) WHERE value IS NOT NULL",
        )
        words[word] = Word(word, max(1, int(str(session.rows(f"SELECT count(*) FROM {table}")[0][0]))), table)
    span = max((_span(shape, words, periods) for shape in book.shapes), default=1)
    offsets = tuple(shape.number * span for shape in book.shapes)
    kind = "BIGINT" if len(offsets) * span < _BIGINT_MAX else "HUGEINT"
    return Scopes(words=words, offsets=offsets, span=span, periods=periods, type=kind)


def _span(shape: Shape, words: Mapping[str, Word], periods: int) -> int:
    span = max(periods, 1)
    for word in shape.per:
        span *= words[word].size
    return span


def decode_scopes(session: Session, scopes: Scopes, shapes: Sequence[Shape], source: str, target: str) -> None:
    """Make a table (s, scope, period) from the distinct numbers in `source`: the scope as JSON text, and its period's number.

    Programs whose scopes are made of the same words differ only in where their numbers start, which is data.
    """
    kinds = sorted({shape.per for shape in shapes})
    columns = {
        "shape": pa.array([shape.number for shape in shapes], pa.int32()),
        "kind": pa.array([kinds.index(shape.per) for shape in shapes], pa.int32()),
    }
    session.put("shape_kinds", pa.table(columns))
    session.table("shape_scopes", f"SELECT DISTINCT s FROM {source}")
    parts: list[str] = []
    for kind, per in enumerate(kinds):
        rest = f"(d.s % {scopes.span})"
        joins = ""
        pieces: list[str] = []
        for index in range(len(per) - 1, -1, -1):
            word = scopes.words[per[index]]
            joins += f" JOIN {word.table} w{index} ON w{index}.no = {rest} % {word.size}"
            key = text(f'"{per[index]}":').replace("\\", "\\\\")
            value = f"w{index}.{'id' if word.table == 'ids' else 'value'}"
            pieces.insert(0, f"{key} || CAST(to_json({value}) AS VARCHAR)")
            rest = f"({rest} // {word.size})"
        json = " || ',' || ".join(pieces) if pieces else "''"
        parts.append(
            f"SELECT d.s, '{{' || {json} || '}}' AS scope, CAST({rest} AS INTEGER) AS period FROM shape_scopes d "
            f"JOIN shape_kinds o ON o.kind = {kind} AND o.shape = d.s // {scopes.span}{joins}"
        )
    session.table(target, " UNION ALL ".join(parts))

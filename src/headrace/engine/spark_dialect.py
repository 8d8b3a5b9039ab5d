"""Carries one statement of the plan from DuckDB's dialect to Spark's, with the same rows to the last digit.

Only what is listed here is carried: a statement with any other construct is refused by name, since a guess could be a wrong
figure. Each construct that the two engines read differently has a rule of its own; what sqlglot writes rightly has none.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

import sqlglot
from sqlglot import exp

from headrace.engine.findings import Refusal
from headrace.engine.spark_numeric import is_share, rewritten, spark_node

# Gives the columns of a relation by its name, in their order.
type ColumnsOf = Callable[[str], Sequence[str]]

_CARRIED = (
    exp.Abs, exp.Add, exp.Alias, exp.And, exp.ArgMax, exp.Between, exp.BitwiseAnd, exp.BitwiseRightShift, exp.Boolean, exp.Case,
    exp.Cast, exp.Coalesce, exp.Column, exp.Count, exp.CTE, exp.DataType, exp.DataTypeParam, exp.Distinct, exp.DPipe,
    exp.EQ, exp.Escape, exp.Exists, exp.Filter, exp.From, exp.GT, exp.GTE, exp.Greatest, exp.Group, exp.GroupConcat, exp.Having,
    exp.Hex, exp.Identifier, exp.If, exp.In, exp.IntDiv, exp.Is, exp.Join, exp.LT, exp.LTE, exp.Lag, exp.Lead, exp.Least,
    exp.Like, exp.Limit, exp.Literal, exp.LogicalAnd, exp.LogicalOr, exp.Max, exp.Min, exp.Mod, exp.Mul, exp.NEQ, exp.Neg,
    exp.Not, exp.Null, exp.Nullif, exp.Or, exp.Order, exp.Ordered, exp.Pad, exp.Paren, exp.RegexpFullMatch, exp.Round,
    exp.RowNumber, exp.Select, exp.Star, exp.Sub, exp.Subquery, exp.Substring, exp.Sum, exp.Table, exp.TableAlias, exp.Tuple,
    exp.Union, exp.Var, exp.Where, exp.Window, exp.WindowSpec, exp.With,
)  # fmt: skip
_HALF_DIGITS = 14  # hexadecimal digits that fit a signed 64-bit number with room to spare


@lru_cache(maxsize=4096)
def read(statement: str) -> exp.Expr:
    """Parse a statement of the plan. What is given is shared: copy it before changing it."""
    return sqlglot.parse_one(statement, read="duckdb")


def relations(tree: exp.Expr) -> frozenset[str]:
    """Name the relations that a statement reads or writes, without those that it makes for itself."""
    own = {cte.alias for cte in tree.find_all(exp.CTE)}
    named = {table.name for table in tree.find_all(exp.Table) if isinstance(table.this, exp.Identifier)}
    return frozenset(named - own)


def carry(query: exp.Expr, columns_of: ColumnsOf) -> str:
    """Write a query in Spark's dialect.

    Raises Refusal for a construct that is not known to give the same rows.
    """
    for node in query.walk():
        if (not isinstance(node, _CARRIED) and not _is_rule_of_its_own(node)) or _is_special(node):
            raise Refusal("spark_cannot", f"The plan uses {_named(node)}, which cannot run on Spark yet; use DuckDB.")
    own = query.copy()
    _replace_stars(own, columns_of)
    _replace_by_name(own, columns_of)
    return rewritten(own, _node).sql(dialect="spark")


def output_columns(query: exp.Expr, columns_of: ColumnsOf) -> list[str]:
    """Name the columns that a query gives, in their order."""
    if isinstance(query, exp.Subquery):
        return output_columns(query.this, columns_of)
    if isinstance(query, exp.SetOperation):
        names = output_columns(query.this, columns_of)
        more = output_columns(query.expression, columns_of) if query.args.get("by_name") else []
        return list(dict.fromkeys([*names, *more]))
    assert isinstance(query, exp.Select), type(query)
    found: list[str] = []
    for item in query.expressions:
        if not item.is_star:
            found.append(item.alias_or_name)
            continue
        star = item if isinstance(item, exp.Star) else item.this
        left_out = {each.name for each in star.args.get("except_") or ()}
        found += [each for each in _star_columns(query, item, columns_of) if each not in left_out]
    return found


def _named(node: exp.Expr) -> str:
    return f"{node.name}()" if isinstance(node, exp.Anonymous) else node.sql(dialect="duckdb")[:80]


def _is_rule_of_its_own(node: exp.Expr) -> bool:
    return isinstance(node, exp.Anonymous) and node.name.lower() in {"to_json", "strlen"}


def _is_special(node: exp.Expr) -> bool:
    """Tell a join or a distinct of a kind of its own, which is written as a word of a construct that is carried."""
    return bool(
        (isinstance(node, exp.Join) and node.args.get("method"))
        or (isinstance(node, exp.Distinct) and node.args.get("on"))
    )


def _replace_stars(tree: exp.Expr, columns_of: ColumnsOf) -> None:
    """Write out every `* REPLACE`, which Spark lacks; innermost first, so that what is around can count on names."""
    for select in reversed(list(tree.find_all(exp.Select))):
        items: list[exp.Expr] = []
        for item in select.expressions:
            star = item.this if isinstance(item, exp.Column) else item
            replaced = star.args.get("replace") if isinstance(star, exp.Star) else None
            if not replaced:
                items.append(item)
                continue
            by_name = {each.alias: each for each in replaced}
            left_out = {each.name for each in star.args.get("except_") or ()}
            table = item.table if isinstance(item, exp.Column) else None
            kept = [each for each in _star_columns(select, item, columns_of) if each not in left_out]
            items += [by_name.get(each) or exp.column(each, table=table or None, quoted=True) for each in kept]
        select.set("expressions", items)


def _replace_by_name(tree: exp.Expr, columns_of: ColumnsOf) -> None:
    """Write out every union by name, which Spark lacks: each side gives all columns in one order, null where it has none."""
    for union in reversed(list(tree.find_all(exp.Union))):
        if not union.args.get("by_name"):
            continue
        names = output_columns(union, columns_of)
        theirs = {key: set(output_columns(union.args[key], columns_of)) for key in ("this", "expression")}
        for key, there in theirs.items():
            items = [
                exp.column(each, quoted=True) if each in there else exp.alias_(exp.Null(), each, quoted=True)
                for each in names
            ]
            side = union.args[key]
            inner = side if isinstance(side, exp.Subquery) else exp.Subquery(this=side)
            inner.set("alias", exp.TableAlias(this=exp.to_identifier("side")))
            union.set(key, exp.select(*items).from_(inner))
        union.set("by_name", None)


def _star_columns(select: exp.Select, item: exp.Expr, columns_of: ColumnsOf) -> list[str]:
    """Name the columns that a star stands for, before anything is left out."""
    wanted = item.table if isinstance(item, exp.Column) else ""
    sources = [select.args["from_"].this, *(join.this for join in select.args.get("joins") or ())]
    chosen = [each for each in sources if not wanted or each.alias_or_name == wanted]
    return [column for source in chosen for column in _source_columns(source, columns_of)]


def _source_columns(source: exp.Expr, columns_of: ColumnsOf) -> list[str]:
    if isinstance(source, exp.Subquery):
        return output_columns(source.this, columns_of)
    above: exp.Expr | None = source
    while above is not None:
        for cte in above.args["with_"].expressions if above.args.get("with_") else ():
            if cte.alias == source.name:
                return output_columns(cte.this, columns_of)
        above = above.parent
    return list(columns_of(source.name))


def _node(node: exp.Expr) -> exp.Expr:  # noqa: PLR0911 (one arm a rule)
    """Give what a construct is on Spark."""
    if isinstance(node, exp.Sub) and _is_epoch(node.expression):
        # The difference of two dates is an interval on Spark.
        return exp.Anonymous(this="unix_date", expressions=[node.this])
    if isinstance(node, exp.ArgMax):
        # DuckDB passes over rows whose value is null.
        return exp.Filter(this=node.copy(), expression=exp.Where(this=node.this.copy().is_(exp.Null()).not_()))
    if isinstance(node, exp.RegexpFullMatch):
        # `$` would let a line break follow.
        pattern = exp.Literal.string(f"\\A(?:{node.expression.name})\\z")
        return exp.RegexpLike(this=node.this, expression=pattern)
    if isinstance(node, exp.Like) and not isinstance(node.parent, exp.Escape) and node.expression.is_string:
        # A backslash in a pattern is an ordinary sign in DuckDB.
        pattern = exp.Literal.string(node.expression.name.replace("\\", "\\\\"))
        return exp.Like(this=node.this, expression=pattern)
    if isinstance(node, exp.Window) and isinstance(node.this, exp.RowNumber) and not node.args.get("order"):
        order = exp.Order(expressions=[exp.Ordered(this=exp.Null(), nulls_first=True)])
        return exp.Window(this=node.this, partition_by=node.args.get("partition_by"), order=order)
    if isinstance(node, exp.Anonymous) and not is_share(node):
        return _function(node)
    if isinstance(node, exp.Cast) and (digits := _hexadecimal(node.this)) is not None:
        return spark_node(exp.cast(_from_hexadecimal(digits), node.to))
    return spark_node(node)


def _is_epoch(node: exp.Expr) -> bool:
    return isinstance(node, exp.Cast) and node.this.name == "1970-01-01" and node.to.this == exp.DType.DATE


def _function(node: exp.Anonymous) -> exp.Expr:
    (value,) = node.expressions
    if node.name.lower() == "strlen":
        return exp.Anonymous(this="octet_length", expressions=[value])
    # Spark writes no single text as JSON, but an array of one.
    array = exp.Anonymous(this="to_json", expressions=[exp.Anonymous(this="array", expressions=[value])])
    return exp.Case(
        ifs=[exp.If(this=value.copy().is_(exp.Null()), true=exp.Null())],
        default=exp.Anonymous(
            this="substring",
            expressions=[
                array,
                exp.Literal.number(2),
                exp.Sub(
                    this=exp.Anonymous(this="char_length", expressions=[array.copy()]), expression=exp.Literal.number(2)
                ),
            ],
        ),
    )


def _hexadecimal(node: exp.Expr) -> exp.Pad | None:
    """Give the padded digits of `'0x' || rpad(…)`."""
    if isinstance(node, exp.DPipe) and node.this.is_string and node.this.name == "0x":
        return node.expression if isinstance(node.expression, exp.Pad) else None
    return None


def _from_hexadecimal(digits: exp.Pad) -> exp.Expr:
    """Write the number that hexadecimal digits spell; in two halves where they are more than 64 bits."""
    width = int(digits.expression.name)

    def half(start: int, length: int) -> exp.Expr:
        part = exp.Substring(this=digits.copy(), start=exp.Literal.number(start), length=exp.Literal.number(length))
        number = exp.Anonymous(this="conv", expressions=[part, exp.Literal.number(16), exp.Literal.number(10)])
        return exp.cast(number, "DECIMAL(38, 0)")

    if width <= _HALF_DIGITS:
        return half(1, width)
    high = width - _HALF_DIGITS
    scale = exp.cast(exp.Literal.string(str(16**_HALF_DIGITS)), "DECIMAL(38, 0)")
    return exp.paren(
        exp.Add(this=exp.Mul(this=half(1, high), expression=scale), expression=half(high + 1, _HALF_DIGITS))
    )

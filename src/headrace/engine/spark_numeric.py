"""The arithmetic of `headrace.engine.numeric` on Spark: the same integers and decimals from the statement rewritten.

Only what runs on Spark imports this module, since sqlglot takes longer to import than most commands take to run.
"""

import sqlglot
from sqlglot import exp


def to_spark(statement: str) -> str:
    """Rewrite one DuckDB statement into Spark's dialect so that its integers and decimals come out the same.

    Spark has no integer past 64 bits: HUGEINT becomes decimal(38,0). Its `DIV` gives 64 bits too: `a // b` becomes
    (a − a % b) ÷ b, which divides without remainder and is therefore exact.
    """
    return sqlglot.parse_one(statement, read="duckdb").transform(spark_node).sql(dialect="spark")


def spark_node(node: exp.Expr) -> exp.Expr:
    """Give what one node of a DuckDB statement is on Spark, as `to_spark` says; for `transform`."""
    if isinstance(node, exp.DataType) and node.this in (exp.DType.INT128, exp.DType.UINT128):
        return exp.DataType.build("DECIMAL(38, 0)")
    if isinstance(node, exp.IntDiv):
        left = exp.cast(node.this.copy(), "DECIMAL(38, 0)").transform(spark_node)
        if isinstance(node.expression, exp.Literal):
            small = exp.cast(node.expression.copy(), "DECIMAL(19, 0)")
            whole = exp.paren(exp.Sub(this=left, expression=exp.Mod(this=left.copy(), expression=small)))
            return exp.cast(exp.Div(this=whole, expression=small.copy(), typed=True), "DECIMAL(38, 0)")
        right = exp.cast(node.expression.copy(), "DECIMAL(38, 0)").transform(spark_node)
        return _whole_quotient(left, right)
    return node


# A quotient of two types of 38 digits keeps 18 decimals and has room for only 20 digits before them. A divisor of 19 digits
# leaves room for 29; past it, the quotient of two numbers of 38 digits has no more than 19. A function of one row names its
# parts, so that a statement does not double with every division in it.
_QUOTIENT = sqlglot.parse_one(
    "transform(pairs, r -> CASE WHEN abs(r.b) < CAST('10000000000000000000' AS DECIMAL(20, 0)) "
    "THEN CAST((r.a - r.a % r.b) / CAST(r.b AS DECIMAL(19, 0)) AS DECIMAL(38, 0)) "
    "ELSE CAST((r.a - r.a % r.b) / r.b AS DECIMAL(38, 0)) END)",
    read="spark",
)


def _whole_quotient(left: exp.Expr, right: exp.Expr) -> exp.Expr:
    """Write left // right of two decimal(38,0) on Spark."""
    names = exp.Literal.string("a"), exp.Literal.string("b")
    pair = exp.Anonymous(this="named_struct", expressions=[names[0], left, names[1], right])
    lambda_ = _QUOTIENT.find(exp.Lambda)
    assert lambda_ is not None
    made = exp.Anonymous(
        this="transform", expressions=[exp.Anonymous(this="array", expressions=[pair]), lambda_.copy()]
    )
    return exp.Anonymous(this="element_at", expressions=[made, exp.Literal.number(1)])

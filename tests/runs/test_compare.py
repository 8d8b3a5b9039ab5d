from decimal import Decimal

import pyarrow as pa

from headrace.runs.compare import Difference, differences

KEY = ("id",)


def table(*rows: tuple[str, str]) -> pa.Table:
    return pa.table(
        {"id": [row[0] for row in rows], "earned": pa.array([Decimal(row[1]) for row in rows], pa.decimal128(28, 6))}
    )


def test_equal_tables_in_another_order_do_not_differ() -> None:
    assert differences(table(("a", "1"), ("b", "2")), table(("b", "2"), ("a", "1")), KEY) == []


def test_each_differing_value_is_named_with_both_sides() -> None:
    found = differences(table(("a", "1.50")), table(("a", "1.51")), KEY)
    assert found == [Difference(record="a", column="earned", written="1.5", computed="1.51")]


def test_a_row_that_only_one_side_has_is_a_difference() -> None:
    assert [d.column for d in differences(table(("a", "1")), table(), KEY)] == ["row"]
    assert [d.written for d in differences(table(), table(("a", "1")), KEY)] == ["no row"]


def test_a_doubled_row_is_a_difference() -> None:
    assert len(differences(table(("a", "1"), ("a", "1")), table(("a", "1")), KEY)) == 1

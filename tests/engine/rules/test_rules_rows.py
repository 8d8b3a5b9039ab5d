"""Condition rows: the same rule in the shape of a browser's form."""

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.engine.rules import Rule, RuleError, from_rows, parse
from tests.engine.rules.made_up_rules import COLUMNS, rules


@settings(deadline=None)
@given(rule=rules())
def test_rows_give_the_same_rule_back_through_json(rule: Rule) -> None:
    assert from_rows(json.loads(json.dumps(rule.to_rows())), COLUMNS) == rule


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (
            "partner.region = 'EMEA' and (partner.level in ('gold', 'platinum') or not line.internal)",
            {
                "all": [
                    {"column": "partner.region", "operator": "=", "value": "EMEA"},
                    {
                        "any": [
                            {"column": "partner.level", "operator": "in", "value": ["gold", "platinum"]},
                            {"not": {"column": "line.internal", "operator": "holds"}},
                        ]
                    },
                ]
            },
        ),
        (
            "line.quantity not between 0.5 and 10",
            {"column": "line.quantity", "operator": "not between", "value": ["0.5", "10"]},
        ),
        (
            "line.amount > 0.8 * line.gross_amount",
            {
                "column": "line.amount",
                "operator": ">",
                "value": {"*": [{"number": "0.8"}, {"column": "line.gross_amount"}]},
            },
        ),
        (
            "line.amount - line.gross_amount < 0",
            {
                "expression": {"-": [{"column": "line.amount"}, {"column": "line.gross_amount"}]},
                "operator": "<",
                "value": "0",
            },
        ),
        (
            "line.occurred_on = date '2026-07-01'",
            {"column": "line.occurred_on", "operator": "=", "value": "2026-07-01"},
        ),
        (
            "partner.level like '50!%%' escape '!'",
            {"column": "partner.level", "operator": "like", "value": "50!%%", "escape": "!"},
        ),
        ("partner.certified is not true", {"column": "partner.certified", "operator": "is not true"}),
    ],
)
def test_rows_read_as_the_form_shows_them(text: str, rows: dict[str, object]) -> None:
    rule = parse(text, COLUMNS)
    assert rule.to_rows() == rows
    assert from_rows(rows, COLUMNS) == rule


def test_whole_numbers_and_decimals_may_come_bare() -> None:
    row = {"column": "line.quantity", "operator": "in", "value": [5, Decimal("2.50")]}
    assert from_rows(row, COLUMNS).text == "line.quantity in (5, 2.5)"


@pytest.mark.parametrize(
    ("rows", "path"),
    [
        ({"all": [{"column": "partner.regon", "operator": "=", "value": "EMEA"}]}, "all[0].column"),
        ({"any": [{"column": "line.quantity", "operator": "=", "value": 0.8}]}, "any[0].value"),
        ({"column": "line.quantity", "operator": "between", "value": ["1", "x"]}, "value[1]"),
        ({"column": "line.quantity", "operator": "~", "value": "1"}, "operator"),
        ({"column": "line.quantity", "operator": "="}, "rows"),
        ({"column": "line.internal", "operator": "holds", "value": True}, "rows"),
        ({"not": {"all": []}}, "not.all"),
        ({"column": "line.quantity", "operator": "=", "value": {"sql": "1; drop table x"}}, "value"),
        ({"column": "partner.region", "operator": "=", "value": "a\u0000b"}, "value"),
        ("partner.region = 'EMEA'", "rows"),
        (None, "rows"),
    ],
)
def test_a_faulty_row_is_named_by_its_path(rows: object, path: str) -> None:
    with pytest.raises(RuleError) as refused:
        from_rows(rows, COLUMNS)
    assert [fault.path for fault in refused.value.faults] == [path]


def test_rows_nested_too_deep_are_refused() -> None:
    rows: object = {"column": "line.internal", "operator": "holds"}
    for _ in range(900):
        rows = {"not": rows}
    with pytest.raises(RuleError) as refused:
        from_rows(rows, COLUMNS)
    assert [fault.code for fault in refused.value.faults] == ["too_deep"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(sorted(COLUMNS)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["all", "any", "not", "always", "column", "operator", "value", "expression", "*", "number", "escape"]
            )
            | st.text(max_size=3),
            inner | st.sampled_from(["=", "in", "between", "like", "is null", "holds"]),
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(rows=JSON)
def test_whatever_comes_as_rows_is_a_rule_or_refused(rows: object) -> None:
    try:
        rule = from_rows(rows, COLUMNS)
    except RuleError:
        return
    assert from_rows(rule.to_rows(), COLUMNS) == rule == parse(rule.text, COLUMNS)

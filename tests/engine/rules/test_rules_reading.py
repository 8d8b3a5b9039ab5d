"""What a rule may say, how it is spelled, and what is told to somebody who gets it wrong."""

import doctest
from types import ModuleType

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.engine.findings import Finding, Refusal
from headrace.engine.rules import ColumnType, Fault, Rule, RuleError, all_of, columns, declare, from_rows, parse, rule
from tests.engine.rules.made_up_rules import COLUMNS, rules


def faults_of(text: str) -> tuple[Fault, ...]:
    with pytest.raises(RuleError) as refused:
        parse(text, COLUMNS)
    return refused.value.faults


def pointed_words(text: str) -> list[str]:
    return [text[fault.start : fault.end] for fault in faults_of(text)]


@settings(deadline=None)
@given(rule=rules())
def test_the_normal_spelling_reads_back_as_the_same_rule(rule: Rule) -> None:
    again = parse(rule.text, COLUMNS)
    assert again == rule
    assert again.text == rule.text


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        (
            "PARTNER.Region='EMEA'AND(partner.LEVEL IN('gold' ,'platinum'))",
            "partner.region = 'EMEA' and partner.level in ('gold', 'platinum')",
        ),
        ("line.quantity != 007.50", "line.quantity <> 7.5"),
        ("5 <= line.quantity", "line.quantity >= 5"),
        ("0.8 * line.gross_amount < line.amount", "0.8 * line.gross_amount < line.amount"),
        ("line.quantity = -.5", "line.quantity = -0.5"),
        ("line.quantity = -0.000", "line.quantity = 0"),
        ("line.occurred_on >= '2026-07-01'", "line.occurred_on >= date '2026-07-01'"),
        (
            "(line.internal or partner.certified) and not (line.internal)",
            "(line.internal or partner.certified) and not line.internal",
        ),
        ("line.internal and (partner.certified and true)", "line.internal and partner.certified and true"),
        (
            "line.internal or (partner.certified and line.internal)",
            "line.internal or partner.certified and line.internal",
        ),
        (
            "line.amount - (line.quantity - 1) > 2 * (line.amount + 1)",
            "line.amount - (line.quantity - 1) > 2 * (line.amount + 1)",
        ),
        (
            "(line.amount - line.quantity) - 1 > (2 * line.amount) + 1",
            "line.amount - line.quantity - 1 > 2 * line.amount + 1",
        ),
        (
            'line."quantity" > 1\n\tand line."Ship-to ""city""" = \'Bonn\'',
            'line.quantity > 1 and line."Ship-to ""city""" = \'Bonn\'',
        ),
        ("partner.level like 'a!%%' escape '!'", "partner.level like 'a!%%' escape '!'"),
        ("partner.region = 'it''s'", "partner.region = 'it''s'"),
    ],
)
def test_spells_alike_what_means_the_same(written: str, normal: str) -> None:
    assert parse(written, COLUMNS).text == normal


@pytest.mark.parametrize(
    ("text", "word", "suggestion"),
    [
        ("partner.regon = 'EMEA'", "partner.regon", "partner.region"),
        ("line.region = 'EMEA'", "line.region", "partner.region"),
        ("region = 'EMEA'", "region", "buyer.region"),
        ("partner.region = EMEA", "EMEA", None),
        ('partner.region = "EMEA"', '"EMEA"', "'EMEA'"),
        ("partner.region = ‘EMEA", "‘", "'"),
        ("partner.region = 'EMEA' adn line.internal", "adn", "and"),
        ("partner.region == 'EMEA'", "==", "="),
        ("partner.region = 'EMEA' && line.internal", "&&", "and"),
        ("line.quantity = '5'", "'5'", "5"),
        ("partner.level = 5", "5", "'5'"),
        ("line.quantity > 1_000", "1_000", "1000"),
        ("line.quantity > 1,000", ",", None),
        ("line.quantity ≥ 5", "≥", ">="),
        ("partner.level = null", "null", "is null"),
        ("line.quantity is 5", "5", "="),
        ("line.occurred_on > '2026-02-30'", "'2026-02-30'", None),
        ("line.occurred_on > date '30.06.2026'", "date '30.06.2026'", None),
        ("(line.internal", "(", ")"),
        ("line.internal)", ")", None),
        ("line.internal and", "and", None),
        ("line.quantity between 1 or 2", "or", "and"),
        ("lower(partner.region) = 'emea'", "lower", None),
        ("partner.region", "partner.region", None),
        ("line.internal > false", "line.internal", None),
        ("line.quantity + partner.region > 1", "partner.region", None),
    ],
)
def test_points_at_the_word_and_suggests_what_was_meant(text: str, word: str, suggestion: str | None) -> None:
    fault, *others = faults_of(text)
    assert (text[fault.start : fault.end], fault.suggestion, others) == (word, suggestion, [])


def test_reports_every_fault_that_it_can_see_at_once() -> None:
    text = "partner.regon = 'x' and lower(partner.level) = 'y' and line.amount = 'x' and line.occurred_on > 'soon'"
    assert pointed_words(text) == ["partner.regon", "lower", "'x'", "'soon'"]


def test_names_beyond_the_place_where_reading_stopped_are_still_checked() -> None:
    assert pointed_words("line.internal line.internal and partner.regon = 'x'") == ["line.internal", "partner.regon"]


def test_shows_the_line_with_carets_under_the_word() -> None:
    with pytest.raises(RuleError) as refused:
        parse("line.internal\n  and partner.regon = 'EMEA'", COLUMNS)
    assert refused.value.pointed() == (
        "There is no column partner.regon. Did you mean partner.region?\n"
        "    and partner.regon = 'EMEA'\n"
        "        ^^^^^^^^^^^^^"
    )


def test_an_unread_rule_is_a_refusal_with_findings_that_name_the_source() -> None:
    with pytest.raises(Refusal) as refused:
        parse("partner.regon = 'EMEA'", COLUMNS, source="q3.yaml")
    message = "There is no column partner.regon. Did you mean partner.region?"
    assert refused.value.code == "invalid_rule"
    assert refused.value.findings == (Finding(code="unknown_column", message=message, file="q3.yaml"),)


@pytest.mark.parametrize(
    ("number", "accepted"),
    [
        ("999999999999.999999", True),
        ("1000000000000", False),
        ("0.000001", True),
        ("0.0000001", False),
        ("0.0000010000", True),
        ("000000000000000000001", True),
    ],
)
def test_numbers_fit_the_decimal_columns(number: str, accepted: bool) -> None:
    text = f"line.quantity > {number}"
    if accepted:
        parse(text, COLUMNS)
    else:
        assert [fault.code for fault in faults_of(text)] == ["number_out_of_range"]


def test_calculations_that_would_not_be_exact_are_refused() -> None:
    parse("line.amount * line.quantity * 2 > 1", COLUMNS)  # 12 + 12 + 1 digits and 6 + 6 decimals: 37
    assert [fault.code for fault in faults_of("line.amount * line.quantity * 25 > 1")] == ["too_many_digits"]


def test_exact_names_win_over_names_that_differ_in_case() -> None:
    columns = {"line.Unit": ColumnType.TEXT, "line.unit": ColumnType.TEXT}
    assert parse("line.unit = 'kg'", columns).columns_used == {"line.unit"}
    with pytest.raises(RuleError):
        parse("line.UNIT = 'kg'", columns)


def test_tells_which_columns_and_owners_it_reads() -> None:
    rule = parse("partner.region = 'EMEA' and line.amount > 0.8 * line.gross_amount", COLUMNS)
    assert rule.columns_used == {"partner.region", "line.amount", "line.gross_amount"}
    assert rule.uses("line")
    assert not rule.uses("product")


def test_splits_the_top_level_and_by_owner() -> None:
    rule = parse(
        "partner.region = 'EMEA' and product.family = 'ePMP' and line.quantity > 5 and (partner.certified or not line.internal)"
        " and partner.level is not null and true",
        COLUMNS,
    )
    split = rule.split_by_owner()
    assert {owner: part.text for owner, part in split.by_owner.items()} == {
        "partner": "partner.region = 'EMEA' and partner.level is not null",
        "product": "product.family = 'ePMP'",
        "line": "line.quantity > 5",
    }
    assert split.rest is not None
    assert split.rest.text == "(partner.certified or not line.internal) and true"


@pytest.mark.parametrize("module", [rule, columns])
def test_the_examples_in_the_docstrings_hold(module: ModuleType) -> None:
    results = doctest.testmod(module)
    assert results.attempted > 0
    assert results.failed == 0


def test_rules_join_by_and() -> None:
    parts = [parse(text, COLUMNS) for text in ("line.internal or partner.certified", "line.quantity > 5")]
    assert all_of(parts).text == "(line.internal or partner.certified) and line.quantity > 5"


def test_columns_are_declared_from_arrow_types() -> None:
    declared = declare(
        {"line": {"amount": pa.decimal128(18, 6), "count": pa.int64()}, "deal": {"won": pa.bool_(), "on": pa.date32()}}
    )
    assert declared == {"line.amount": "decimal", "line.count": "decimal", "deal.won": "boolean", "deal.on": "date"}
    with pytest.raises(ValueError, match="double"):
        declare({"line": {"share": pa.float64()}})


@given(name=st.text(max_size=8), quoted=st.booleans())
def test_whatever_a_column_is_called_a_rule_can_name_it(name: str, quoted: bool) -> None:
    columns = {f"line.{name}": ColumnType.TEXT, "line.other": ColumnType.TEXT}
    rule = from_rows({"column": f"line.{name}", "operator": "is null"}, columns)
    assert parse(rule.text, columns) == rule
    if quoted:
        written = name.replace('"', '""')
        assert parse(f'line."{written}" is null', columns) == rule


@pytest.mark.parametrize("name", ["amount", "", ".amount", "my line.amount"])
def test_columns_without_an_owner_are_not_declared(name: str) -> None:
    with pytest.raises(ValueError, match="owner"):
        parse("line.internal", {name: ColumnType.TEXT})


@pytest.mark.parametrize("value", [1.5, "5", True, float("nan")])
def test_a_record_never_passes_a_float_or_a_look_alike_as_a_decimal(value: object) -> None:
    with pytest.raises(TypeError, match=r"line\.quantity"):
        parse("line.quantity > 1", COLUMNS).evaluate({"line.quantity": value})


def test_a_record_that_lacks_a_column_is_a_defect_and_not_a_null() -> None:
    with pytest.raises(KeyError):
        parse("line.quantity > 1", COLUMNS).evaluate({"line.amount": 1})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "partner.region = 'EMEA' and partner.level in ('gold', 'platinum')",
            "partner region is EMEA and partner level is gold or platinum",
        ),
        ("line.quantity >= 1500 and not line.internal", "line quantity is at least 1,500 and line is not internal"),
        (
            "line.occurred_on between '2026-07-01' and '2026-08-31'",
            "line occurred on is from 1 July 2026 to 31 August 2026",
        ),
        ("partner.since < '2020-01-01'", "partner since is before 1 January 2020"),
        ("line.amount > 0.8 * line.gross_amount", "line amount is more than 0.8 × line gross amount"),
        (
            "product.name like 'Road%' and product.name not like '%used%'",
            "product name starts with Road and product name does not contain used",
        ),
        ("product.family not in ('a', 'b', 'c')", "product family is not a, b or c"),
        (
            "partner.level is not null or partner.certified is not true",
            "partner level is not empty or partner certified is not true",
        ),
        (
            "line.internal or partner.certified and line.quantity = 1",
            "line is internal or (partner is certified and line quantity is 1)",
        ),
        ("not (line.internal or partner.certified)", "it is not so that (line is internal or partner is certified)"),
        ("partner.region in ('this or that', '', 'a, b')", "partner region is “this or that”, “” or “a, b”"),
        ("product.name like 'a_c'", "product name fits the pattern “a_c”"),
        ("line.quantity = -5", "line quantity is −5"),
    ],
)
def test_says_itself_in_plain_words(text: str, words: str) -> None:
    assert parse(text, COLUMNS).describe() == words


def test_says_columns_by_the_names_that_it_is_given() -> None:
    rule = parse("line.occurred_on >= '2026-07-01' and partner.region = 'EMEA'", COLUMNS)
    words = rule.describe({"line.occurred_on": "the sale date"})
    assert words == "the sale date is on or after 1 July 2026 and partner region is EMEA"

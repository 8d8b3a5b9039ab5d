"""Texts become exact data with lines, or findings; nothing else."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from headrace.engine.findings import has_errors
from headrace.engine.terms import load_terms, loads
from tests.engine.terms.made_up_terms import HEAD, TIERS, codes, one, only, said

EXAMPLE = """\
program: emea-q3-volume
name: EMEA Q3 volume rebate
type: volume_rebate
currency: USD
valid:    { from: 2026-07-01, until: 2026-10-01 }
earner:   seller
stage:    sell_through
partners: "partner.region = 'EMEA' and partner.level in ('gold', 'platinum')"
lines:    "product.family = 'ePMP'"
measure:  { of: amount, per: earner, every: quarter }
pays_on:  amount
schedule:
  mode: incremental
  tiers: [ { from: 0, rate: 0 }, { from: 100000, rate: 0.02 }, { from: 250000, rate: 0.035 } ]
limits:   { payout: { per_scope: 50000, program: 1000000 }, minimum: { amount: 50, below: carry_forward } }
combine:  { group: volume, rule: best, order: 10 }
settle:   { as: credit_memo, claim: automatic, grace_days: 30, late: next_period, hold_days: 0 }
"""


def test_reads_a_whole_document() -> None:
    terms = one(EXAMPLE)
    assert terms.program == "emea-q3-volume"
    assert (terms.valid.from_, terms.valid.until) == (date(2026, 7, 1), date(2026, 10, 1))
    assert [tier.rate for tier in terms.schedule.tiers] == [Decimal(0), Decimal("0.02"), Decimal("0.035")]
    assert terms.measure.per == ("earner",)
    assert terms.stage == ("sell_through",)
    assert terms.limits.payout.program == Decimal(1000000)


def test_reads_the_same_from_json() -> None:
    document = {
        "program": "a",
        "currency": "USD",
        "internal": True,
        "stage": ["sell_in", "sell_out"],
        "schedule": {"tiers": [{"from": 0, "rate": 0.1}, {"from": 1234567.891234, "rate": "2.5 %"}]},
    }
    for text in (json.dumps(document), json.dumps(document, indent="\t")):
        terms = one(text) if text.startswith("{") else None
        assert terms is not None
        assert terms.schedule.tiers[0].rate == Decimal("0.1")
        assert terms.schedule.tiers[1].from_ == Decimal("1234567.891234")
        assert terms.schedule.tiers[1].rate == Decimal("0.025")
        assert terms.internal is True


@pytest.mark.parametrize(("written", "rate"), [("0.02", "0.02"), ("2 %", "0.02"), ("2%", "0.02"), ("'0.5 %'", "0.005")])
def test_rates_are_fractions_or_percentages_and_exact(written: str, rate: str) -> None:
    terms = one(f"{HEAD}schedule: {{ tiers: [ {{ from: 0, rate: {written} }} ] }}")
    assert str(terms.schedule.tiers[0].rate) == rate


def test_a_number_keeps_every_digit_that_was_written() -> None:
    # 0.1 + 0.2 and 17-digit edges are where binary floats show; none may appear.
    terms = one(f"{HEAD}schedule: {{ tiers: [ {{ from: 12345678901234567.123457, rate: 0.300001 }} ] }}")
    assert str(terms.schedule.tiers[0].from_) == "12345678901234567.123457"
    assert str(terms.schedule.tiers[0].rate) == "0.300001"


def test_words_that_other_yaml_readers_convert_stay_words() -> None:
    text = (
        f"{HEAD}name: no\nschedule:\n  table:\n    - {{ product: 012, region: NO, level: on, family: 1:30, rate: 1 % }}"
    )
    terms = one(text)
    row = terms.schedule.table[0]
    assert (terms.name, row.product, row.region, row.level, row.family) == ("no", "012", "NO", "on", "1:30")


def test_several_programs_may_stand_in_one_text() -> None:
    terms, findings = loads(f"{HEAD}{TIERS}\n---\nprogram: b\ncurrency: EUR\n{TIERS}\n---\n", "a.yaml")
    assert findings == []
    assert [each.program for each in terms] == ["a", "b"]


@pytest.mark.parametrize(
    ("value", "code", "way_out"),
    [
        ("100,000", "number_grouped", "100000"),
        ("1_000", "number_grouped", "1000"),
        ("1 000 000", "number_grouped", "1000000"),
        ("1,5", "number_comma", "1.5"),
        ("1e400", "not_a_number", "decimal point"),
        ("NaN", "not_a_number", "decimal point"),
        (".inf", "not_a_number", "decimal point"),
        ("0x10", "not_a_number", "decimal point"),
        ("٣", "not_a_number", "decimal point"),
        ("5 %", "number_percent", "plain number"),
        ("1.1234567", "number_places", "6"),
        ("1" * 23, "number_digits", "22"),
        ("[1]", "not_a_number", "digits"),
        ("true", "not_a_number", "digits"),
    ],
)
def test_a_number_that_is_none_says_how_to_write_it(value: str, code: str, way_out: str) -> None:
    text = f"{HEAD}schedule:\n  tiers:\n    - from: 0\n      rate: 0\n    - from: {value}\n      rate: 0.02\n"
    terms, findings = loads(text, "a.yaml")
    finding = next(each for each in findings if each.code == code)
    assert terms == ()
    assert (finding.row, finding.column, finding.file) == (7, "schedule.tiers[2].from", "a.yaml")
    assert way_out in finding.message


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("01/07/2026", "date_format"),
        ("2026-7-1", "date_format"),
        ("2026-02-29", "date_unknown"),
        ("20260701", "date_format"),
        ("1782864000", "date_format"),
        ("2026-07-01T00:00:00", "date_format"),
        ("0001-01-01", "date_implausible"),
        ("9999-12-31", "date_implausible"),
        ("0000-01-01", "date_unknown"),
    ],
)
def test_a_date_is_a_plausible_day_in_iso_order(value: str, code: str) -> None:
    finding = only(f"{HEAD}valid:\n  from: {value}\n{TIERS}")
    assert (finding.code, finding.row, finding.column) == (code, 4, "valid.from")


@pytest.mark.parametrize("value", ["yes", "no", "on", "1", "TRUE"])
def test_only_true_and_false_are_true_and_false(value: str) -> None:
    assert said(f"{HEAD}enrolled: {value}\n{TIERS}") == [("not_true_or_false", 3, "enrolled")]


def test_an_unknown_key_names_the_nearest_one() -> None:
    finding = only(f"{HEAD}schedule:\n  tiers:\n    - {{ from: 0, rate: 0 }}\n  boots: []\n")
    assert (finding.code, finding.row, finding.column) == ("key_unknown", 6, "schedule.boots")
    assert "did you mean `boosts`" in finding.message


def test_a_key_in_the_wrong_place_names_its_place() -> None:
    finding = only(f"{HEAD}every: month\n{TIERS}")
    assert "did you mean `measure.every`" in finding.message


def test_python_names_are_no_keys() -> None:
    assert said(f"{HEAD}valid: {{ from_: 2026-01-01 }}\n{TIERS}") == [("key_unknown", 3, "valid.from_")]


def test_a_missing_key_points_at_one_that_is_nearly_it() -> None:
    text = f"program: a\ncurency: USD\n{TIERS}"
    findings = loads(text, "a.yaml")[1]
    assert {(each.code, each.column) for each in findings} == {("key_missing", "currency"), ("key_unknown", "curency")}
    assert any("is `curency` meant" in each.message for each in findings)


def test_an_unknown_word_names_the_nearest_one() -> None:
    finding = only(f"{HEAD}schedule: {{ mode: retroactiv, tiers: [ {{ from: 0, rate: 0 }} ] }}")
    assert (finding.code, finding.column) == ("value_not_in_list", "schedule.mode")
    assert "did you mean `retroactive`" in finding.message


def test_a_number_split_by_a_comma_inside_braces_is_recognised() -> None:
    finding = next(
        each
        for each in loads(f"{HEAD}schedule: {{ tiers: [ {{ from: 100,000, rate: 0 }} ] }}", "a.yaml")[1]
        if each.code == "number_split"
    )
    assert "without commas" in finding.message


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("", "document_empty", 1),
        ("# nothing\n", "document_empty", 1),
        ("---\n---\n", "document_empty", None),
        ("just words", "document_not_mapping", 1),
        ("- program: a", "document_not_mapping", 1),
        (f"{HEAD}{HEAD}{TIERS}", "key_twice", 3),
        (f"{HEAD}name: &x a\n{TIERS}", "yaml_anchor", 3),
        (f"{HEAD}name: !!python/object/apply:os.system [id]\n{TIERS}", "yaml_tag", 3),
        (f"{HEAD}version: !!int 3\n{TIERS}", "yaml_tag", 3),
        (f"%YAML 1.1\n---\n{HEAD}{TIERS}", "yaml_directive", 2),
        (f"{HEAD}schedule:\n\ttiers: []", "yaml_tab", 4),
        (f"{HEAD}schedule: [", "yaml_syntax", None),
        (f"{HEAD}name: a\x00b\n", "yaml_character", 3),
        (f"{HEAD}? [a, b]\n: 1\n{TIERS}", "key_not_word", 3),
        ('{"program": "a",}', "json_syntax", 1),
        ('{"program": "a"} x', "json_syntax", 1),
        ('{\n"program": "a",\n"program": "b"}', "key_twice", 3),
        ("[" * 100_000, "json_syntax", 1),
        ("a: " + "[" * 5_000, "too_deep", 1),
    ],
)
def test_what_is_no_document_is_a_finding_with_its_line(text: str, code: str, line: int | None) -> None:
    terms, findings = loads(text)
    assert terms == ()
    assert code in {each.code for each in findings}
    if line is not None:
        assert line in {each.row for each in findings if each.code == code}


def test_a_yaml_bomb_stays_small() -> None:
    levels = "\n".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10))
    terms, findings = loads(f"a0: &a0 x\n{levels}\n")
    assert terms == ()
    assert {"yaml_alias", "yaml_anchor"} <= {each.code for each in findings}


def test_merge_keys_are_refused() -> None:
    assert "yaml_merge" in codes(f"{HEAD}{TIERS}\n<<: {{ name: a }}")


def test_the_first_of_two_equal_keys_keeps_its_line() -> None:
    text = f"{HEAD}stage: [sell_in, sell_out]\nstage: sell_in\n{TIERS}"
    assert set(said(text)) == {("key_twice", 4, "stage"), ("stages_two", 3, "stage")}


def test_files_that_cannot_be_read_are_findings(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"program: a\nname: caf\xe9\n")
    (tmp_path / "large.yaml").write_bytes(b"#" * (1024 * 1024 + 1))
    (tmp_path / "bom.yaml").write_text(f"\ufeff{HEAD}{TIERS}", encoding="utf-8")
    names = ["latin.yaml", "large.yaml", "bom.yaml", "missing.yaml"]
    terms, findings = load_terms([tmp_path / name for name in names])
    assert [each.program for each in terms] == ["a"]
    assert [(each.code, each.row) for each in findings] == [
        ("not_utf8", 2),
        ("file_too_large", None),
        ("file_missing", None),
    ]


def test_a_folder_gives_its_documents_by_name(tmp_path: Path) -> None:
    for name in ("b.yml", "a.yaml", "c.json"):
        text = f"program: {name[0]}\ncurrency: USD\n{TIERS}"
        if name.endswith("json"):
            text = '{"program": "c", "currency": "USD", "schedule": {"package": {"of": 10, "pays": 1}}}'
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "notes.txt").write_text("not a program", encoding="utf-8")
    terms, findings = load_terms([tmp_path])
    assert findings == []
    assert [each.program for each in terms] == ["a", "b", "c"]


def test_hundreds_of_faults_are_told_at_once() -> None:
    rows = "\n".join(f"    - {{ from: {i}x, rat: 1 }}" for i in range(400))
    findings = loads(f"{HEAD}schedule:\n  tiers:\n{rows}\n", "a.yaml")[1]
    assert len(findings) >= 800
    assert {each.row for each in findings} == set(range(5, 405))


_SNIPPETS = st.sampled_from(
    [
        "program: a",
        "currency: USD",
        "schedule:",
        "  tiers:",
        "    - { from: 0, rate: 0.02 }",
        "- ",
        ": ",
        "[",
        "]",
        "{",
        "}",
        "\t",
        "---",
        "...",
        "&a ",
        "*a",
        "!!x ",
        "<<: ",
        "'",
        '"',
        "|",
        ">",
        "#",
        "%",
        "sales: 10 USD",
        "reward: 5 %",
        "windows: {buy: 3}",
        "type: points",
        "inputs: {}",
        "valid: {from: 2026-01-01}",
        "measure: {growth: {}}",
        "partners: a = (select 1)",
        "\n",
        " ",
    ]
)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.text(max_size=200), st.lists(_SNIPPETS, max_size=25).map("\n".join), st.lists(_SNIPPETS).map("".join))
)
@example("{")
@example("[[")
@example('{"a":1e999999999999}')
@example("? ")
@example("\ud800")
def test_no_text_gives_anything_but_terms_and_findings(text: str) -> None:
    for source in ("a.yaml", "a.json", None):
        terms, findings = loads(text, source)
        assert terms or has_errors(findings)
        assert all(finding.message for finding in findings)


_KEYS = st.sampled_from(
    [
        "program",
        "version",
        "name",
        "type",
        "currency",
        "money",
        "valid",
        "applies",
        "earner",
        "paid_to",
        "stage",
        "kinds",
        "internal",
        "partners",
        "lines",
        "enrolled",
        "measure",
        "pays_on",
        "schedule",
        "limits",
        "combine",
        "returns",
        "facts_as_of",
        "gate",
        "verify",
        "convert",
        "settle",
        "accrue",
        "rounding",
        "inputs",
        "sales",
        "reward",
        "windows",
        "from",
        "until",
        "of",
        "per",
        "every",
        "growth",
        "target",
        "tiers",
        "table",
        "table_file",
        "package",
        "boosts",
        "rate",
        "above",
        "bonus",
        "as",
        "buy",
        "resale",
        "scope",
        "x",
    ]
)
_DATA = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), _KEYS, st.just("2026-01-01")),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_KEYS, inner, max_size=6)),
    max_leaves=30,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(_KEYS, _DATA, max_size=12))
def test_no_data_give_anything_but_terms_and_findings(data: dict[str, object]) -> None:
    terms, findings = loads(json.dumps(data), "a.json")
    assert terms or has_errors(findings)

"""Faults that show when keys are read together, each at its key; and documents that are right on both sides of every edge."""

from pathlib import Path

import pytest

from headrace.engine.rules import ColumnType
from headrace.engine.terms import check, load_terms, loads
from tests.engine.terms.made_up_terms import HEAD, TIERS, codes, one, only, said


def schedule(tiers: str, *more: str) -> str:
    return f"{HEAD}schedule:\n  tiers: [{tiers}]\n" + "\n".join(more)


@pytest.mark.parametrize(
    "tiers",
    [
        "{ from: 0, rate: 0 }, { from: 0.000001, rate: 1 }",
        "{ from: 500, rate: 0 }, { above: 500, rate: 0.1 }",
        "{ above: 14, rate: 0 }, { above: 15, rate: 0.1 }",
        "{ from: 0, bonus: 0 }",
        "{ from: 0, rate: 0.01, per_unit: 2, bonus: 3 }",
        "{ from: 0, down_to: 10, bonus: 5 }",
    ],
)
def test_rising_tiers_are_right(tiers: str) -> None:
    one(schedule(tiers))


@pytest.mark.parametrize(
    ("tiers", "code", "key"),
    [
        ("{ from: 0, rate: 0 }, { from: 0, rate: 0.1 }", "tier_edge_order", "schedule.tiers[2].from"),
        ("{ above: 5, rate: 0 }, { from: 5, rate: 0.1 }", "tier_edge_order", "schedule.tiers[2].from"),
        ("{ above: 5, rate: 0 }, { above: 5, rate: 0.1 }", "tier_edge_order", "schedule.tiers[2].above"),
        ("{ from: 5, rate: 0 }, { from: 4, rate: 0.1 }", "tier_edge_order", "schedule.tiers[2].from"),
        ("{ rate: 0 }", "tier_edge_missing", "schedule.tiers[1]"),
        ("{ from: 0, above: 0, rate: 0 }", "tier_edge_twice", "schedule.tiers[1].above"),
        ("{ from: -1, rate: 0 }", "tier_edge_negative", "schedule.tiers[1].from"),
        ("{ from: 0 }", "tier_pays_nothing_said", "schedule.tiers[1]"),
        ("{ from: 0, rate: -0.01 }", "negative_refused", "schedule.tiers[1].rate"),
        ("{ from: 0, per_unit: -1 }", "negative_refused", "schedule.tiers[1].per_unit"),
        ("{ from: 0, rate: 35 }", "rate_looks_like_percent", "schedule.tiers[1].rate"),
        ("{ from: 0, rate: 1.5 }", "rate_past_base", "schedule.tiers[1].rate"),
        ("{ from: 0, rate: 101 % }", "rate_past_base", "schedule.tiers[1].rate"),
        ("{ from: 0, margin_to: 20 }", "margin_past_one", "schedule.tiers[1].margin_to"),
        ("{ from: 0, margin_to: 1 }", "margin_past_one", "schedule.tiers[1].margin_to"),
        ("{ from: 0, down_to: 1, down_by: 1 }", "tier_parts_exclude", "schedule.tiers[1].down_to"),
        ("{ from: 0, down_to: 1, rate: 0.1 }", "tier_parts_exclude", "schedule.tiers[1].down_to"),
        ("{ from: 0, rate: 0, name: A }, { from: 1, rate: 0, name: A }", "tier_name_twice", "schedule.tiers[2].name"),
    ],
)
def test_tiers_that_cannot_be_meant(tiers: str, code: str, key: str) -> None:
    assert said(schedule(tiers)) == [(code, 4, key)]


def test_a_rate_of_35_is_told_apart_from_35_percent() -> None:
    finding = only(schedule("{ from: 0, rate: 35 }"))
    assert "0.35" in finding.message
    assert '"35 %"' in finding.message


def test_points_may_pay_more_than_one_for_each_unit_of_money() -> None:
    one("program: a\ntype: points\ncurrency: PTS\nmoney: USD\nschedule: { tiers: [ { from: 0, rate: 35 } ] }")


@pytest.mark.parametrize("rate", ["1", "100 %", "0"])
def test_a_rate_of_everything_or_nothing_is_legal(rate: str) -> None:
    one(schedule(f"{{ from: 0, rate: {rate} }}"))


PACKAGE = "package: { of: 10, pays: 1 }"


@pytest.mark.parametrize(
    ("inside", "beside", "code", "key"),
    [
        ("", "", "pricing_missing", "schedule"),
        (f"{PACKAGE}, tiers: [ {{ from: 0, rate: 0 }} ]", "", "pricing_twice", "schedule.package"),
        (f"{PACKAGE}, boosts: [ {{ when: line.quantity > 1, factor: 2 }} ]", "", "does_not_apply", "schedule.boosts"),
        (f"{PACKAGE}, mode: retroactive", "", "does_not_apply", "schedule.mode"),
        (f"{PACKAGE}, mode: incremental", "", "does_not_apply", "schedule.mode"),
        (f"{PACKAGE}, free: {{ lines: 1 }}", "", "does_not_apply", "schedule.free"),
        (f"{PACKAGE}, cost_basis: fifo", "", "does_not_apply", "schedule.cost_basis"),
        (f"{PACKAGE}, boost_rule: multiply", "", "does_not_apply", "schedule.boost_rule"),
        (PACKAGE, "measure: { growth: {} }", "does_not_apply", "measure.growth"),
        (PACKAGE, "measure: { target: {} }", "does_not_apply", "measure.target"),
        (PACKAGE, "measure: { of: on_hand }", "does_not_apply", "measure.of"),
        (PACKAGE, "pays_on: amount", "does_not_apply", "pays_on"),
        (PACKAGE, "limits: { line: { cap: 5 } }", "does_not_apply", "limits.line.cap"),
        (PACKAGE, "limits: { negative: pay }", "does_not_apply", "limits.negative"),
        (PACKAGE, "limits: { prorate: edges }", "does_not_apply", "limits.prorate"),
        ("package: { of: 0, pays: 1 }", "", "not_positive", "schedule.package.of"),
        ("package: { of: 1, pays: -1 }", "", "negative_refused", "schedule.package.pays"),
        ("free_goods: { buy: 10, get: 1 }", "", "does_not_apply", "settle.as"),
        ("price_change: { effective: 2026-01-01, drop: 5, from: 6 }", "", "price_change_parts", "schedule.price_change"),
        ("price_change: { effective: 2026-01-01, from: 5, to: 6 }", "", "price_change_rises", "schedule.price_change.to"),
        ("price_change: { effective: 2026-01-01, from: 5, to: 5 }", "", "price_change_rises", "schedule.price_change.to"),
        ("table: [ { product: A } ]", "", "row_pays_nothing_said", "schedule.table[1]"),
        ("table: [ { product: A, rate: 0 }, { product: A, rate: 0.1 } ]", "", "row_twice", "schedule.table[2]"),
        ("table: [ { rate: 0.1, quantity_max: 0 } ]", "", "not_positive", "schedule.table[1].quantity_max"),
    ],
)  # fmt: skip
def test_keys_that_do_not_go_together(inside: str, beside: str, code: str, key: str) -> None:
    assert (code, key) in {(each[0], each[2]) for each in said(f"{HEAD}schedule: {{ {inside} }}\n{beside}")}


@pytest.mark.parametrize(
    ("beside", "code", "key"),
    [
        ("valid: { from: 2026-02-01, until: 2026-02-01 }", "dates_out_of_order", "valid.until"),
        ("stage: [sell_in, sell_through]", "stages_two", "stage"),
        ("stage: [sell_in, sell_in]\ninternal: false", "word_twice", "stage[2]"),
        ("kinds: []", "list_empty", "kinds"),
        ("currency: USD", "key_twice", "currency"),
        ("money: EUR", "does_not_apply", "money"),
        ("measure: { minus: [quantity] }", "unit_mix", "measure.minus[1]"),
        ("measure: { minus: amount }", "word_twice", "measure.minus[1]"),
        ("measure: { per: [earner, earner] }", "word_twice", "measure.per[2]"),
        ("measure: { calendar: fiscal, anchor: 2026-01-01 }", "does_not_apply", "measure.anchor"),
        ("measure: { calendar: fiscal, every: week }", "does_not_apply", "measure.every"),
        ("measure: { every: program, anchor: 2026-01-01 }", "does_not_apply", "measure.anchor"),
        ("measure: { target: { value: 0 } }", "not_positive", "measure.target.value"),
        ("measure: { growth: {}, target: {} }", "does_not_apply", "measure.growth"),
        ("measure: { growth: { baseline: entered, frozen_on: 2026-01-01 } }", "does_not_apply", "measure.growth.frozen_on"),
        ("measure: { every: program, growth: { baseline: previous_period } }", "does_not_apply", "measure.growth.baseline"),
        ("measure: { every: program, growth: {} }", "does_not_apply", "measure.growth.baseline"),
        ("pays_on: growth", "does_not_apply", "pays_on"),
        ("pays_on: on_hand", "does_not_apply", "pays_on"),
        ("counts_from: enrolment", "does_not_apply", "counts_from"),
        ("facts_as_of: enrolment", "does_not_apply", "facts_as_of"),
        ("earner: rep\npaid_to: parent", "does_not_apply", "paid_to"),
        ("limits: { line: { floor: 2, cap: 1 } }", "floor_past_cap", "limits.line.floor"),
        ("limits: { line: { floor: -1 } }", "negative_refused", "limits.line.floor"),
        ("limits: { payout: { per_scope: 0 } }", "not_positive", "limits.payout.per_scope"),
        ("limits: { minimum: { amount: 0 } }", "not_positive", "limits.minimum.amount"),
        ("combine: { group: g, reduces_others: false }", "does_not_apply", "combine.reduces_others"),
        ("combine: { group: g, order: 3 }", "does_not_apply", "combine.order"),
        ("settle: { every: year }", "interim_not_shorter", "settle.every"),
        ("settle: { tolerance: 5 }", "does_not_apply", "settle.tolerance"),
        ("settle: { as: points }", "points_currency", "currency"),
        ("settle: { as: free_goods }", "does_not_apply", "settle.as"),
        ("accrue: { at: Gold }", "tier_name_unknown", "accrue.at"),
        ("accrue: { forecast: entered }", "does_not_apply", "accrue.forecast"),
        ("accrue: { spread: daily }", "does_not_apply", "accrue.spread"),
        ("stage: sell_in\naccrue: { basis: sell_in }", "does_not_apply", "accrue.basis"),
        ("rounding: { decimals: 3 }", "decimals_past_currency", "rounding.decimals"),
        ("rounding: { decimals: 7 }", "number_range", "rounding.decimals"),
        ("inputs: [ { earner: A } ]", "input_empty", "inputs[1]"),
        ("inputs: [ { earner: A, target: 5 } ]", "does_not_apply", "inputs[1].target"),
        ("inputs: [ { earner: A, baseline: 5 } ]", "does_not_apply", "inputs[1].baseline"),
        ("inputs: [ { earner: A, rate: 5 } ]", "rate_looks_like_percent", "inputs[1].rate"),
        ("inputs: [ { earner: A, cap: 5 }, { earner: A, cap: 6 } ]", "input_twice", "inputs[2]"),
        ("inputs: [ { earner: A, cap: 5, scope: { deal: D } } ]", "input_scope_word", "inputs[1].scope.deal"),
        ("inputs: [ { earner: A, cap: 5, from: 2026-02-01, until: 2026-01-01 } ]", "dates_out_of_order", "inputs[1].until"),
    ],
)  # fmt: skip
def test_keys_around_the_schedule_that_cannot_be_meant(beside: str, code: str, key: str) -> None:
    assert (code, key) in {(each[0], each[2]) for each in said(f"{HEAD}{TIERS}\n{beside}")}


@pytest.mark.parametrize("internal", ["true", "false"])
def test_two_stages_are_legal_where_transfers_are_thought_of(internal: str) -> None:
    one(f"{HEAD}{TIERS}\nstage: [sell_in, sell_through]\ninternal: {internal}")


@pytest.mark.parametrize(
    ("growth", "edges", "code"),
    [
        ("as: percent", ("0.1", "0.2"), "edges_look_like_fraction"),
        ("as: percent", ("0", "10"), None),
        ("as: percent", ("-5", "10"), None),
        ("as: multiple", ("110", "120"), "edges_look_like_percent"),
        ("as: multiple", ("1.1", "10"), "edges_look_like_percent"),
        ("as: multiple", ("1.1", "9.99"), None),
        ("as: multiple", ("0.1", "0.2"), "edges_look_like_growth"),
        ("as: multiple", ("0.1", "0.5"), None),
    ],
)
def test_edges_that_read_like_the_other_way_are_warned_of(
    growth: str, edges: tuple[str, str], code: str | None
) -> None:
    tiers = f"{{ from: {edges[0]}, rate: 0 }}, {{ from: {edges[1]}, rate: 0.1 }}"
    assert codes(schedule(tiers, f"measure: {{ growth: {{ {growth} }} }}")) == ({code} if code else set())


def test_an_unknown_currency_names_the_nearest() -> None:
    finding = only("program: a\ncurrency: UDS\n" + TIERS)
    assert finding.code == "currency_unknown"
    assert "`USD`" in finding.message


def test_points_that_read_amounts_need_their_money() -> None:
    text = "program: a\ncurrency: PTS\nsettle: { as: points }\nschedule: { tiers: [ { from: 0, per_unit: 1 } ] }\n"
    assert codes(text) == {"money_needed"}
    assert codes(text + "measure: { of: quantity }") == set()


def test_warnings_leave_the_terms_usable() -> None:
    terms, findings = loads(f"{HEAD}{TIERS}\nkinds: sale")
    assert len(terms) == 1
    assert [(each.code, each.severity) for each in findings] == [("returns_ignored", "warning")]


@pytest.mark.parametrize(
    ("key", "rule", "code"),
    [
        ("lines", "product.family = 'x' or", None),
        ("lines", "line.quantity = 'x'", "wrong_type"),
        ("lines", "customer.name = 'x'", "unknown_column"),
        ("lines", "line.quantty > 3", "rule_column_near"),
        ("partners", "line.quantity > 3", "rule_table"),
        ("gate", "line.quantity > 3", "rule_table"),
        ("gate", "seller.level = 'x'", "rule_table"),
        ("lines", "(select 1) = 1", None),
        ("verify", "line.serial_number is not null; drop table x", None),
    ],
)
def test_rules_are_checked_where_they_stand(key: str, rule: str, code: str | None) -> None:
    findings = said(f'{HEAD}{TIERS}\n{key}: "{rule}"')
    assert findings
    assert all(each[1] == 4 and each[2] is not None and each[2].startswith(key) for each in findings)
    if code:
        assert code in {each[0] for each in findings}


def test_further_columns_are_taken_on_trust_with_the_type_that_fits() -> None:
    rule = "partner.overdue = false and line.discount > 0.1 and line.signed_on >= date '2026-01-01' and product.family = 'x'"
    one(f'{HEAD}{TIERS}\nlines: "{rule}"')
    assert codes(f"{HEAD}{TIERS}\nlines: \"line.a = 'x' and line.a > 3\"") != set()


def test_with_the_caller_s_columns_nothing_else_is_there() -> None:
    columns = {"product.family": ColumnType.TEXT}
    terms = one(f"{HEAD}{TIERS}\nlines: \"product.family = 'x' and product.line = 'y'\"")
    (finding,) = check(terms, columns=columns)
    assert (finding.code, finding.column) == ("unknown_column", "lines")


def document(program: str, *more: str) -> str:
    return "\n".join((f"program: {program}", "currency: USD", TIERS, *more))


def in_group(program: str, keys: str) -> str:
    return document(program, f"combine: {{ group: g, {keys} }}")


@pytest.mark.parametrize(
    ("documents", "code"),
    [
        ([document("a"), document("a")], "version_twice"),
        ([document("a"), document("a", "version: 2")], None),
        ([document("a"), document("a", "version: 2", "measure: { every: month }")], "version_differs"),
        ([document("a"), document("a", "version: 2", "measure: { every: month }", "applies: next_period")], None),
        ([document("a"), document("a", "version: 2").replace("USD", "EUR")], "version_currency"),
        ([in_group("a", "rule: best, order: 1"), in_group("b", "rule: best, order: 1")],
         "group_order_twice"),
        ([in_group("a", "rule: best, order: 1"), in_group("b", "rule: best, order: 2")],
         None),
        ([in_group("a", "rule: best, order: 1"), document("b", "combine: { group: h, rule: best, order: 1 }")],
         None),
        ([in_group("a", "rule: best, order: 1"), in_group("b", "rule: cascade, order: 2")],
         "group_rule_mixed"),
        ([document("a", "combine: { group: g }"), document("b", "combine: { group: g }")], None),
        ([in_group("a", "rule: cascade, order: 1"),
          in_group("b", "rule: cascade, order: 2").replace("USD", "EUR")], "group_currency"),
        ([in_group("a", "rule: exclusive, order: 1"),
          in_group("b", "rule: exclusive, order: 2").replace("USD", "EUR")], None),
    ],
)  # fmt: skip
def test_documents_that_meet_agree(documents: list[str], code: str | None) -> None:
    terms, findings = loads("\n---\n".join(documents), "a.yaml")
    assert len(terms) == 2
    assert {each.code for each in findings} == ({code} if code else set())


def test_a_fault_is_told_once_and_hides_no_other() -> None:
    tiers = "  tiers:\n    - { from: 10, rate: x }\n    - { from: 5, rate: 0.1 }\n"
    text = f"{HEAD}schedule:\n{tiers}limits: {{ payout: {{ program: -1 }} }}"
    assert said(text) == [
        ("not_a_number", 5, "schedule.tiers[1].rate"),
        ("tier_edge_order", 6, "schedule.tiers[2].from"),
        ("not_positive", 7, "limits.payout.program"),
    ]


def test_a_rate_table_is_read_beside_the_document(tmp_path: Path) -> None:
    (tmp_path / "rates.csv").write_text(
        "Product;Rate;Per Unit;quantity max\n00123;2.5 %;;10\nB;;1.50;\n\n", encoding="utf-8"
    )
    (tmp_path / "a.yaml").write_text(f"{HEAD}schedule: {{ table_file: rates.csv }}", encoding="utf-8")
    (terms,), findings = load_terms([tmp_path / "a.yaml"])
    assert findings == []
    rows = [(row.product, str(row.rate), str(row.per_unit), str(row.quantity_max)) for row in terms.schedule.table]
    assert rows == [("00123", "0.025", "None", "10"), ("B", "None", "1.50", "None")]
    assert terms.schedule.table_file is None


def test_a_rate_table_is_read_from_a_spreadsheet(tmp_path: Path) -> None:
    import xlsxwriter

    with xlsxwriter.Workbook(str(tmp_path / "rates.xlsx")) as book:
        sheet = book.add_worksheet()
        for row, cells in enumerate([["product", "rate", "quantity_max"], ["A", 0.035, 100], ["007", "4 %", 2.5]]):
            sheet.write_row(row, 0, cells)
    (tmp_path / "a.yaml").write_text(f"{HEAD}schedule: {{ table_file: rates.xlsx }}", encoding="utf-8")
    (terms,), findings = load_terms([tmp_path / "a.yaml"])
    assert findings == []
    rows = [(row.product, str(row.rate), str(row.quantity_max)) for row in terms.schedule.table]
    assert rows == [("A", "0.035", "100"), ("007", "0.04", "2.5")]


def test_faults_of_a_rate_table_name_its_file_and_row(tmp_path: Path) -> None:
    (tmp_path / "rates.csv").write_text("product,rate\nA,35\nB,0.1\nC,1e3\nB,0.2\n", encoding="utf-8")
    (tmp_path / "a.yaml").write_text(f"{HEAD}schedule: {{ table_file: rates.csv }}", encoding="utf-8")
    _, findings = load_terms([tmp_path / "a.yaml"])
    assert {(each.code, Path(each.file or "").name, each.row) for each in findings} == {
        ("rate_looks_like_percent", "rates.csv", 2),
        ("not_a_number", "rates.csv", 4),
        ("row_twice", "rates.csv", 5),
    }


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("../rates.csv", None, "table_file_outside"),
        ("/etc/passwd", None, "table_file_outside"),
        ("..\\\\rates.csv", None, "table_file_outside"),
        ("rates.txt", None, "table_file_kind"),
        ("missing.csv", None, "file_missing"),
        ("r.csv", b"", "table_file_empty"),
        ("r.csv", b"product,rate\n", "table_file_empty"),
        ("r.csv", b"product,price\nA,1\n", "table_file_column"),
        ("r.csv", b"product,product\nA,1\n", "key_twice"),
        ("r.csv", b"product,rate\nA\n", "table_file_width"),
        ("r.csv", b"product,rate\n\xff,1\n", "table_file_broken"),
        ("r.csv", b'product,rate\n"A,1\n', "table_file_broken"),
        ("r.xlsx", b"not a workbook", "table_file_broken"),
    ],
)  # fmt: skip
def test_a_rate_table_that_cannot_be_read_is_a_finding(
    tmp_path: Path, name: str, content: bytes | None, code: str
) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "rates.csv").write_text("product,rate\nA,0.1\n", encoding="utf-8")
    if content is not None:
        (inside / name).write_bytes(content)
    (inside / "a.yaml").write_text(f'{HEAD}schedule: {{ table_file: "{name}" }}', encoding="utf-8")
    terms, findings = load_terms([inside / "a.yaml"])
    assert terms == ()
    assert {each.code for each in findings} == {code}


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "rates.csv").write_text("product,rate\nA,0.1\n", encoding="utf-8")
    (inside / "rates.csv").symlink_to(tmp_path / "rates.csv")
    (inside / "a.yaml").write_text(f"{HEAD}schedule: {{ table_file: rates.csv }}", encoding="utf-8")
    assert {each.code for each in load_terms([inside / "a.yaml"])[1]} == {"table_file_outside"}


def test_a_text_without_a_file_has_no_rate_table() -> None:
    assert codes(f"{HEAD}schedule: {{ table_file: rates.csv }}") == {"table_file_needs_document"}

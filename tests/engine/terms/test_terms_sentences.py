"""Partners read everything that changes what they earn, and nothing of the vendor's own."""

from copy import deepcopy
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from headrace.engine.terms import Terms, describe, sentences, template
from headrace.engine.terms.english import SENTENCES, WORDS
from headrace.engine.terms.keys import Key, leaves, words_of
from headrace.engine.terms.sentences import Condition, Percent, Quantity, Sentence, Term
from headrace.engine.terms.templates import TEMPLATES
from tests.engine.terms.made_up_terms import HEAD, TIERS, one

# The vendor's own: its provision; and what names or numbers a document without changing what it pays.
OWN = {"accrue.at", "accrue.forecast", "accrue.basis", "accrue.spread", "accrue.lump_sum"}
NAMES = {"version", "schedule.table_file"}

DAY = date(2026, 3, 1)
TIER = {"from": 0, "rate": "0.1", "per_unit": 2, "bonus": 3, "name": "Gold"}
EVERYTHING: dict[str, Any] = {
    "program": "a",
    "name": "A",
    "currency": "PTS",
    "money": "USD",
    "valid": {"from": DAY, "until": DAY + timedelta(days=90)},
    "partners": "partner.level = 'x'",
    "lines": "line.quantity > 1",
    "measure": {"of": "amount", "minus": ["cost"], "lines": "line.quantity > 2", "anchor": DAY},
    "schedule": {"tiers": [TIER, {**TIER, "from": 10}]},
    "limits": {
        "line": {"floor": 1, "cap": 9},
        "measure": {"max": 100},
        "payout": {"per_scope": 50, "program": 500},
        "prorate": "both",
        "minimum": {"amount": 5},
        "guarantee": {"amount": 10},
    },
    "combine": {"group": "g", "rule": "cascade", "order": 1},
    "gate": ["partner.overdue = false"],
    "verify": "line.proof = true",
    "settle": {"as": "points", "every": "month", "pay_day": 5, "tolerance": 3, "company": "X1"},
    "rounding": {"decimals": 0},
    "inputs": [
        {"earner": "P", "scope": {"deal": "D"}, "from": DAY, "until": DAY + timedelta(days=5), "target": 1, "baseline": 2,
         "rate": "0.3", "cap": 4, "enrolled_from": DAY, "enrolled_until": DAY + timedelta(days=9)}
    ],
}  # fmt: skip
ROW = {"product": "P", "family": "F", "region": "R", "level": "L", "rate": "0.1", "per_unit": 2, "quantity_max": 5}
BOOST = {"when": "line.quantity > 5", "factor": 2, "name": "B"}
SCHEDULES: list[dict[str, Any]] = [
    {"tiers": [{"above": 5, "down_to": 3}, {"above": 8, "margin_to": "0.1", "down_by": 3}], "free": {"lines": 3, "amount": 5}},
    {"tiers": [{"above": 8, "down_to": 3}]},
    {"table": [ROW], "fixed": 3, "boosts": [BOOST, {**BOOST, "factor": 3}]},
    {"package": {"of": 10, "pays": 3, "free": 1}},
    {"free_goods": {"buy": 10, "get": 1, "product": "P"}},
    {"price_change": {"effective": DAY, "from": 5, "to": 3}},
    {"price_change": {"effective": DAY, "drop": 3}},
    {"tiers": [TIER], "changes": [{"on": DAY, "tiers": [TIER, {**TIER, "from": 10, "above": 3, "down_to": 1, "down_by": 2,
                                                                "margin_to": "0.1"}], "table": [ROW]}]},
    {"tiers": [TIER], "changes": [{"on": DAY, "tiers": [{"above": 5, "rate": 1}, {"above": 8, "rate": 2}]}]},
]  # fmt: skip
MEASURES: list[dict[str, Any]] = [
    {"growth": {"frozen_on": DAY}},
    {"growth": {"baseline": "entered"}},
    {"target": {"value": 5}},
    {"calendar": "fiscal"},
]


def variants() -> list[dict[str, Any]]:
    """Documents that together say every key."""
    found = [EVERYTHING, {"program": "a", "currency": "USD", "schedule": {"tiers": [{"from": 0, "rate": "0.1"}]}}]
    found += [{**EVERYTHING, "schedule": each} for each in SCHEDULES]
    found += [{**EVERYTHING, "measure": each} for each in MEASURES]
    return found


def told(data: dict[str, Any]) -> list[str]:
    return describe(Terms.model_validate(data), earner="P")


def readable(data: dict[str, Any]) -> bool:
    try:
        Terms.model_validate(data)
    except ValidationError:
        return False
    return True


def changed(data: dict[str, Any], key: Key) -> list[dict[str, Any]]:
    """Give the document with other values at the key, wherever it can be written."""
    results = []
    terms = Terms.model_validate(data)
    for value in _others(_at(terms, key.path), key):
        other = deepcopy(data)
        here: Any = other
        for step in key.path[:-1]:
            here = here.setdefault(step, {})
            here = here[-1] if isinstance(here, list) else here
        here[key.path[-1]] = value
        results.append(other)
    return results


def _at(terms: Terms, path: tuple[str, ...]) -> Any:
    value: Any = terms.model_dump(by_alias=True)
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
        if isinstance(value, tuple | list) and step != path[-1]:
            value = value[-1] if value else None
    return value


WORDS_INSTEAD: dict[str, Any] = {
    "of": "gross",
    "minus": ["gross"],
    "per": ["deal"],
    "gate": ["partner.x = 'y'"],
    "type": "spiff",
    "currency": "XPT",
    "money": "EUR",
    "pays_on": "gross",
    "cost_basis": "fifo",
    "group": "h",
}


def _others(value: Any, key: Key) -> list[Any]:
    words = words_of(key.field.annotation)
    if words:
        return [[word] if key.many else word for word in words if value not in (word, (word,))]
    if key.path[-1] == "scope":
        return [{"deal": "E"}]
    if key.many or isinstance(value, str) or key.path[-1] == "pays_on":
        return [WORDS_INSTEAD.get(key.path[-1], "line.quantity > 7" if " " in str(value) else "other")]
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, Decimal | int):
        return [value + 1]
    return [value + timedelta(days=1)] if isinstance(value, date) else []


def test_every_key_that_changes_what_is_earned_is_said() -> None:
    said: set[str] = set()
    for key in leaves():
        path = ".".join(key.path)
        for data in variants():
            for other in changed(data, key):
                if readable(other) and told(other) != told(data):
                    said.add(path)
    every = {".".join(key.path) for key in leaves()}
    assert every - said == OWN | NAMES
    assert said & OWN == set()


def test_every_sentence_has_words_for_every_parameter() -> None:
    for data in variants():
        for text in [*told(data), *describe(Terms.model_validate(data))]:
            assert "_" not in text.replace("price_list", ""), text
            assert "{" not in text, text


def test_every_word_of_the_model_has_words() -> None:
    tables = {
        "kinds": "kinds",
        "earner": "earner",
        "stage": "stage",
        "mode": "mode",
        "late": "late",
        "baseline": "baseline",
    }
    for key in leaves():
        if key.path[-1] in tables and len(key.path) <= 3 and words_of(key.field.annotation):
            known = WORDS[tables[key.path[-1]]]
            assert set(words_of(key.field.annotation)) <= set(known), key.path
    assert set(TEMPLATES) == set(WORDS["type"])


def test_a_volume_rebate_reads_as_a_partner_expects() -> None:
    assert describe(one(template("volume_rebate"))) == [
        "EMEA Q3 volume rebate is a volume rebate.",
        "It counts sales and returns from distributors to resellers, measured for the seller.",
        "It applies to what is dated from 1 July 2026 to 30 September 2026.",
        "The measure is net value, added up per partner each quarter.",
        "Each tier pays on the part inside it.",
        "From 0 USD (Start): nothing.",
        "From 100,000 USD (Silver): 2 % of net value.",
        "From 250,000 USD (Gold): 3.5 % of net value.",
        "A statement of less than 50 USD is carried forward to the next.",
        "A period that ends below zero owes nothing.",
        "It is paid as a credit memo.",
        "Lines that arrive within 30 days after the period still belong to it.",
        "Lines that arrive later are settled with the next period.",
        "It is payable 30 days after the period ends.",
        "Amounts in another currency are converted to USD by the rate of their own day, or the nearest before it by at most "
        "7 days.",
        "What rounding cuts off is not carried on.",
    ]


@pytest.mark.parametrize(
    ("growth", "edge", "sentence"),
    [
        ("as: multiple", "1.10", "From 110 % of the baseline: 2 % of net value."),
        ("as: percent", "10", "From 10 % more than the baseline: 2 % of net value."),
        ("as: amount", "50000", "From 50,000 USD more than the baseline: 2 % of net value."),
    ],
)
def test_growth_is_said_as_it_is_written(growth: str, edge: str, sentence: str) -> None:
    tiers = f"schedule: {{ tiers: [ {{ from: {edge}, rate: 2 % }} ] }}"
    assert sentence in describe(one(f"{HEAD}measure: {{ growth: {{ {growth} }} }}\n{tiers}"))


def test_another_partner_s_inputs_are_not_said() -> None:
    terms = one(f"{HEAD}{TIERS}\ninputs: [ {{ earner: SECRET, cap: 777 }}, {{ earner: OWN, cap: 555 }} ]")
    public, own = " ".join(describe(terms)), " ".join(describe(terms, earner="OWN"))
    assert "limits of the payout are agreed" in public
    assert "SECRET" not in public + own
    assert "777" not in public + own
    assert "555" not in public
    assert "Your statements pay at most 555 USD" in own


def test_sentences_are_codes_with_typed_parameters() -> None:
    found = {each.code: each for each in sentences(one(f"{HEAD}{TIERS}\nlimits: {{ payout: {{ program: 1000 }} }}"))}
    assert set(found) <= set(SENTENCES)
    assert found["payout_program"].parameters["amount"] == Quantity(Decimal(1000), "USD")
    rate = Sentence("pays_rate", {"rate": Percent(Decimal("0.02")), "base": Term("base", "amount")})
    assert found["flat"].parameters["pays"] == [rate]


def test_a_rule_is_said_in_words_and_a_broken_one_as_it_stands() -> None:
    assert Sentence("lines", {"rule": Condition("product.family in ('a', 'b')")}).text == (
        "A line earns where the product’s family is a or b"
    )
    assert Sentence("lines", {"rule": Condition("((")}).text == "A line earns where (("

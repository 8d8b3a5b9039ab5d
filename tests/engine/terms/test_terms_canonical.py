"""What is written back reads the same, and equal terms have equal hashes."""

from pathlib import Path

import pytest
from hypothesis import given, settings

from headrace.engine.findings import has_errors
from headrace.engine.terms import TEMPLATES, Terms, check, dump, dump_json, loads, template, terms_hash
from headrace.engine.terms.expanding import expand
from headrace.engine.terms.json_text import read_json
from headrace.engine.terms.published import GENERATED, reference, schema_text
from headrace.engine.terms.yaml_text import read_yaml
from tests.engine.terms.any_terms import any_terms
from tests.engine.terms.made_up_terms import HEAD, TIERS, one

ROOT = Path(__file__).parents[3]


def modelled(text: str, *, json: bool) -> Terms:
    """Read a text into the model without judging it."""
    (document,), findings = read_json(text, None) if json else read_yaml(text, None)
    assert findings == document.faults == []
    expand(document)
    return Terms.model_validate(document.data, by_alias=True, by_name=False)


@settings(max_examples=100, deadline=None)
@given(any_terms())
def test_any_terms_survive_yaml_and_json(terms: Terms) -> None:
    for text, is_json in ((dump(terms), False), (dump_json(terms), True)):
        again = modelled(text, json=is_json)
        assert again == terms
        assert terms_hash(again) == terms_hash(terms)
    if not has_errors(check(terms)):
        read, findings = loads(dump(terms))
        assert read == (terms,) or has_errors(findings)


@settings(max_examples=100, deadline=None)
@given(any_terms())
def test_a_check_of_any_terms_gives_findings_only(terms: Terms) -> None:
    assert all(finding.message and finding.column is not None for finding in check(terms))


@pytest.mark.parametrize("type_name", sorted(TEMPLATES))
def test_starters_read_without_a_finding_and_come_back_short(type_name: str) -> None:
    terms = one(template(type_name))
    assert terms.type == type_name
    text = dump(terms)
    assert one(text) == terms
    assert len(text.splitlines()) <= len(template(type_name).splitlines()) + 2


def test_a_short_document_stays_short() -> None:
    assert dump(one(f"{HEAD}{TIERS}\nmeasure: {{ of: amount, per: earner, every: quarter }}\nversion: 1")) == (
        "program: a\ncurrency: USD\nschedule:\n  tiers:\n  - {from: 0, rate: 0.02}\n"
    )


def test_a_type_s_presumptions_are_not_written_and_what_departs_from_them_is() -> None:
    text = f"{HEAD}type: spiff\nmeasure: {{ every: quarter }}\nschedule: {{ tiers: [ {{ from: 0, per_unit: 1 }} ] }}\n"
    terms = one(text)
    assert (terms.earner, terms.measure.of, terms.settle.as_) == ("rep", "quantity", "payment")
    written = dump(terms)
    assert "earner" not in written
    assert "every: quarter" in written  # the model's default, but not the type's
    assert one(written) == terms


def test_the_hash_covers_what_is_said_and_nothing_else() -> None:
    plain = one(f"{HEAD}{TIERS}")
    same = [
        '{"program": "a", "currency": "USD", "schedule": {"tiers": [{"rate": "2.00 %", "from": 0.0}]}}',
        f"# a comment\n{HEAD}schedule:\n  tiers:\n  - from: 0.000\n    rate: 0.0200\nversion: 1\nkinds: [return, sale]\n",
    ]
    other = [f"{HEAD}{TIERS.replace('0.02', '0.020001')}", f"{HEAD}{TIERS}\nversion: 2", f"{HEAD}{TIERS}\nname: A"]
    assert {terms_hash(one(text)) for text in same} == {terms_hash(plain)}
    assert terms_hash(plain) not in {terms_hash(one(text)) for text in other}


def test_the_hash_of_a_document_never_changes() -> None:
    # Statements cite it for years. SHA-256 of the text below, worked out with sha256sum.
    text = '{"currency":"USD","program":"a","schedule":{"tiers":[{"from":"0","rate":"0.02"}]}}'
    import hashlib

    assert terms_hash(one(f"{HEAD}{TIERS}")) == hashlib.sha256(text.encode()).hexdigest()


def test_the_published_schema_is_that_of_the_model() -> None:
    assert (ROOT / "schemas" / "program.schema.json").read_text(encoding="utf-8") == schema_text()


def test_the_published_reference_is_that_of_the_model() -> None:
    page = (ROOT / "docs" / "terms.md").read_text(encoding="utf-8")
    assert page.partition(GENERATED)[2] == f"\n\n{reference()}"


def test_examples_of_the_reference_are_right() -> None:
    page = (ROOT / "docs" / "terms.md").read_text(encoding="utf-8").partition(GENERATED)[0]
    blocks = [block.partition("```")[0] for block in page.split("```yaml\n")[1:]]
    assert len(blocks) == 2
    for block in blocks:
        one(block)


def test_every_key_is_described() -> None:
    from headrace.engine.terms.keys import keys

    assert [key.path for key in keys() if not key.field.description] == []

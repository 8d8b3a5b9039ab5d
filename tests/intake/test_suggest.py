"""A proposed profile: right about what the file tells, and asking about what it cannot tell."""

from decimal import Decimal
from pathlib import Path

import pytest

from headrace.engine.findings import Refusal
from headrace.intake.profile import parse_profile
from headrace.intake.suggest import Suggestion, suggest_profile

from .conftest import WriteFile
from .desk import Desk, counts


def _decide(suggestion: Suggestion) -> set[str]:
    return {note.about for note in suggestion.notes if note.decide}


def test_reads_german_headers_and_notation(write: WriteFile, desk: Desk) -> None:
    path = write(
        "händler märz.csv",
        "Rechnungsnummer;Position;Rechnungsdatum;Händlernummer;Artikelnummer;Stückzahl;Nettobetrag;Währung\n"
        "R1;1;13.03.2026;H1;X;1.000;1.234,50;EUR\nR1;2;13.03.2026;H1;Y;2;0,99;EUR\n",
    )
    suggestion = suggest_profile(path)
    assert suggestion.document["fields"] == {
        "invoice_number": "Rechnungsnummer",
        "invoice_line": "Position",
        "occurred_on": "Rechnungsdatum",
        "partner_id": "Händlernummer",
        "product_id": "Artikelnummer",
        "quantity": "Stückzahl",
        "amount": "Nettobetrag",
        "currency": "Währung",
        "kind": {"constant": "sale"},
        "stage": {"constant": "sell_through"},
    }
    assert suggestion.document["dates"] == {"order": "dmy"}
    assert suggestion.document["numbers"] == {"decimal": ",", "thousands": "."}
    assert _decide(suggestion) == {"fields.kind", "fields.stage", "source"}
    report = desk.load_file(parse_profile(suggestion.to_yaml()), path)
    assert counts(report) == (2, 2, 0, 0, 0)
    assert report.loaded.amounts == {"EUR": Decimal("1235.49")}


def test_reads_spanish_headers(write: WriteFile) -> None:
    path = write(
        "ventas.csv",
        "Factura,Línea,Fecha,Distribuidor,Código,Cantidad,Precio unitario,Importe\nF1,1,31/01/2026,D1,X,2,1.50,3.00\n",
    )
    suggestion = suggest_profile(path)
    assert {name: c for name, c in suggestion.document["fields"].items() if isinstance(c, str)} == {
        "invoice_number": "Factura",
        "invoice_line": "Línea",
        "occurred_on": "Fecha",
        "partner_id": "Distribuidor",
        "product_id": "Código",
        "quantity": "Cantidad",
        "unit_price": "Precio unitario",
        "amount": "Importe",
    }
    assert "fields.currency" in _decide(suggestion)


def test_asks_where_day_and_month_could_be_swapped(write: WriteFile) -> None:
    head = "invoice,line,date,sku,qty,amount\n"
    suggestion = suggest_profile(write("a.csv", head + "1,1,03/04/2026,X,1,1.5\n1,2,05/06/2026,X,1,1.5\n"))
    assert "dates.order" in _decide(suggestion)
    suggestion = suggest_profile(write("b.csv", head + "1,1,03/04/2026,X,1,1.5\n1,2,05/16/2026,X,1,1.5\n"))
    assert suggestion.document["dates"] == {"order": "mdy"}
    assert "dates.order" not in _decide(suggestion)


def test_asks_where_a_mark_can_be_decimal_or_thousands(write: WriteFile) -> None:
    suggestion = suggest_profile(write("a.csv", 'invoice,line,date,sku,qty,amount\n1,1,2026-04-03,X,1,"1,234"\n'))
    assert "numbers" in _decide(suggestion)


def test_a_placeholder_currency_never_loads(write: WriteFile, desk: Desk) -> None:
    path = write("a.csv", "invoice,line,date,sku,qty,amount\n1,1,2026-04-03,X,1,1.5\n")
    report = desk.load_file(suggest_profile(path).profile(), path)
    assert counts(report) == (1, 0, 1, 0, 0)


def test_takes_the_content_where_nothing_tells_rows_apart(write: WriteFile) -> None:
    suggestion = suggest_profile(
        write("a.csv", "invoice,date,sku,qty,amount\n1,2026-04-03,X,1,1\n1,2026-04-03,Y,-1,-1\n")
    )
    assert suggestion.document["line_key"] == {"columns": ["invoice"], "content": True}
    assert suggestion.document["negative_is_return"] is True
    assert {"line_key", "negative_is_return"} <= _decide(suggestion)


def test_refuses_what_holds_no_table(write: WriteFile, tmp_path: Path) -> None:
    for path in (write("empty.csv", ""), tmp_path / "none.csv"):
        with pytest.raises(Refusal):
            suggest_profile(path)


def test_warns_of_the_mangled_export(real_data: Path) -> None:
    path = real_data / "dirty_reseller_export/reseller_sales_locale_mangled_small.csv.gz"
    suggestion = suggest_profile(path)
    assert {"numbers", "numbers.thousands"} <= _decide(suggestion)
    assert suggestion.document["dates"] == {"order": "dmy"}

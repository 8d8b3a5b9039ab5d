"""docs/api.md: its examples, run by curl against a server as they stand, and its table of scopes."""

import re
from pathlib import Path

from headrace.foundation.roles import SCOPES, Scope
from tests.server.test_api_once import in_process, told
from tests.server.test_worker_crashes import name_database

DOCS = Path(__file__).parents[2] / "docs" / "api.md"


def test_every_scope_is_in_the_table() -> None:
    table = DOCS.read_text(encoding="utf-8").partition("## Scopes")[2]
    assert re.findall(r"^\| (\w+) \|", table, re.MULTILINE)[1:] == [scope.value for scope in Scope] == list(SCOPES)


def test_the_examples_do_what_they_say(tmp_path: Path) -> None:
    name_database(tmp_path, template=None)
    me, delivery, page, version, balances, figures = told(in_process(tmp_path, "documented"))
    assert me["email"] == "loader@example.com"
    assert (delivery["name"], delivery["state"]) == ("january.csv", "queued")
    assert [each["delivery"] for each in page["items"]] == [delivery["delivery"]]
    assert page["next"]
    assert (version["program"], version["number"], version["state"]) == ("summer", 1, "draft")
    # A: 600 × 10 %, by the file that was there before.
    assert [(each["key"]["payee_id"], each["earned"]) for each in balances["items"]] == [("A", "60.000000")]
    # 60 and 5 are provided for.
    by_kind = {each["kind"]: (each["debit"], each["credit"]) for each in figures["items"]}
    assert by_kind == {"contra_revenue": ("65.00", "0.00"), "accrued": ("0.00", "65.00")}

"""The page for channel analysts says what is so: every example reads, every table holds."""

import re
from pathlib import Path

import pytest

from headrace.engine.rules import Columns, ColumnType, RuleError, parse

PAGE = (Path(__file__).parents[3] / "docs" / "rules.md").read_text(encoding="utf-8")
TYPES: dict[ColumnType, str] = {
    ColumnType.TEXT: "partner.region partner.level product.family product.name buyer.region line.Ship-to_country",
    ColumnType.DECIMAL: "line.quantity line.amount line.gross_amount line.cost",
    ColumnType.DATE: "line.occurred_on partner.since",
    ColumnType.BOOLEAN: "line.internal partner.certified",
}
COLUMNS: Columns = {
    name.replace("_country", " country"): kind for kind, names in TYPES.items() for name in names.split()
}
EXAMPLES = [line for block in re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
OPERATORS = [
    words for row in re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE) for words in re.findall(r"`([^`]+)`", row)
]
LEFT = {"like": "partner.region", "in": "partner.region", "is true": "line.internal", "is false": "line.internal"}


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_example_is_a_rule(text: str) -> None:
    assert parse(text, COLUMNS).describe()


@pytest.mark.parametrize("words", [words for words in OPERATORS if re.match("between|in |like|is", words)])
def test_every_operator_of_the_table_is_one(words: str) -> None:
    plain = words.replace("not ", "")
    left = next((column for start, column in LEFT.items() if plain.startswith(start)), "line.quantity")
    parse(f"{left} {words}", COLUMNS)


@pytest.mark.parametrize(("level", "row"), [("gold", "| gold |"), ("silver", "| silver |"), (None, "| *null* |")])
def test_the_table_of_missing_values_holds(level: str | None, row: str) -> None:
    (line,) = [line for line in PAGE.splitlines() if line.startswith(row)]
    outcomes = [{"true": True, "false": False, "unknown": None}[cell.strip(" *")] for cell in line.split("|")[2:5]]
    rules = re.findall(r"`([^`]+)`", next(line for line in PAGE.splitlines() if line.startswith("| partner.level |")))
    assert [parse(text, COLUMNS).evaluate({"partner.level": level}) for text in rules] == outcomes


def test_the_fault_of_the_page_is_told_like_that() -> None:
    message = re.findall(r"```text\n(.*?)\n```", PAGE, re.DOTALL)[0]
    with pytest.raises(RuleError) as refused:
        parse(message.splitlines()[1].strip(), COLUMNS)
    assert refused.value.pointed() == message

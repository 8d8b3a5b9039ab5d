"""Targets, entered baselines, own rates and caps of partners, from a CSV file into a draft.

They are approved with the version, never beside it.
"""

import csv
import io
from datetime import datetime

from pydantic import ValidationError

from headrace.engine.findings import Finding, Refusal
from headrace.engine.terms import dump
from headrace.engine.terms.model import Input
from headrace.foundation import access
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission
from headrace.programs import versions

COLUMNS = ("earner", "from", "until", "target", "baseline", "rate", "cap")
ROWS_MAX = 20_000
SIZE_MAX = 2 * 1024 * 1024


def load(*, program: str, content: bytes, by: Person, at: datetime) -> int:
    """Put the rows of a file in the place of a program's `inputs`; enrolments written in the terms stay.

    Gives the number of the version. The newest version gets them if it is a draft; otherwise a draft of the next number is made,
    which amends it. Its text is written anew, so comments are lost. Refused with every fault as a finding (`inputs_faulty`).
    """
    access.require(by, VENDOR, Permission.AUTHOR_TERMS, at.date())
    rows = read(content)
    newest = versions.newest(program)
    kept = tuple(row for row in newest.terms.inputs if row.enrolled_from is not None)
    number = newest.terms.version if newest.state == "draft" else newest.terms.version + 1
    terms = newest.terms.model_copy(update={"inputs": (*kept, *rows), "version": number})
    versions.draft(text=dump(terms), by=by, at=at)
    return number


def read(content: bytes) -> tuple[Input, ...]:
    """Read the rows of a CSV file: a column `earner`, and any of the others; an empty cell says nothing."""
    if len(content) > SIZE_MAX:
        raise Refusal(
            "inputs_faulty", f"The file is larger than {SIZE_MAX // 2**20} MiB. Leave out what is not needed."
        )
    try:
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        header = [name.strip() for name in reader.fieldnames or ()]
        given = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise Refusal("inputs_faulty", f"The file is no CSV in UTF-8 ({error}). Save it again as CSV.") from error
    unknown = sorted(set(header) - set(COLUMNS))
    if "earner" not in header or unknown or not given or len(given) > ROWS_MAX:
        raise Refusal(
            "inputs_faulty",
            f"The file needs the column earner, may have {', '.join(COLUMNS[1:])}, and 1 to {ROWS_MAX:,} rows"
            + (f"; it also has {', '.join(unknown)}." if unknown else "."),
        )
    rows: list[Input] = []
    findings: list[Finding] = []
    seen: dict[tuple[str, str, str], int] = {}
    for number, row in enumerate(given, start=2):
        cells = {str(name).strip(): str(text).strip() for name, text in row.items() if name and text and text.strip()}
        key = (cells.get("earner", ""), cells.get("from", ""), cells.get("until", ""))
        if key in seen:
            findings.append(_finding(number, "earner", f"row {seen[key]} names {key[0]!r} and these days already"))
        seen[key] = number
        try:
            rows.append(Input.model_validate(cells))
        except ValidationError as error:
            findings += [
                _finding(number, ".".join(map(str, each["loc"])), str(each["msg"])) for each in error.errors()
            ]  # fmt: skip
    if findings:
        told = " ".join(f"Row {each.row}, {each.column}: {each.message}." for each in findings[:3])
        raise Refusal("inputs_faulty", f"The file has {len(findings)} fault(s). {told}", findings=findings)
    return tuple(rows)


def _finding(row: int, column: str, message: str) -> Finding:
    return Finding(code="inputs_row", row=row, column=column, message=message)

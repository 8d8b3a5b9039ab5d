"""Steps that the tests of master data share."""

from datetime import date, datetime

from headrace.engine.findings import Finding
from headrace.foundation.models import Person
from headrace.masterdata import importing
from headrace.masterdata.importing import Run, Upload
from tests.server.conftest import NOW


def day(text: str) -> date:
    return date.fromisoformat(text)


def load(
    what: str, content: str | bytes, by: Person, *, at: datetime = NOW, source: str = "erp", **options: object
) -> tuple[Run, tuple[Finding, ...]]:
    """Bring a file in, as the page and the job do."""
    data = content.encode() if isinstance(content, str) else content
    name = "file.xlsx" if data.startswith(b"PK") else "file.csv"
    upload = Upload(what=what, source=source, name=name, content=data, from_on=at.date(), **options)  # type: ignore[arg-type]
    run = importing.request_import(upload, by=by, at=at)
    importing.run_import(run=run, at=at)
    return importing.run_with_findings(run=run, viewer=by, at=at)


def codes(findings: tuple[Finding, ...]) -> list[tuple[str, int | None, str | None]]:
    return [(finding.code, finding.row, finding.column) for finding in findings]

"""The lake of the tests with its register, balances and book in the application's database."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from django.utils import timezone

from headrace.engine.findings import Refusal
from headrace.foundation.models import Person
from headrace.lake import Lake
from headrace.programs.book import DatabaseBook
from headrace.programs.models import Program, Version
from headrace.sales import references
from headrace.sales.register import DatabaseRegister


class TestBook(DatabaseBook):
    """The book, filled by hand as the tests of the port do: without people who author and approve."""

    __test__ = False

    def set_reference(self, kind: str, content_hash: str, *, source: str) -> bool:
        return references.put_in_force(kind=kind, content_hash=content_hash, source=source, rows=0, at=timezone.now())

    def set_program(self, program: str, version: int, *, content_hash: str, document: Mapping[str, object]) -> bool:
        known = Version.objects.filter(program__code=program, number=version).first()
        if known is not None and known.state == Version.State.ACTIVE:
            if known.terms_hash != content_hash:
                raise Refusal("version_taken", "a version never changes")
            return False
        author = Person.objects.filter(email="author@example.com").first()
        if author is None:
            author = Person(email="author@example.com", joined_at=timezone.now())
            author.save()
        found = Program.objects.filter(code=program).first() or Program(
            code=program, owner=author, opened_at=timezone.now()
        )
        found.save()
        Version(
            program=found, number=version, state=Version.State.ACTIVE, written="", document=json.loads(json.dumps(document)),
            terms_hash=content_hash, author=author, drafted_at=timezone.now(), activated_at=timezone.now(),
        ).save()  # fmt: skip
        return True

    def remove_program(self, program: str) -> bool:
        """Take a program out of those that are followed, as no service does."""
        versions = list(Version.objects.filter(program__code=program, state=Version.State.ACTIVE))
        for version in versions:
            version.state, version.activated_at = Version.State.DRAFT, None
            version.save()
        return bool(versions)


@contextmanager
def opened(folder: Path) -> Iterator[tuple[Lake, TestBook]]:
    """Open a new lake whose register, balances and book lie in the database."""
    lake = Lake.create(folder, register=DatabaseRegister())
    yield lake, TestBook()
    lake.close()

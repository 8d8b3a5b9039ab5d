"""Entries and facts: written by revisions under one lock, read as known at a revision. Permissions are the callers' business."""

import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import QuerySet

from headrace.foundation import acts, events
from headrace.masterdata.kinds import EXISTS
from headrace.masterdata.models import Entry, Fact, Head, Revision
from headrace.masterdata.timeline import Span, Spans, clip, paint, painted, says

BATCH = 2_000
CHANGED = "masterdata_changed"
"""The event: there is a new revision."""
_NAMES_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Statement:
    """A value of an entry's field over days; None: there is none."""

    code: str
    field: str
    span: Span


class Writing:
    """A revision under way. It is made with the first fact that is new; without one there is none."""

    def __init__(self, act: acts.Act, head: Head, source: str) -> None:
        self._act, self._head, self._source = act, head, source
        self._revision: Revision | None = None
        self._position = 0

    @property
    def revision(self) -> Revision | None:
        """Give the revision, once there is one."""
        return self._revision

    def begin(self) -> Revision:
        """Give the revision, and make it where there is none yet. Its instant is never before that of the one before it."""
        if self._revision is None:
            last = Revision.objects.filter(seq=self._head.seq).first()
            at = max(self._act.at, last.at) if last else self._act.at
            self._head.seq += 1
            self._revision = Revision.objects.create(seq=self._head.seq, at=at, act=self._act.name, source=self._source)
            self._head.save()
        return self._revision

    def note(self, record: str, record_id: str, before: Mapping[str, object], after: Mapping[str, object]) -> None:
        """Note a change in the audit trail that is no fact."""
        self._act.note(record, record_id, before, after)

    def write(self, kind: str, statements: Sequence[Statement]) -> int:
        """Write what is not known yet, opening entries that are new; gives how many facts were written."""
        entries = entries_of(kind, {each.code for each in statements})
        known = {entry.code: entry for entry in entries}
        held = history(kind, codes=known, fields={each.field for each in statements})
        facts: list[tuple[Statement, Spans]] = []
        for each in statements:
            of_entry = held.setdefault(each.code, {})
            spans = of_entry.get(each.field, ())
            if says(spans, each.span):
                continue
            facts.append((each, clip(spans, each.span)))
            of_entry[each.field] = paint(spans, each.span)
        if facts:
            self._open(kind, known, sorted({each.code for each, _ in facts} - set(known)))
            self._insert(kind, known, facts)
        return len(facts)

    def _open(self, kind: str, known: dict[str, Entry], codes: Sequence[str]) -> None:
        revision = self.begin()
        new = [Entry(kind=kind, code=code, revision=revision) for code in codes]
        Entry.objects.bulk_create(new, batch_size=BATCH)
        for entry in new:
            known[entry.code] = entry
            self._act.note(f"masterdata.{kind}", str(entry.pk), {}, {"code": entry.code})

    def _insert(self, kind: str, known: Mapping[str, Entry], facts: Sequence[tuple[Statement, Spans]]) -> None:
        revision = self.begin()
        rows: list[Fact] = []
        for each, before in facts:
            entry = known[each.code]
            self._position += 1
            span = each.span
            rows.append(
                Fact(
                    entry=entry,
                    field=each.field,
                    value=span.value,
                    from_on=span.from_on,
                    until_on=span.until_on,
                    revision=revision,
                    position=self._position,
                )
            )
            record, record_id = f"masterdata.{kind}", str(entry.pk)
            self._act.note(record, record_id, {each.field: _shown(before)}, {each.field: _shown((span,))})
        Fact.objects.bulk_create(rows, batch_size=BATCH)


def _shown(spans: Spans) -> list[list[object]]:
    return [[span.from_on, span.until_on, span.value] for span in spans]


@contextmanager
def revising(act: str, *, source: str, at: datetime) -> Iterator[Writing]:
    """Open an act in which facts are written, one writer after the other."""
    with acts.act(act, at=at) as under_way:
        writing = Writing(under_way, Head.objects.select_for_update().get(), source)
        yield writing
        if writing.revision is not None:
            events.announce(CHANGED)


def last_revision() -> int:
    """Give the number of the last revision; 0 where there is none."""
    return Head.objects.get().seq


def still_last(revision: int) -> bool:
    """Tell whether the revision is the last, and hold writers back until the transaction that is under way ends."""
    return bool(Head.objects.select_for_update().get().seq == revision)


def revision_known(at: datetime) -> int:
    """Give the last revision that was known at the instant."""
    seq = Revision.objects.filter(at__lte=at).order_by("-seq").values_list("seq", flat=True).first()
    return seq or 0


def entries_of(kind: str, codes: Collection[str]) -> list[Entry]:
    """Give those of the codes that are entries."""
    listed = sorted(codes)
    found: list[Entry] = []
    for start in range(0, len(listed), _NAMES_AT_ONCE):
        found += Entry.objects.filter(kind=kind, code__in=listed[start : start + _NAMES_AT_ONCE])
    return found


def known_codes(kind: str, codes: Collection[str]) -> frozenset[str]:
    """Give those of the codes that are entries."""
    return frozenset(entry.code for entry in entries_of(kind, codes))


def codes_of(kind: str) -> frozenset[str]:
    """Give the codes of all entries of a kind."""
    return frozenset(Entry.objects.filter(kind=kind).values_list("code", flat=True))


def codes_starting(kind: str, start: str) -> frozenset[str]:
    """Give the codes of a kind that start so, to the letter."""
    found = Entry.objects.filter(kind=kind, code__startswith=start).values_list("code", flat=True)
    return frozenset(code for code in found if code.startswith(start))


type History = dict[str, dict[str, Spans]]


def history(
    kind: str,
    *,
    codes: Collection[str] | None = None,
    fields: Collection[str] | None = None,
    revision: int | None = None,
) -> History:
    """Give what holds when: code → field → spans. codes, fields: only these. revision: as known at it, or now.

    An entry of which nothing is known is not there.
    """
    facts = Fact.objects.filter(entry__kind=kind)
    if fields is not None:
        facts = facts.filter(field__in=sorted(fields))
    if revision is not None:
        facts = facts.filter(revision_id__lte=revision)
    said: dict[str, dict[str, list[Span]]] = {}
    for part in _parts(facts, codes):
        rows = part.order_by("revision_id", "position").values_list(
            "entry__code", "field", "from_on", "until_on", "value"
        )
        for code, field, from_on, until_on, value in rows.iterator(chunk_size=BATCH):
            said.setdefault(code, {}).setdefault(field, []).append(Span(from_on, until_on, value))
    return {
        code: {field: painted(spans) for field, spans in by_field.items()} for code, by_field in sorted(said.items())
    }


def _parts(facts: QuerySet[Fact], codes: Collection[str] | None) -> Iterable[QuerySet[Fact]]:
    if codes is None:
        yield facts
        return
    listed = sorted(codes)
    for start in range(0, len(listed), _NAMES_AT_ONCE):
        yield facts.filter(entry__code__in=listed[start : start + _NAMES_AT_ONCE])


def codes_where(kind: str, field: str, value: str) -> frozenset[str]:
    """Give the entries of which a fact ever named the value; whether it holds on a day, their history tells."""
    facts = Fact.objects.filter(entry__kind=kind, field=field, value=value)
    return frozenset(facts.values_list("entry__code", flat=True))


@dataclass(frozen=True, slots=True)
class Said:
    """One fact as it was said: since which revision it is known, when and by which source and act."""

    field: str
    value: str | None
    from_on: date | None
    until_on: date | None
    revision: int
    at: datetime
    source: str
    act: str


def said_of(entry: uuid.UUID) -> tuple[Said, ...]:
    """List all facts of an entry, the latest known first."""
    rows = Fact.objects.filter(entry=entry).exclude(field=EXISTS).select_related("revision")
    return tuple(
        Said(
            row.field,
            row.value,
            row.from_on,
            row.until_on,
            row.revision.seq,
            row.revision.at,
            row.revision.source,
            row.revision.act,
        )
        for row in rows.order_by("-revision_id", "-position")
    )

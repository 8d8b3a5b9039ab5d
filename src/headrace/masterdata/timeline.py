"""What holds when: facts painted one over the other give the spans of days on which a value holds. Pure.

Intervals are half-open; None is unbounded. A value of None says that there is no value.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise

type Spans = tuple["Span", ...]

FIRST, LAST = date.min, date.max


@dataclass(frozen=True, slots=True)
class Span:
    """A value from a day until before another."""

    from_on: date | None
    until_on: date | None
    value: str | None

    @property
    def start(self) -> date:
        """Give the first day."""
        return self.from_on or FIRST

    @property
    def end(self) -> date:
        """Give the day after the last."""
        return self.until_on or LAST

    def covers(self, day: date) -> bool:
        """Tell whether it holds on the day."""
        return self.start <= day < self.end


def paint(spans: Spans, new: Span) -> Spans:
    """Say a value for some days over what held before; the rest stays. Gives spans with values, in order, joined where equal.

    >>> year = Span(date(2026, 1, 1), None, "silver")
    >>> [span.value for span in paint((year,), Span(date(2026, 7, 1), date(2026, 8, 1), "gold"))]
    ['silver', 'gold', 'silver']
    """
    pieces = [piece for span in spans for piece in _outside(span, new)]
    if new.value is not None:
        pieces.append(new)
    return _joined(sorted(pieces, key=lambda span: span.start))


def painted(facts: Iterable[Span]) -> Spans:
    """Paint facts in the order in which they became known."""
    spans: Spans = ()
    for fact in facts:
        spans = paint(spans, fact)
    return spans


def says(spans: Spans, said: Span) -> bool:
    """Tell whether the value holds on all of the days already."""
    return clip(spans, said) == ((said,) if said.value is not None else ())


def clip(spans: Spans, days: Span) -> Spans:
    """Give what holds within the days."""
    return tuple(
        replace(
            span,
            from_on=span.from_on if span.start > days.start else days.from_on,
            until_on=span.until_on if span.end < days.end else days.until_on,
        )
        for span in spans
        if span.start < days.end and days.start < span.end
    )


def within(spans: Spans, lives: Spans) -> Spans:
    """Give what holds on the days on which there is life."""
    return tuple(piece for life in lives for piece in clip(spans, life))


def on(spans: Spans, day: date) -> str | None:
    """Give the value of a day."""
    return next((span.value for span in spans if span.covers(day)), None)


@dataclass(frozen=True, slots=True)
class Row:
    """All values of an entry over days on which none of them changes."""

    from_on: date | None
    until_on: date | None
    values: Mapping[str, str]


def rows(exists: Spans, fields: Mapping[str, Spans]) -> tuple[Row, ...]:
    """Cut the days on which an entry is there wherever one of its values changes; values that there are none of are left out."""
    cut: list[Row] = []
    for life in exists:
        inside = {field: clip(spans, life) for field, spans in fields.items()}
        edges = {edge for spans in inside.values() for span in spans for edge in (span.start, span.end)}
        days = sorted({life.start, life.end, *edges})
        for start, end in pairwise(days):
            values = {field: value for field, spans in inside.items() if (value := on(spans, start)) is not None}
            before = cut[-1] if cut else None
            if before is not None and before.until_on == start and before.values == values:
                cut[-1] = Row(before.from_on, _open(end, LAST), values)
            else:
                cut.append(Row(_open(start, FIRST), _open(end, LAST), values))
    return tuple(cut)


def _open(day: date, bound: date) -> date | None:
    return None if day == bound else day


def _outside(span: Span, cover: Span) -> Iterable[Span]:
    if span.end <= cover.start or cover.end <= span.start:
        yield span
        return
    if span.start < cover.start:
        yield replace(span, until_on=cover.from_on)
    if cover.end < span.end:
        yield replace(span, from_on=cover.until_on)


def _joined(spans: list[Span]) -> Spans:
    joined: list[Span] = []
    for span in spans:
        if joined and joined[-1].value == span.value and joined[-1].end == span.start:
            joined[-1] = replace(joined[-1], until_on=span.until_on)
        else:
            joined.append(span)
    return tuple(joined)

"""Facts painted over one another give, for every day, what was said of it last."""

import itertools
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from headrace.masterdata.timeline import Row, Span, clip, on, paint, painted, rows, says

START = date(2026, 1, 1)
DAYS = [START + timedelta(days=n) for n in range(12)]


@st.composite
def spans(draw: st.DrawFn) -> Span:
    first, last = draw(st.integers(-1, 10)), draw(st.integers(1, 12))
    first, last = (first, last) if first < last else (last - 2, last)
    from_on = None if first < 0 else DAYS[first]
    until_on = None if last >= 12 else DAYS[last]
    return Span(from_on, until_on, draw(st.sampled_from(["a", "b", None])))


@given(st.lists(spans(), max_size=8))
def test_every_day_has_what_was_said_of_it_last(facts: list[Span]) -> None:
    held = painted(facts)
    for one in [START - timedelta(days=400), *DAYS, START + timedelta(days=400)]:
        last = [fact.value for fact in facts if fact.covers(one)]
        assert on(held, one) == (last[-1] if last else None)
    for before, after in itertools.pairwise(held):
        assert before.end <= after.start
        assert (before.end, before.value) != (after.start, after.value)


@given(st.lists(spans(), max_size=6), spans())
def test_what_was_said_holds_and_saying_it_again_changes_nothing(facts: list[Span], new: Span) -> None:
    held = paint(painted(facts), new)
    assert says(held, new)
    assert paint(held, new) == held


@given(st.lists(spans(), max_size=6), st.lists(spans(), max_size=6), st.lists(spans(), max_size=3))
def test_rows_say_of_every_day_what_the_fields_say(one: list[Span], other: list[Span], lives: list[Span]) -> None:
    fields, exists = {"one": painted(one), "other": painted(other)}, painted(lives)
    cut = rows(exists, fields)
    for each in DAYS:
        found = [row for row in cut if Span(row.from_on, row.until_on, "").covers(each)]
        if on(exists, each) is None:
            assert found == []
        else:
            values = {name: on(held, each) for name, held in fields.items()}
            assert [row.values for row in found] == [{k: v for k, v in values.items() if v is not None}]


def test_a_level_that_changes_twice_makes_three_rows() -> None:
    level = painted([Span(None, None, "silver"), Span(DAYS[3], DAYS[5], "gold")])
    assert rows((Span(None, None, "true"),), {"level": level, "region": (Span(None, None, "EMEA"),)}) == (
        Row(None, DAYS[3], {"level": "silver", "region": "EMEA"}),
        Row(DAYS[3], DAYS[5], {"level": "gold", "region": "EMEA"}),
        Row(DAYS[5], None, {"level": "silver", "region": "EMEA"}),
    )


def test_the_end_of_a_span_is_the_first_day_after_it() -> None:
    span = Span(DAYS[1], DAYS[2], "a")
    assert [on((span,), each) for each in DAYS[:3]] == [None, "a", None]
    assert clip((span,), Span(DAYS[2], None, None)) == ()

"""How the dates of programs are laid over a window of history."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from headrace.engine.findings import Finding
from headrace.engine.period import Period
from headrace.engine.schema import Lines, Tables
from headrace.engine.terms import Terms
from headrace.runs.onto_history import Laid, lay_over
from tests.reference.cases import tables_of
from tests.test_simulate import terms

TWO_YEARS = Period(date(2023, 1, 1), date(2025, 1, 1))
NO_TABLES = Tables(lines=Lines(paths=(), columns={}))


def laid(*programs: Terms, tables: Tables = NO_TABLES, window: Period = TWO_YEARS) -> Laid:
    return lay_over(programs, tables, window)


def told(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.code for finding in findings]


def spans(found: Laid) -> list[tuple[str, str]]:
    return [(str(each.valid.from_), str(each.valid.until)) for each in found.programs]


def dated(version: int, from_: str, **keys: Any) -> Terms:
    return terms(version=version, valid={"from": from_}, **keys)


def test_one_version_is_in_force_throughout_the_window() -> None:
    found = laid(terms(valid={"from": "2026-07-01", "until": "2026-10-01"}, applies="next_period"))
    assert spans(found) == [("2023-01-01", "2025-01-01")]
    assert found.programs[0].applies == "from_date"
    assert told(found.findings) == ["dates_moved"]
    assert "back by 2 years" in found.findings[0].message


def test_a_program_without_dates_is_not_moved() -> None:
    assert not laid(terms()).findings


def test_versions_keep_their_order_and_distance_in_whole_years() -> None:
    found = laid(dated(1, "2025-01-01"), dated(2, "2026-07-01"), dated(3, "2026-10-01", applies="period_start"))
    assert spans(found) == [("2023-01-01", "2025-01-01"), ("2024-07-01", "2025-01-01"), ("2024-10-01", "2025-01-01")]
    assert found.programs[2].applies == "period_start"


def test_a_takeover_inside_the_window_stays_where_it_is() -> None:
    found = laid(dated(1, "2022-01-01"), dated(2, "2023-10-01"))
    assert spans(found) == [("2023-01-01", "2025-01-01"), ("2023-10-01", "2025-01-01")]
    assert not found.findings


def test_a_program_of_the_past_moves_forward() -> None:
    found = laid(dated(1, "2018-01-01"), dated(2, "2019-04-01"))
    assert spans(found)[1][0] == "2023-04-01"
    assert "forward by 4 years" in found.findings[0].message


def test_a_leap_day_moves_to_the_end_of_february() -> None:
    found = laid(dated(1, "2027-01-01"), dated(2, "2028-02-29"), window=Period(date(2023, 1, 1), date(2024, 1, 1)))
    assert spans(found)[1][0] == "2023-02-28"


def test_a_version_that_no_whole_year_brings_into_the_window_is_left_out_with_a_word() -> None:
    quarter = Period(date(2024, 1, 1), date(2024, 4, 1))
    found = laid(dated(1, "2026-01-01"), dated(2, "2026-07-01"), window=quarter)
    assert [each.version for each in found.programs] == [1]
    assert told(found.findings) == ["version_outside_window"]


def test_each_program_moves_by_itself() -> None:
    found = laid(terms(program="a", valid={"from": "2024-06-01"}), terms(program="b", valid={"from": "2025-06-01"}))
    assert [finding.message.split()[3] for finding in found.findings] == ["b"]


def test_rate_changes_and_inputs_move_along_and_what_stays_outside_is_counted() -> None:
    changes = [
        {"on": "2026-10-01", "tiers": [{"from": 0, "rate": "0.03"}]},
        {"on": "2027-02-01", "tiers": [{"from": 0, "rate": "0.04"}]},
    ]
    inputs = [
        {"earner": "P1", "from": "2026-07-01", "until": "2026-10-01", "target": "500"},
        {"earner": "P2", "from": "2027-07-01", "until": "2027-10-01", "target": "600"},
        {"earner": "P3", "target": "700"},
    ]
    found = laid(
        dated(
            1, "2026-07-01", inputs=inputs, schedule={"tiers": [{"from": 0, "rate": "0.02"}], "changes": changes},
            measure={"growth": {"frozen_on": "2026-07-15"}},
        )
    )  # fmt: skip
    (moved,) = found.programs
    assert [str(change.on) for change in moved.schedule.changes] == ["2024-10-01"]
    assert [(entry.earner, str(entry.from_), str(entry.until)) for entry in moved.inputs] == [
        ("P1", "2024-07-01", "2024-10-01"), ("P3", "None", "None"),
    ]  # fmt: skip
    assert moved.measure.growth is not None
    assert moved.measure.growth.frozen_on == date(2024, 7, 15)
    assert told(found.findings) == ["dates_moved", "outside_window", "outside_window"]
    assert "1 of 3 inputs" in found.findings[1].message
    assert "1 of 2 rate changes" in found.findings[2].message


def test_who_is_enrolled_is_enrolled_throughout() -> None:
    inputs = [{"earner": "P1", "enrolled_from": "2026-08-01", "enrolled_until": "2026-09-01"}]
    (moved,) = laid(dated(1, "2026-07-01", inputs=inputs)).programs
    assert (moved.inputs[0].enrolled_from, moved.inputs[0].enrolled_until) == (date(2023, 1, 1), None)


def test_targets_of_history_stay_and_targets_of_the_future_move(tmp_path: Path) -> None:
    def row(program: str, from_: str, until: str, value: int) -> dict[str, object]:
        days = {"from": date.fromisoformat(from_), "until": date.fromisoformat(until)}
        return {"program": program, "earner": "P1", "value": Decimal(value)} | days

    rows = [
        row("volume", "2024-01-01", "2024-04-01", 1),
        row("volume", "2026-04-01", "2026-07-01", 2),
        row("volume", "2027-04-01", "2027-07-01", 3),
        row("other", "2030-01-01", "2030-04-01", 4),
    ]
    posted: list[dict[str, object]] = [
        {"program": "volume", "from": date(2024, 1, 1), "until": date(2024, 4, 1), "amount": Decimal(9)}
    ]
    tables = tables_of(
        [{"line_id": "L", "occurred_on": date(2024, 1, 1)}], {"targets": rows, "posted": posted}, tmp_path
    )
    found = laid(dated(1, "2026-04-01"), tables=tables)
    assert set(found.tables.references) == {"targets"}
    kept = found.tables.references["targets"].to_pylist()
    assert [(each["value"], str(each["from"])) for each in kept] == [
        (1, "2024-01-01"), (4, "2030-01-01"), (2, "2024-04-01"),
    ]  # fmt: skip
    assert told(found.findings) == ["dates_moved", "outside_window"]

"""The measurements must measure the right thing: exact data, exact yardstick, honest verdicts. No test looks at a time."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from headrace.bench import NAMES, Row, Settings, Size, as_json, lines, plain_loop, programs, run, show, yardstick
from headrace.bench.lake_rows import percentile
from headrace.bench.lake_tasks import batches
from headrace.bench.measure import Measurement, measure
from headrace.bench.row import judged, unmeasured
from headrace.engine.schema import LINES

D = Decimal
SMALL = Size(lines=20_000, partners=200)


@pytest.fixture(scope="session")
def channel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("channel")
    lines.generate(SMALL, folder)
    return folder


def one_row(query: str) -> tuple[object, ...]:
    with duckdb.connect() as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return tuple(row)


def test_made_up_lines_keep_the_contract_of_lines(channel: Path) -> None:
    schema = pq.read_schema(channel / "lines.parquet")
    assert {name: schema.field(name).type for name in schema.names}.items() <= {
        name: column.type for name, column in LINES.items()
    }.items()
    assert {name for name, column in LINES.items() if not column.nullable} <= set(schema.names)
    count, ids, unsigned, uneven = one_row(
        f"""SELECT count(*), count(DISTINCT line_id),
        count(*) FILTER ((kind = 'return') <> (amount < 0) OR amount * quantity <= 0),
        count(*) FILTER (amount * 100 <> round(amount * 100, 0)) FROM '{channel / "lines.parquet"}'"""
    )
    assert (count, ids, unsigned, uneven) == (20_000, 20_000, 0, 0)


def test_made_up_lines_are_what_the_measurements_say_they_are(channel: Path) -> None:
    returned, in_order, days, partners, products = one_row(
        f"""SELECT count(*) FILTER (kind = 'return') / count(*), count(*) FILTER (line_id > before) / count(*),
        count(DISTINCT occurred_on), count(DISTINCT partner_id), count(DISTINCT product_id)
        FROM (SELECT *, lag(line_id) OVER (ORDER BY occurred_on, rowid) AS before FROM (
            SELECT *, file_row_number AS rowid FROM read_parquet('{channel / "lines.parquet"}', file_row_number = true)))"""
    )
    assert isinstance(returned, float)
    assert isinstance(in_order, float)
    assert 0.02 < returned < 0.04
    assert 0.4 < in_order < 0.6  # ids say nothing about time
    assert (days, partners, products) == (lines.DAYS, 200, 400)


def test_the_same_seed_makes_up_the_same_lines(channel: Path, tmp_path: Path) -> None:
    lines.generate(SMALL, tmp_path)
    assert pq.read_table(tmp_path / "lines.parquet").equals(pq.read_table(channel / "lines.parquet"))
    other = tmp_path / "other"
    lines.generate(replace(SMALL, seed=2), other)
    assert not pq.read_table(other / "lines.parquet").equals(pq.read_table(channel / "lines.parquet"))


def test_a_line_meets_two_programs_on_average(channel: Path) -> None:
    assert [len(make(SMALL)) for make in (programs.one, programs.twenty, programs.five_hundred, programs.ordered)] == [
        1,
        20,
        500,
        20,
    ]
    for make in (programs.twenty, programs.five_hundred):
        conditions = " + ".join(
            f"CAST({' AND '.join(rule for rule in (terms.partners, terms.lines) if rule)} AS INTEGER)"
            for terms in make(SMALL)
        )
        met = one_row(
            f"""SELECT sum({conditions}) / count(*) FROM '{channel}/lines.parquet' AS line
            JOIN '{channel}/partners.parquet' AS partner ON partner.partner_id = line.partner_id
            JOIN '{channel}/products.parquet' AS product ON product.product_id = line.product_id"""
        )[0]
        assert isinstance(met, float)
        assert 1.9 < met < 2.1


def test_most_of_the_five_hundred_look_at_partner_and_product_only() -> None:
    alone = [terms for terms in programs.five_hundred(SMALL) if "line." not in (terms.lines or "")]
    assert len(alone) == 400


def test_partners_cross_the_edges(channel: Path, tmp_path: Path) -> None:
    out = tmp_path / "awards.parquet"
    with duckdb.connect() as connection:
        yardstick.run(connection, channel, SMALL, out)
    tiers = Counter(pq.read_table(out, columns=["tier"]).column("tier").to_pylist())
    assert min(tiers[1], tiers[2], tiers[3]) > 2_000


def test_the_yardstick_and_the_plain_loop_agree_on_every_award(channel: Path, tmp_path: Path) -> None:
    out = tmp_path / "awards.parquet"
    with duckdb.connect() as connection:
        yardstick.run(connection, channel, SMALL, out)
    rows = pq.read_table(channel / "lines.parquet").to_pylist()
    partners = {row["partner_id"]: row for row in pq.read_table(channel / "partners.parquet").to_pylist()}
    products = {row["product_id"]: row for row in pq.read_table(channel / "products.parquet").to_pylist()}
    expected = dict(plain_loop.awards(rows, partners, products, SMALL))
    awards = {row["line_id"]: row["award"] for row in pq.read_table(out).to_pylist()}
    assert awards == expected
    assert len(awards) == SMALL.lines


def test_the_plain_loop_prices_each_band_on_its_own_part() -> None:
    # One partner sells 20,000 lines' worth: the edges of this size lie at 30 % and 80 % of 525 × 20,000 × 91 ÷ (1 × 730).
    size = Size(lines=20_000, partners=1)
    first, second = programs.edges(size)[1:]
    assert (first, second) == (392_671, 1_047_123)
    rows = [
        {"line_id": name, "kind": "sale", "stage": "sell_through", "occurred_on": lines.FIRST_DAY, "amount": D(amount)}
        | {"partner_id": "P", "product_id": "S"}
        for name, amount in (("a", "392671"), ("b", "1000.30"), ("c", "653451.70"), ("d", "10.10"))
    ]
    awards = plain_loop.awards(rows, {"P": {"level": "gold"}}, {"S": {"family": "F1"}}, size)
    # a: 1 % of 392,671 = 3,926.71. b: 2 % of 1,000.30 = 20.006. c: 2 % of 653,451.70 = 13,069.034, in all 17,015.750.
    # d: 3.5 % of 10.10 = 0.3535, in all 17,016.1035. Running, in cents: 3,926.71; 3,946.716 → 3,946.72; 17,015.75; 17,016.10.
    assert awards == [("a", D("3926.71")), ("b", D("20.01")), ("c", D("13069.03")), ("d", D("0.35"))]


def test_a_task_runs_in_a_process_of_its_own_and_says_what_it_took(channel: Path, tmp_path: Path) -> None:
    size = {"lines": SMALL.lines, "partners": SMALL.partners, "products": SMALL.products, "seed": SMALL.seed}
    out = str(tmp_path / "awards.parquet")
    made = measure("plain_sql", size=size, folder=str(channel), out=out, memory_bytes_max=1 << 30)
    assert (made.status, made.detail) == ("done", {"awards": SMALL.lines})
    assert made.wall > 0
    assert made.peak_bytes > 10 << 20
    same = measure("differences", left=out, right=out, columns=["line_id", "award"])
    assert same.detail == {"left_only": 0, "right_only": 0}


def test_a_task_that_breaks_is_told_and_not_raised(tmp_path: Path) -> None:
    broken = measure(
        "plain_sql", size={"lines": 1000}, folder=str(tmp_path), out=str(tmp_path / "x"), memory_bytes_max=1 << 30
    )
    assert broken.status == "failed"
    assert broken.message.startswith("IOException: ")
    assert "lines.parquet" in broken.message
    row = unmeasured("finalise", "what", broken)
    assert row is not None
    assert row.verdict == "failed"


def test_a_part_that_is_missing_makes_its_row_say_so() -> None:
    missing = Measurement(task="calculate", status="not installed", message="headrace.engine.calculate")
    row = unmeasured("finalise", "what", Measurement(task="x"), missing)
    assert row is not None
    assert (row.verdict, row.measured) == ("not installed", "headrace.engine.calculate")
    assert unmeasured("finalise", "what", Measurement(task="x")) is None


@pytest.mark.parametrize(
    ("figure", "peak", "verdict"),
    [
        (0.5, 100, "aim met"),
        (0.51, 100, "within reach"),
        (1.0, 100, "within reach"),
        (1.01, 100, "short"),
        (0.5, 101, "short"),
    ],
)
def test_a_verdict_looks_at_time_and_memory(figure: float, peak: int, verdict: str) -> None:
    row = Row(
        name="n", what="w", verdict="short", figure=figure, reach=1.0, aim=0.5, peak_bytes=peak, peak_bytes_max=100
    )
    assert judged(row).verdict == verdict


@pytest.mark.parametrize(("figure", "verdict"), [(30.0, "aim met"), (10.0, "within reach"), (9.9, "short")])
def test_more_may_be_better(figure: float, verdict: str) -> None:
    row = Row(name="n", what="w", verdict="short", figure=figure, reach=10, aim=30)
    assert judged(row, more_is_better=True).verdict == verdict


def test_every_row_gives_a_line_of_the_table(tmp_path: Path) -> None:
    settings = Settings(size=Size(lines=2_000, partners=20), folder=tmp_path, sample=1_000)
    names = [name for name in NAMES if name in {"finalise", "decimal_loop"}]
    rows = list(run(settings, names))
    assert [row.name for row in rows] == names
    assert {row.verdict for row in rows}.isdisjoint({"failed", "different"})
    console = Console(width=200, record=True, file=None, quiet=False)
    with console.capture() as captured:
        console.print(show(rows))
    assert all(name in captured.get() for name in names)
    assert [row["name"] for row in as_json(settings, rows)["rows"]] == names


def test_equality_with_spark_is_claimed_only_where_spark_ran(tmp_path: Path) -> None:
    size = {"lines": 1_000, "partners": 10, "products": 40, "seed": 1}
    folder = tmp_path / "channel"
    lines.generate(Size(**size), folder)
    arguments = {"size": size, "folder": str(folder), "which": "one", "memory_bytes_max": 1 << 30, "backend": "spark"}
    made = measure("calculate", out=str(tmp_path / "awards.parquet"), **arguments)
    assert made.status in {"done", "not installed"}, made.message
    assert (made.status == "done") == bool(made.detail.get("awards"))


def test_small_batches_are_measured_on_two_lakes(tmp_path: Path) -> None:
    settings = Settings(size=Size(lines=20_000, partners=20), folder=tmp_path, batches=2)
    rows = {row.name: row for row in run(settings, ["append", "append_late"])}
    for row in rows.values():
        assert row.verdict in {"aim met", "within reach", "short"}, row.measured
        assert len(row.detail["many"]["laps"]) == 2
        assert "lake of 20,000 lines against 2,000" in row.what


def test_a_file_is_loaded_onto_the_lake(tmp_path: Path) -> None:
    settings = Settings(size=Size(lines=20_000, partners=20), folder=tmp_path)
    row = next(run(settings, ["intake"]))
    assert row.verdict in {"aim met", "within reach", "short"}, row.measured
    assert row.detail["loaded"]["detail"]["lines"] == 2_000


def test_no_batch_repeats_a_line(channel: Path) -> None:
    kept = set(pq.read_table(channel / "lines.parquet", columns=["line_id"]).column("line_id").to_pylist())
    made = [
        table
        for first in (1, 6)
        for late in (False, True)
        for table in batches(SMALL, 2, first=first + 2 * late, late=late)
    ]
    for table in made:
        ids = set(table.column("line_id").to_pylist())
        assert len(ids) == 1_000
        assert kept.isdisjoint(ids)
        kept |= ids
        assert set(table.column("occurred_on").to_pylist()) <= {
            lines.FIRST_DAY + timedelta(days=day) for day in range(740)
        }


@pytest.mark.parametrize(("percent", "value"), [(50, 2.0), (95, 4.0), (1, 1.0)])
def test_a_percentile_is_a_value_that_was_measured(percent: int, value: float) -> None:
    assert percentile((3.0, 1.0, 4.0, 2.0), percent) == value


def test_the_ledger_is_measured_on_books_that_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEADRACE_DATABASE_URL", raising=False)
    monkeypatch.setattr("headrace.bench.ledger_rows._BATCHES", 2)
    monkeypatch.setattr("headrace.bench.ledger_rows._SIZE", 50)
    row = next(iter(run(Settings(folder=tmp_path / "made"), ["ledger"])))
    assert row.verdict in {"aim met", "short"}, row.measured
    detail = row.detail["SQLite"]["detail"]
    assert (detail["postings"], detail["faults"]) == (100, 0)

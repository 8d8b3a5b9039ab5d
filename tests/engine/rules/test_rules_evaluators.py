"""One tree, two evaluators: what DuckDB, Spark and plain Python say of every rule and record is the same."""

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace.engine.rules import Rule, parse
from headrace.engine.rules.tree import Arithmetic, walk
from tests.engine.rules.made_up_rules import COLUMNS, LARGEST, as_table, made_up_records, rules, spelled

RECORDS = made_up_records()
OWNERS = sorted({name.partition(".")[0] for name in COLUMNS})


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connected:
        records = as_table(RECORDS)
        connected.register("arrow_records", records)
        connected.execute("create table records as select * from arrow_records")
        for owner in OWNERS:
            listed = ", ".join(
                f"{spelled(n)} as {spelled(n.partition('.')[2])}" for n in COLUMNS if n.startswith(f"{owner}.")
            )
            connected.execute(f"create table {owner}s as select number as {owner}_number, {listed} from records")
        yield connected


def decided(rule: Rule) -> list[bool | None]:
    return [rule.evaluate(record) for record in RECORDS]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rule=rules())
def test_duckdb_and_python_decide_every_record_alike(connection: duckdb.DuckDBPyConnection, rule: Rule) -> None:
    rows = connection.execute(f"select {rule.to_sql(spelled)} from records order by number").fetchall()
    assert [row[0] for row in rows] == decided(rule)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rule=rules().filter(lambda rule: not any(isinstance(node, Arithmetic) for node in walk(rule.condition))))
def test_the_text_of_a_rule_means_what_the_same_text_means_in_sql(
    connection: duckdb.DuckDBPyConnection, rule: Rule
) -> None:
    """The grammar is SQL's own: DuckDB is given the text as it stands, over tables called line, partner, …"""
    joined = " ".join(f"join {owner}s as {owner} on {owner}.{owner}_number = r.number" for owner in OWNERS)
    rows = connection.execute(f"select ({rule.text}) from records as r {joined} order by r.number").fetchall()
    assert [row[0] for row in rows] == decided(rule)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rule=rules())
def test_a_record_meets_a_rule_exactly_if_it_meets_all_parts_split_by_owner(rule: Rule) -> None:
    split = rule.split_by_owner()
    parts = [*split.by_owner.values(), *([split.rest] if split.rest else [])]
    for record, outcome in zip(RECORDS, decided(rule), strict=True):
        met = {part.evaluate(record) for part in parts}
        assert outcome == (False if False in met else None if None in met else True)
    assert all(part.owners == {owner} for owner, part in split.by_owner.items())


# Each says what the two rows of null beside a value must give: SQL's truth tables, written out by hand.
@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("partner.level = 'gold'", None),
        ("partner.level <> 'gold'", None),
        ("not partner.level = 'gold'", None),
        ("partner.level in ('gold', 'silver')", None),
        ("partner.level not in ('gold', 'silver')", None),
        ("partner.level like '%'", None),
        ("partner.level is null", True),
        ("partner.level is not null", False),
        ("partner.certified", None),
        ("not partner.certified", None),
        ("partner.certified is true", False),
        ("partner.certified is not true", True),
        ("partner.level = 'gold' and partner.region = 'EMEA'", None),
        ("partner.level = 'gold' and partner.region = 'APAC'", False),
        ("partner.level = 'gold' or partner.region = 'EMEA'", True),
        ("partner.level = 'gold' or partner.region = 'APAC'", None),
        ("line.amount between line.quantity and 5", False),  # 10 is above 5, whatever the quantity
        ("line.amount between line.quantity and 50", None),
        ("line.amount not between line.quantity and 5", True),
        ("line.quantity * 2 > 1", None),
        ("line.quantity - line.quantity = 0", None),
    ],
)
def test_null_is_unknown_unless_the_other_side_decides(text: str, outcome: bool | None) -> None:
    record = dict.fromkeys(COLUMNS) | {"partner.region": "EMEA", "line.amount": 10}
    assert parse(text, COLUMNS).evaluate(record) is outcome


@pytest.mark.parametrize(
    ("comparator", "outcomes"),  # of 4, 5 and 6, read from left to right: 5 < 4, 5 < 5, 5 < 6, …
    [
        ("=", [False, True, False]),
        ("<>", [True, False, True]),
        ("<", [False, False, True]),
        ("<=", [False, True, True]),
        (">", [True, False, False]),
        (">=", [True, True, False]),
    ],
)
def test_a_fixed_value_may_stand_on_the_left(comparator: str, outcomes: list[bool]) -> None:
    rule = parse(f"5 {comparator} line.quantity", COLUMNS)
    assert [rule.evaluate({"line.quantity": quantity}) for quantity in (4, 5, 6)] == outcomes


@pytest.mark.parametrize(
    ("pattern", "fitting", "other"),
    [
        ("like '50!%%' escape '!'", "50% off", "500"),
        ("like 'a\\_%'", "a\\bc", "a_bc"),  # no escape is named, so the backslash is a sign like any other
        ("like 'a\\b!%' escape '!'", "a\\b%", "ab%"),
        ("like '_'", "😀", "ab"),
        ("like '%a%b%'", "xaxbx", "xbxax"),
        ("like 'Road%'", "Road", "road"),
        ("like ''", "", " "),
    ],
)
def test_patterns_fit_whole_texts_sign_by_sign(
    connection: duckdb.DuckDBPyConnection, pattern: str, fitting: str, other: str
) -> None:
    rule = parse(f"product.name {pattern}", COLUMNS)
    for text, outcome in ((fitting, True), (other, False)):
        assert rule.evaluate({"product.name": text}) is outcome
        assert connection.execute(f"select {rule.to_sql(lambda _: '?')}", [text]).fetchall() == [(outcome,)]


def test_text_compares_exactly() -> None:
    rule = parse("partner.level = 'gold'", COLUMNS)
    outcomes = {text: rule.evaluate({"partner.level": text}) for text in ("gold", "Gold", "gold ", " gold", "")}
    assert outcomes == {"gold": True, "Gold": False, "gold ": False, " gold": False, "": False}


def test_products_are_exact_at_the_edge_of_every_digit(connection: duckdb.DuckDBPyConnection) -> None:
    # Two products of 24 digits before the point that differ by about 10⁶ in 10²⁴: no float of 53 bits tells them apart.
    text = "line.amount * line.gross_amount > line.amount * (line.gross_amount - 0.000001)"
    rule = parse(text, COLUMNS)
    sql = rule.to_sql(lambda _: f"CAST('{LARGEST}' AS DECIMAL(18,6))")
    assert connection.execute(f"select {sql}").fetchall() == [(True,)]
    assert rule.evaluate({"line.amount": LARGEST, "line.gross_amount": LARGEST}) is True


# What Spark reads otherwise than DuckDB unless it is written with care.
SPARKS_TRAPS = (
    "partner.region <> '${HOME}' and partner.region <> '${spark.app.name}' or partner.region in ('${HOME}', '${spark.app.name}')",
    "partner.region = '${spark.app.name}'",
    "product.name = 'a\\b' or product.name = '\\'",
    "product.name like 'a\\%' or product.name like '\\'",
    "product.name like 'a!%!_b' escape '!' or product.name like '%\\b'",
    "product.name = 'it''s' or product.name = '-- x'",
    "line.amount * line.gross_amount > line.amount * (line.gross_amount - 0.000001)",
    "line.occurred_on = '0001-01-01' or line.occurred_on = '9999-12-31'",
)


@pytest.mark.spark
@pytest.mark.filterwarnings("ignore")
@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn=st.lists(rules(), min_size=60, max_size=60))
def test_spark_and_python_decide_every_record_alike(spark_records: object, drawn: list[Rule]) -> None:
    many = [*drawn, *(parse(text, COLUMNS) for text in SPARKS_TRAPS)]
    listed = ", ".join(
        f"{rule.to_sql(lambda name: spelled(name, '`'), 'spark')} as r{at}" for at, rule in enumerate(many)
    )
    rows = spark_records.sparkSession.sql(f"select {listed} from records order by number").collect()  # type: ignore[attr-defined]
    for at, rule in enumerate(many):
        assert [row[at] for row in rows] == decided(rule), rule.text


@pytest.fixture(scope="module")
def spark_records(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> object:
    import pyarrow.parquet

    path = tmp_path_factory.mktemp("records") / "records.parquet"
    table = as_table(RECORDS)
    pyarrow.parquet.write_table(table, path)
    session = spark.newSession()
    session.conf.set("spark.sql.parquet.datetimeRebaseModeInRead", "CORRECTED")
    frame = session.read.parquet(str(path))
    frame.createOrReplaceTempView("records")
    return frame

"""The engines give the same: a choice of the cases in `make check`, everything in `make soak`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from headrace.bench.lines import Size, generate
from headrace.bench.programs import twenty
from headrace.engine.findings import Refusal
from headrace.engine.numeric import share, share_scaled
from headrace.engine.run import Request, calculate
from headrace.engine.spark_session import OnSpark
from tests.reference.cases import Case
from tests.spark.both import awards_apart, difference, request_of
from tests.spark.cluster import SECONDS_MAX, two_workers
from tests.test_cases import CASES

WORKED = {str(each.id): case for each in CASES for case in each.values if isinstance(case, Case)}
# Volume rebates by band and as a whole, a return that names its sale, and limits: what most programs are made of.
CHOSEN = (
    "tiers: the four modes side by side",
    "returns: a return in full of a named sale undoes it and the later lines are tiered anew",
)
# Each line: an expression that the engines write differently. `t` holds one row of awkward values.
EXPRESSIONS = (
    "7 // 2", "-7 // 2", "7 // -2", "CAST(-7 AS HUGEINT) // 2", "a // b", "-a // b", "a // (b - b + 3)", "a % b",
    *(f"(a * {by}) // CAST('{divisor}' AS HUGEINT)" for by in (10**7, -(10**7)) for divisor in (1, -7, 10**19 - 1, 10**19)),
    share("money", "b", "3"), share(share("money", "b", "3"), "b", "-7"), share("money", "b", "(b - b)"),
    share_scaled("a", "10000000", "3"), share_scaled("-a", "10000000", "2"),
    "d - DATE '1970-01-01'", "strlen(odd)", "CAST(to_json(odd) AS VARCHAR)", "CAST(to_json(nothing) AS VARCHAR)",
    "CAST('0x' || rpad(substr(hex(id), 1), 8, '0') AS BIGINT)",
    "CAST('0x' || rpad(substr(hex(long_id), 1), 22, '0') AS HUGEINT)",
    "regexp_full_match(id, 'L[0-9]')", "regexp_full_match(broken, 'L[0-9]')", "slash LIKE 'a\\b%'", "slash LIKE 'a\\\\b%'",
    "least(a, NULL)", "greatest(NULL, b)", "ROUND(CAST('-1.005' AS DECIMAL(38, 12)), 2)",
    "CAST(CAST('0.0000005' AS DECIMAL(38, 12)) AS DECIMAL(28, 6))",
    "CAST('99999999999999999999999999.999999999999' AS DECIMAL(38, 12)) - CAST('0.000000000001' AS DECIMAL(38, 12))",
    "coalesce(CAST(NULL AS DECIMAL(28, 6)), CAST('0.000000000001' AS DECIMAL(38, 12)))", "CAST(money AS VARCHAR)",
    "(CAST(4398046511103 AS BIGINT) >> 41) & 1", "'${HOME}' || odd",
)  # fmt: skip
AWKWARD = """SELECT CAST('123456789012345678901234567890' AS HUGEINT) AS a, CAST('-1000000007' AS HUGEINT) AS b,
    DATE '0001-01-01' AS d, 'a"b\\c' || chr(10) || chr(1) || 'é€' AS odd, CAST(NULL AS VARCHAR) AS nothing, 'L7' AS id,
    'Zürich-77' AS long_id, 'L7' || chr(10) AS broken, 'a\\bc' AS slash, CAST('-0.000001' AS DECIMAL(18, 6)) AS money"""


@pytest.mark.spark
def test_awkward_values_come_out_the_same(spark: object, tmp_path: Path) -> None:
    import duckdb

    with duckdb.connect() as connection:
        connection.execute(f"COPY ({AWKWARD.replace('AS HUGEINT', 'AS DECIMAL(38, 0)')}) TO '{tmp_path}/t.parquet'")
        row = f"read_parquet(['{tmp_path}/t.parquet'])"
        whole = f"(SELECT * REPLACE (CAST(a AS HUGEINT) AS a, CAST(b AS HUGEINT) AS b) FROM {row}) t"
        select = f"SELECT {', '.join(f'{each} AS c{at}' for at, each in enumerate(EXPRESSIONS))} FROM {whole}"
        wanted = connection.execute(select).fetchall()[0]
    with OnSpark(memory_bytes_max=None, threads=None, temp_dir=None) as session:
        got = session.rows(select)[0]
    assert dict(zip(EXPRESSIONS, got, strict=True)) == dict(zip(EXPRESSIONS, wanted, strict=True))


@pytest.mark.spark
def test_a_choice_of_the_cases_comes_out_the_same(spark: object, tmp_path: Path) -> None:
    for at, name in enumerate(CHOSEN):
        folder = tmp_path / str(at)
        folder.mkdir()
        assert difference(request_of(WORKED[name], folder), folder) == "", name


@pytest.mark.spark
def test_a_number_out_of_range_is_refused_on_spark_too(spark: object, tmp_path: Path) -> None:
    import duckdb

    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT CAST('{10**21}' AS DECIMAL(38, 0)) AS a) TO '{tmp_path}/t.parquet'")
    with OnSpark(memory_bytes_max=None, threads=None, temp_dir=None) as session, pytest.raises(Refusal) as refused:
        session.rows(f"SELECT CAST(a * a AS DECIMAL(38, 0)) AS x FROM read_parquet(['{tmp_path}/t.parquet'])")
    assert refused.value.code == "out_of_range"


def test_without_java_the_request_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(Refusal) as refused:
        OnSpark(memory_bytes_max=None, threads=None, temp_dir=None)
    assert refused.value.code == "java_missing"


def test_without_pyspark_the_request_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headrace.engine.spark_start.find_spec", lambda _: None)
    with pytest.raises(Refusal) as refused:
        OnSpark(memory_bytes_max=None, threads=None, temp_dir=None)
    assert refused.value.code == "spark_not_installed"


@pytest.mark.soak
@pytest.mark.spark
@pytest.mark.parametrize("name", list(WORKED))
def test_every_case_comes_out_the_same(spark: object, name: str, tmp_path: Path) -> None:
    assert difference(request_of(WORKED[name], tmp_path), tmp_path) == ""


@pytest.mark.soak
@pytest.mark.spark
@pytest.mark.parametrize("cluster", [False, True], ids=["local", "two workers"])
def test_twenty_programs_come_out_the_same(cluster: bool, tmp_path: Path) -> None:
    size = Size(lines=50_000, partners=200)
    tables = generate(size, tmp_path / "channel")
    calculate(Request(programs=twenty(size), tables=tables), awards=tmp_path / "duckdb.parquet")
    if cluster:
        with two_workers(tmp_path) as master:
            _run_apart(tmp_path, size, {"HEADRACE_SPARK_MASTER": master})
    else:
        _run_apart(tmp_path, size, {})
    assert awards_apart(tmp_path / "duckdb.parquet", tmp_path / "spark.parquet") == (0, 0)


def _run_apart(folder: Path, size: Size, settings: dict[str, str]) -> None:
    """Run Spark in a process of its own, so that its master can be chosen and nothing of it stays."""
    command = [
        sys.executable,
        "-m",
        "tests.spark.child",
        str(folder / "channel"),
        str(size.lines),
        str(folder / "spark.parquet"),
    ]
    subprocess.run(command, check=True, env={**os.environ, **settings}, timeout=SECONDS_MAX)

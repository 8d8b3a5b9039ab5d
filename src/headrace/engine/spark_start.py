"""Starts Spark, or joins the one that this process has, with every setting that a figure depends on in one place."""

import os
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from headrace.engine.findings import Refusal

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

MASTER = "HEADRACE_SPARK_MASTER"
_HEAP_MIN = 1 << 30
_PARTITIONS = "spark.sql.shuffle.partitions"  # two a core, unless the cluster's own settings say otherwise

# A number that leaves its type stops the statement (ansi); no digit after the point is cut to make room before it
# (allowPrecisionLoss, retainFractionDigits); `${…}` in a text is text; dates are proleptic Gregorian as in DuckDB.
PINNED = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.decimalOperations.allowPrecisionLoss": "false",
    "spark.sql.legacy.decimal.retainFractionDigitsOnTruncate": "true",
    "spark.sql.caseSensitive": "false",
    "spark.sql.variable.substitute": "false",
    "spark.sql.parser.escapedStringLiterals": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.parquet.int96RebaseModeInRead": "CORRECTED",
    "spark.sql.execution.arrow.useLargeVarTypes": "false",
    # Tables of the plan are made when they are first read; stages that are replanned as they run would be run at once.
    "spark.sql.adaptive.enabled": "false",
}


def open_spark(
    *, memory_bytes_max: int | None, threads: int | None, temp_dir: Path | None
) -> "tuple[SparkSession, bool]":
    """Give a session of its own, and whether Spark was started for it and is to be stopped with it.

    Raises Refusal where pyspark or Java is missing, or the cluster cannot be reached.
    """
    if find_spec("pyspark") is None:
        raise Refusal(
            "spark_not_installed", "Spark is not installed; install headrace[spark], or use the engine duckdb."
        )
    if not _has_java():
        raise Refusal(
            "java_missing",
            "Spark needs Java 17 or newer; install it, or say where it is with JAVA_HOME, or use the engine duckdb.",
        )
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    running = SparkSession.getActiveSession()
    try:
        spark = running or _start(SparkSession, memory_bytes_max, threads, temp_dir)
    except PySparkException as error:
        raise Refusal("spark_failed", f"Spark did not start: {str(error).splitlines()[0]}") from error
    session = spark.newSession()
    for key, value in PINNED.items():
        session.conf.set(key, value)
    if not spark.sparkContext.getConf().contains(_PARTITIONS):
        session.conf.set(_PARTITIONS, str(2 * spark.sparkContext.defaultParallelism))
    return session, running is None


def cut_off(frame: "DataFrame") -> "DataFrame":
    """Make the rows of a frame, and give a frame of these rows that knows nothing of how they were made.

    A local checkpoint alone still carries the size that Spark guessed. Spark multiplies the sizes of what is joined, so that
    after a few tables of tables the guess has millions of digits, and working it out takes longer than anything else.
    """
    from pyspark.sql import DataFrame

    spark = frame.sparkSession
    java = spark._jvm
    assert java is not None
    rows = frame.localCheckpoint()._jdf.queryExecution().analyzed()
    unknown = java.scala.Option.empty()
    same = rows.copy(
        rows.output(), rows.rdd(), rows.outputPartitioning(), rows.outputOrdering(), rows.isStreaming(), rows.stream(),
        spark._jsparkSession, unknown, unknown, True,
    )  # fmt: skip
    return DataFrame(java.org.apache.spark.sql.classic.Dataset.ofRows(spark._jsparkSession, same), spark)


def _has_java() -> bool:
    home = os.environ.get("JAVA_HOME")
    return Path(home, "bin", "java").exists() if home else shutil.which("java") is not None


def _start(
    sessions: "type[SparkSession]", memory_bytes_max: int | None, threads: int | None, temp_dir: Path | None
) -> "SparkSession":
    master = os.environ.get(MASTER) or f"local[{threads or 2}]"
    builder = (
        sessions.builder.master(master)
        .appName("headrace calculate")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.log.level", "ERROR")
    )
    if master.startswith("local") or "//127.0.0.1" in master:
        builder = builder.config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1")
    if memory_bytes_max is not None:
        builder = builder.config("spark.driver.memory", f"{max(memory_bytes_max, _HEAP_MIN) >> 20}m")
    if temp_dir is not None:
        builder = builder.config("spark.local.dir", str(temp_dir))
    return builder.getOrCreate()

"""A session whose statements over the lines run on Spark, and those over reference tables alone in the local DuckDB.

Where a statement runs follows from what it reads: files of lines and whatever was made from them are on Spark; tables that were
put, and whatever was made from those alone, stay here and are handed to Spark when a statement there first reads them. A table on
Spark is made at once and cut off from the statements before it, so that what Spark plans stays as small as one statement.
"""

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from sqlglot import exp

from headrace.engine.findings import Refusal
from headrace.engine.session import Session
from headrace.engine.session import name as quoted
from headrace.engine.spark_dialect import carry, read, relations
from headrace.engine.spark_start import cut_off, open_spark

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_OUT_OF_RANGE = re.compile(
    r"\[(NUMERIC_VALUE_OUT_OF_RANGE|ARITHMETIC_OVERFLOW|CAST_OVERFLOW|CAST_INVALID_INPUT|DECIMAL_PRECISION_EXCEEDS)[^\]]*\][^\n]*"
)


class OnSpark(Session):
    """A session of the plan with its lines on Spark. One at a time in a process."""

    def __init__(self, *, memory_bytes_max: int | None, threads: int | None, temp_dir: Path | None) -> None:
        super().__init__(memory_bytes_max=memory_bytes_max, threads=threads, temp_dir=temp_dir)
        self._spark, self._mine = open_spark(memory_bytes_max=memory_bytes_max, threads=threads, temp_dir=temp_dir)
        self._far: dict[str, frozenset[str]] = {}  # what is on Spark → for a view, what it reads
        self._columns: dict[str, list[str]] = {}  # of what is on Spark
        self._views: dict[str, tuple[str, bool]] = {}  # on Spark: their queries, and whether their rows are kept
        self._turns: dict[str, int] = {}  # in which turn each relation on Spark was made
        self._turn = 0
        self._near_views: set[str] = set()
        self._handed: set[str] = set()
        self._files: dict[tuple[str, ...], str] = {}

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if self._mine:
            self._spark.stop()
            return
        for relation in [*self._far, *self._handed]:
            self._spark.catalog.dropTempView(relation)

    def table(self, name: str, select: str) -> None:
        """Make a table from a query; one of that name gives way."""
        tree = read(select)
        if self._stays(tree):
            super().table(name, select)
            self._is_near(name)
            return
        with _faults_named():
            self._keep(name, self._frame(tree))

    def view(self, name: str, select: str, *, reread: bool = False) -> None:
        """Name a query. reread: its rows are worth keeping; on Spark they are."""
        tree = read(select)
        if self._stays(tree):
            super().view(name, select)
            self._is_near(name)
            self._near_views.add(name)
            return
        with _faults_named():
            opened = self._opened(tree)
            query = self._carried(opened)
            self._name_view(name, query, reread)
        self._is_far(name, relations(opened))
        self._views[name] = query, reread

    def put(self, name: str, rows: pa.Table) -> None:
        """Make a table from Arrow."""
        super().put(name, rows)
        self._is_near(name)

    def fetch(self, select: str) -> pa.Table:
        """Run a query and give all of its rows."""
        tree = read(select)
        if self._stays(tree):
            return super().fetch(select)
        with _faults_named():
            return self._frame(tree).toArrow()

    def rows(self, select: str) -> list[tuple[object, ...]]:
        """Run a query and give all of its rows as tuples."""
        tree = read(select)
        if self._stays(tree):
            return super().rows(select)
        with _faults_named():
            found = self._frame(tree).toArrow()
        columns = [_values(column) for column in found.columns]
        return list(zip(*columns, strict=True)) if columns else []

    def execute(self, statement: str) -> None:
        """Run a statement that gives nothing back."""
        tree = read(statement)
        if self._stays(tree):
            super().execute(statement)
            self._is_near(*relations(tree))
            return
        with _faults_named():
            if isinstance(tree, exp.Insert):
                self._insert(tree)
            elif isinstance(tree, exp.Update):
                self._update(tree)
            elif isinstance(tree, exp.Copy):
                self._write(self._frame(tree.this), Path(tree.args["files"][0].name))
            else:
                raise Refusal(
                    "spark_cannot", f"The plan uses {statement[:80]}, which cannot run on Spark yet; use DuckDB."
                )

    def drop(self, *names: str) -> None:
        """Free tables that are no longer needed."""
        for each in names:
            if each in self._far:
                self._spark.catalog.dropTempView(each)
                del self._far[each]
            else:
                super().drop(each)
                self._is_near(each)

    def _stays(self, tree: exp.Expr) -> bool:
        return tree.find(exp.ReadParquet) is None and not (relations(tree) & self._far.keys())

    def _is_near(self, *names: str) -> None:
        """Note that a relation is made here; what Spark has of it, and of any view, is old."""
        for each in names:
            self._far.pop(each, None)
            self._near_views.discard(each)
        self._handed -= self._near_views | set(names)

    def _is_far(self, name: str, reads: frozenset[str]) -> None:
        self._far[name] = reads
        self._made(name)
        self._handed.discard(name)

    def _keep(self, name: str, frame: "DataFrame") -> None:
        """Make a table on Spark, cut off from the statements before it."""
        cut_off(frame).createOrReplaceTempView(name)
        self._is_far(name, frozenset())

    def _name_view(self, name: str, query: str, reread: bool) -> None:
        frame = self._spark.sql(query)
        (cut_off(frame) if reread else frame).createOrReplaceTempView(name)

    def _frame(self, tree: exp.Expr) -> "DataFrame":
        return self._spark.sql(self._carried(tree))

    def _carried(self, tree: exp.Expr) -> str:
        """Write a query for Spark, and see to it that Spark has what it reads."""
        opened = self._opened(tree)
        self._bring(relations(opened))
        query = carry(opened, self._columns_of)
        self.statements.append(query)
        return query

    def _opened(self, tree: exp.Expr) -> exp.Expr:
        """Put the name of a relation in the place of files."""

        def named(node: exp.Expr) -> exp.Expr:
            if not isinstance(node, exp.Table) or not isinstance(node.this, exp.ReadParquet):
                return node
            paths = tuple(each.name for each in node.this.expressions[0].expressions)
            return exp.to_table(self._open(paths))

        return tree.transform(named) if tree.find(exp.ReadParquet) else tree

    def _open(self, paths: tuple[str, ...]) -> str:
        """Make a relation of Parquet files, whose columns are those of all files by name."""
        if paths in self._files:
            return self._files[paths]
        alike: dict[pa.Schema, list[str]] = {}
        for each in paths:
            if Path(each).name[:1] in {"_", "."}:
                raise Refusal("spark_cannot", f"Spark passes over files named like {Path(each).name}; rename it.")
            alike.setdefault(pq.read_schema(each).remove_metadata(), []).append(str(Path(each).absolute()))
        frame: DataFrame | None = None
        for schema, files in alike.items():
            # Named files are read as they are: nothing in a path is a pattern or a column.
            reader = self._spark.read.option("recursiveFileLookup", "true").option("__globPaths__", "false")
            part = reader.parquet(*files).select(*(f"`{each.replace('`', '``')}`" for each in schema.names))
            frame = part if frame is None else frame.unionByName(part, allowMissingColumns=True)
        assert frame is not None, "no files were named"
        name = f"files_{len(self._files)}"
        frame.createOrReplaceTempView(name)
        self._is_far(name, frozenset())
        self._files[paths] = name
        return name

    def _bring(self, names: frozenset[str]) -> None:
        """See to it that Spark has what a statement reads, as it is now: tables from here, and views over what was made anew."""
        for each in sorted(names):
            if each not in self._far:
                if each not in self._handed:
                    self._spark.createDataFrame(self._near(each)).createOrReplaceTempView(each)
                    self._handed.add(each)
                    self._made(each)
                continue
            self._bring(self._far[each])
            newest = max((self._turns[read] for read in self._far[each]), default=0)
            if newest > self._turns[each]:
                self._name_view(each, *self._views[each])
                self._made(each)

    def _made(self, name: str) -> None:
        """Note in which turn a relation on Spark was made."""
        self._turn += 1
        self._turns[name] = self._turn
        self._columns.pop(name, None)

    def _near(self, name: str) -> pa.Table:
        """Give all rows of a relation that is here. Arrow has no integer past 64 bits."""
        relation = self._con.sql(f"SELECT * FROM {name}")
        kinds = zip(relation.columns, relation.types, strict=True)
        columns = [
            f"CAST({quoted(column)} AS DECIMAL(38, 0)) AS {quoted(column)}"
            if str(kind) == "HUGEINT"
            else quoted(column)
            for column, kind in kinds
        ]
        return self._con.sql(f"SELECT {', '.join(columns)} FROM {name}").to_arrow_table()

    def _columns_of(self, name: str) -> Sequence[str]:
        if name not in self._far:
            return list(self._con.sql(f"SELECT * FROM {name} LIMIT 0").columns)
        if name not in self._columns:
            self._columns[name] = list(self._spark.table(name).columns)
        return self._columns[name]

    def _insert(self, tree: exp.Insert) -> None:
        target = tree.this.name
        self._bring(frozenset({target}))
        held = self._spark.table(target)
        rows = self._frame(tree.expression)
        rows = rows if tree.args.get("by_name") else rows.toDF(*held.columns)
        there = {each.lower() for each in rows.columns}
        kinds = {field.name: field.dataType.simpleString() for field in held.schema.fields}
        items = [
            f"CAST({f'`{column}`' if column.lower() in there else 'NULL'} AS {kind}) AS `{column}`"
            for column, kind in kinds.items()
        ]
        self._keep(target, held.unionAll(rows.selectExpr(*items)))

    def _update(self, tree: exp.Expr) -> None:
        """Make the table anew: rows that change, then the others. A row of the table must meet at most one of FROM."""
        target = tree.this.name
        condition = tree.args["where"].this
        new = exp.Star(replace=[exp.alias_(each.expression, each.this.name) for each in tree.expressions])
        changed = exp.select(exp.Column(this=new, table=exp.to_identifier(target))).from_(target)
        kept = exp.select("*").from_(target)
        if found := tree.args.get("from_"):
            changed = changed.join(found.this.copy(), on=condition.copy())
            met = exp.Exists(this=exp.select("1").from_(found.this.copy()).where(condition.copy()))
            kept = kept.where(met.not_())
        else:
            changed = changed.where(condition.copy())
            kept = kept.where(exp.func("coalesce", condition.copy(), exp.false()).not_())
        self._keep(target, self._frame(exp.union(changed, kept, distinct=False)))

    def _write(self, frame: "DataFrame", path: Path) -> None:
        """Write one Parquet file, from the parts that Spark writes beside it."""
        parts = path.with_name(f"{path.name.lstrip('.')}.parts")
        try:
            frame.write.mode("overwrite").parquet(str(parts.absolute()))
            written = sorted(parts.glob("part-*.parquet"))
            with pq.ParquetWriter(path, pq.read_schema(written[0]).remove_metadata()) as writer:
                for each in written:
                    with pq.ParquetFile(each) as part:
                        for batch in part.iter_batches():
                            writer.write_batch(batch)
        finally:
            shutil.rmtree(parts, ignore_errors=True)


def _values(column: pa.ChunkedArray) -> list[object]:
    """Give the values of a column; integers of more than 64 bits, which are decimals on Spark, as integers."""
    values = column.to_pylist()
    if pa.types.is_decimal(column.type) and column.type.scale == 0:
        return [int(each) if isinstance(each, Decimal) else each for each in values]
    return list(values)


@contextmanager
def _faults_named() -> Iterator[None]:
    """Turn what data, a statement or the cluster can do into refusals; everything else is a defect and passes."""
    from py4j.protocol import Py4JError  # type: ignore[import-untyped]
    from pyspark.errors import AnalysisException, ParseException, PySparkException

    try:
        yield
    except (PySparkException, Py4JError) as error:
        told = str(error)
        if found := _OUT_OF_RANGE.search(told):
            message = f"A number left the range of its type: {found.group()} Check the largest quantities and amounts."
            raise Refusal("out_of_range", message) from error
        first = _first_cause(told) or type(error).__name__
        if isinstance(error, (AnalysisException, ParseException)):
            raise Refusal("spark_cannot", f"The plan has a statement that cannot run on Spark yet: {first}") from error
        if "OutOfMemoryError" in told:
            raise Refusal("out_of_memory", "Spark ran out of memory on these lines; raise the memory limit.") from error
        raise Refusal("spark_failed", f"Spark failed: {first}") from error


def _first_cause(told: str) -> str:
    """Give the line that says what happened: the one with the Java exception, where the first names only the call."""
    lines = told.splitlines()
    return next((line.removeprefix(": ") for line in lines if line.startswith(": ")), lines[0] if lines else "")

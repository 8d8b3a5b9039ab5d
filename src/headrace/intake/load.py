"""Load sales files through a profile: read, check, identify, compare with what is there, write.

The order, and why: values before rules (a rule needs the value), rules and plausibility before identity against the store (a bad
row takes no identity), the whole file (control totals, quarantine) after the rows and before anything is written.
"""

import datetime as dt
import hashlib
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa

from headrace.engine.findings import Refusal
from headrace.engine.schema import LINES
from headrace.intake import identity, plausibility, standing, verdicts, waiting
from headrace.intake.delimited import CsvForm
from headrace.intake.findings_log import DETAIL_MAX, FindingLog
from headrace.intake.mapping import SQL_TYPES, map_file, read_lines
from headrace.intake.mapping import Mapping as LineMapping
from headrace.intake.profile import ControlTotals, FileForm, Profile
from headrace.intake.rejects import write_rejects
from headrace.intake.report import FileReport, Report
from headrace.intake.staging import ROW, Staged, literal, quote
from headrace.intake.store import Appended, FactStore, NewBatch
from headrace.intake.tables import connect, stage_file
from headrace.intake.workbook import SheetForm

MEMORY_LINES_MAX = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What one intake is asked to do beside the profile.

    references: partners and products, as tables of engine.schema. period: half-open, what a replacing file stands for.
    expected: control totals of this delivery. received_on: the day on which the files arrived. release: load the held rows that
    a reviewer marked in a file of rejects. repairs: the file holds rows of a file of rejects, in UTF-8 and parted by commas, each
    of which stands for itself: no control total, no quarantine. aliases: what names of this source stand for, by kind of record.
    waiting_max: give rows that did not load one by one, if there are at most so many.
    """

    received_on: dt.date
    references: Mapping[str, pa.Table] = field(default_factory=dict)
    period: tuple[dt.date, dt.date] | None = None
    expected: ControlTotals | None = None
    shrinkage_confirmed: bool = False
    release: bool = False
    repairs: bool = False
    aliases: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    waiting_max: int = 0
    dry_run: bool = False
    detail_max: int = DETAIL_MAX


def intake(files: Iterable[Path], profile: Profile, store: FactStore | None, *, request: Request, out: Path) -> Report:
    """Load files one after the other, each as a batch of its own; give what came of all of them. See `load_files`."""
    return Report(tuple(load_files(files, profile, store, request=request, out=out)))


def load_files(
    files: Iterable[Path], profile: Profile, store: FactStore | None, *, request: Request, out: Path
) -> Iterator[FileReport]:
    """Load files one after the other, each as a batch of its own; give what came of each as soon as it is loaded.

    Rejected and held rows go to `out`/<file>.rejects.csv, to be repaired and sent again. Without a store, or in a dry run,
    nothing is added. Raises Refusal if a file is not there, or a replacement lacks its period or takes away too much.
    """
    paths = list(files)
    for path in paths:
        if not path.is_file():
            raise Refusal("file_not_found", f"There is no file {path}. Nothing was loaded.")
    if profile.mode.kind == "replace" and request.period is None:
        raise Refusal(
            "period_missing", "The profile replaces a reporter's period: say which (from, until). Nothing was loaded."
        )
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".intake-") as scratch, connect(Path(scratch)) as database:
        plausibility.note_references(database, request.references)
        for number, path in enumerate(paths):
            into = Path(scratch) / str(number)
            into.mkdir()
            with database.cursor() as con:
                yield _load_file(con, path, profile, store, request=request, out=out, scratch=into)
            shutil.rmtree(into)


def _load_file(
    con: duckdb.DuckDBPyConnection,
    path: Path,
    profile: Profile,
    store: FactStore | None,
    *,
    request: Request,
    out: Path,
    scratch: Path,
) -> FileReport:
    log = FindingLog(str(path), request.detail_max)
    staged = _stage(path, profile, log, scratch, repairs=request.repairs)
    mapping = None
    if staged is not None:
        mapping = map_file(profile, staged, log, release=request.release, repairs=request.repairs)
    if staged is None or mapping is None:
        return _refused(path, profile, log)
    loading = _Loading(con, path, profile, store, request, out, scratch, log, staged, mapping)
    try:
        return loading.run()
    except duckdb.InvalidInputException as error:
        log.add("unreadable_file", f"The file cannot be read: {str(error).splitlines()[0]}. Write it again.")
        return _refused(path, profile, log)


def _refused(path: Path, profile: Profile, log: FindingLog) -> FileReport:
    return FileReport(
        file=str(path),
        profile=profile.profile,
        status="refused",
        findings=tuple(log.findings()),
        finding_counts=log.counts(),
    )


def _stage(path: Path, profile: Profile, log: FindingLog, scratch: Path, *, repairs: bool) -> Staged | None:
    form = FileForm(encoding="utf-8", delimiter=",") if repairs else profile.file
    return stage_file(
        path,
        log,
        into=scratch / "records.arrow",
        form=CsvForm(encoding=form.encoding, delimiter=form.delimiter, header_row=form.header_row),
        sheet=SheetForm(sheet=form.sheet, header_row=form.header_row, decimal=profile.numbers.decimal),
    )


@dataclass(slots=True)
class _Loading:
    """The steps for one file, over the tables of one connection."""

    con: duckdb.DuckDBPyConnection
    path: Path
    profile: Profile
    store: FactStore | None
    request: Request
    out: Path
    scratch: Path
    log: FindingLog
    staged: Staged
    mapping: LineMapping

    def run(self) -> FileReport:
        """Do all steps and report."""
        con, request = self.con, self.request
        self.staged.register(con, "raw")
        verdicts.begin(con)
        standing.begin(con)
        read_lines(con, self.mapping, identity.base_id(self.mapping))
        plausibility.resolve_names(con, self.mapping, request.aliases, self.log)
        verdicts.note_bad_values(con, self.mapping)
        totals = self._control_totals()
        reasons = plausibility.check_rows(con, self.mapping)
        plausibility.check_agreements(con, self.mapping)
        plausibility.convert_units(con, self.mapping)
        plausibility.check_known(con, self.mapping, request.references, self.log)
        plausibility.check_prices(con, self.mapping, request.references, self.log)
        identity.assign_ids(con, self.mapping)
        plausibility.check_suspects(con, self.mapping, self.store)
        verdicts.release(con, self.mapping, self.log)
        comparison = None if self._hold_whole_file(totals) else self._meet_standing()
        self._decide()
        written, reversed_lines = self._write_lines(with_reversals=comparison is not None)
        appended = self._append(written)
        verdicts.log_faults(con, self.log, self.mapping.styles, reasons)
        return self._report(totals, comparison, appended, reversed_lines, reasons)

    def _decide(self) -> None:
        verdicts.decide(self.con)
        self.con.execute(f"INSERT INTO verdicts SELECT {ROW}, 'unchanged' FROM unchanged_rows")

    def _control_totals(self) -> dict[str, tuple[Decimal, Decimal]]:
        """Compare what the sender states with what the file holds, as written; a difference is an error of the file."""
        stated = self.request.expected or self.profile.control_totals
        if stated is None or self.request.repairs:
            return {}
        rows, quantity, amount = self.con.execute(
            "SELECT count(*), coalesce(sum(_quantity), 0), coalesce(sum(_amount), 0) FROM lines_read"
        ).fetchall()[0]
        found = {"rows": Decimal(rows + self.staged.ragged_rows), "quantity": quantity, "amount": amount}
        pairs = {n: (Decimal(v), found[n]) for n, v in stated.model_dump().items() if v is not None}
        for name, (said, is_there) in pairs.items():
            if said != is_there:
                self.log.add(
                    "control_total_differs",
                    f"The control total of {name} is {said:f}, and the file has {is_there:f} (difference"
                    f" {is_there - said:f}). Nothing was"
                    " loaded; ask the sender for the complete file.",
                )
        return pairs

    def _hold_whole_file(self, totals: Mapping[str, tuple[Decimal, Decimal]]) -> bool:
        """Hold every row where the file as a whole cannot be trusted; tell whether that is so."""
        rest = f"lines_read WHERE {ROW} NOT IN (SELECT {ROW} FROM faults WHERE {verdicts.STOPPING})"
        if any(said != found for said, found in totals.values()):
            verdicts.note(
                self.con, code="file_held", action="hold", rows=rest, stated="'A control total of the file differs.'"
            )
            return True
        if self._replaces() and self._holds_rows_without_identity():
            self.log.add(
                "replacement_incomplete",
                "The file stands for the whole period, and has rows that cannot be told (wrong number of"
                " columns, or no line key), so what is"
                " missing from it is not known. Nothing was changed; correct these rows and send the file again.",
            )
            verdicts.note(
                self.con, code="file_held", action="hold", rows=rest, stated="'Other rows of the file cannot be told.'"
            )
            return True
        limit = self.profile.quarantine_above
        if limit is None or self.request.repairs:
            return False
        received, stopped = self.con.execute(
            f"SELECT (SELECT count(*) FROM lines_read), (SELECT count(DISTINCT {ROW}) FROM faults WHERE action = 'reject')"
        ).fetchall()[0]
        received, stopped = received + self.staged.ragged_rows, stopped + self.staged.ragged_rows
        if stopped <= limit * received:
            return False
        self.log.add(
            "file_quarantined",
            f"{stopped:,} of {received:,} rows are faulty, more than the profile's limit of {limit:%}. The whole"
            " file is suspect and nothing"
            " was loaded; look at the faults, and ask the sender for a sound file.",
        )
        verdicts.note(
            self.con, code="file_held", action="hold", rows=rest, stated="'Too many other rows of the file are faulty.'"
        )
        return True

    def _replaces(self) -> bool:
        return self.profile.mode.kind == "replace" and not self.mapping.is_of_rejects()

    def _holds_rows_without_identity(self) -> bool:
        unnamed = self.con.execute("SELECT 1 FROM lines_read WHERE _base IS NULL LIMIT 1").fetchall()
        return bool(unnamed) or self.staged.ragged_rows > 0

    def _meet_standing(self) -> standing.Comparison | None:
        """Compare with what is there. In mode add only a dry run asks: else the store itself tells when it adds."""
        con, mode, store = self.con, self.profile.mode, self.store
        if store is None:
            return None
        if mode.kind == "add":
            if self.request.dry_run:
                ids = con.sql(f"SELECT _id AS line_id FROM {standing.good_rows()}").to_arrow_table()
                self._note_known(store.known_line_ids(ids))
            return None
        period = self.request.period if self._replaces() else None
        if period is not None:
            standing.check_period(con, period)
        comparison = standing.correct(con, self.mapping, store, self.log, period=period)
        if period is not None:
            confirmed = self.request.shrinkage_confirmed or self.request.dry_run
            standing.refuse_shrinkage(comparison, shrinkage_max=mode.shrinkage_max, confirmed=confirmed)
        return comparison

    def _note_known(self, known: pa.Table) -> None:
        if standing.note_known(self.con, known):
            self.log.add("nothing_new", "Every line of the file was loaded before; nothing was added.", severity="info")

    def _append(self, written: pa.Table | Path | None) -> Appended | None:
        """Add the lines to the store; lines that it had already are rejected now."""
        if written is None or self.store is None or self.request.dry_run:
            return None
        batch = NewBatch(
            raw=self.path,
            source=str(self.path),
            taken=_taken(self.profile, self.con),
            personal=self.profile.personal,
        )
        appended = self.store.append(written, batch)
        self.log.extend(appended.findings)
        known = appended.duplicates
        if appended.earlier and appended.accepted:
            known = self.con.sql("SELECT line_id FROM written").to_arrow_table()
        if known.num_rows and self.profile.mode.kind != "add" and not appended.earlier:
            self.log.add(
                "changed_meanwhile",
                f"{known.num_rows:,} corrections were made by another intake at the same time and were not made"
                " again. Load the file once more"
                " to compare it with what stands now.",
            )
        elif known.num_rows:
            self._note_known(known)
            self._decide()
        return appended

    def _columns(self) -> dict[str, str]:
        """Give the columns of what is written, with their SQL types: all declared ones, then the profile's own."""
        declared = {name: SQL_TYPES[column.type] for name, column in LINES.items()}
        own = {f.name: SQL_TYPES[f.type] for f in self.mapping.fields if f.name not in LINES}
        return declared | own

    def _write_lines(self, *, with_reversals: bool) -> tuple[pa.Table | Path | None, int]:
        """Write out new lines and reversals, as the relation `written`; give them (null if there are none), and how many reverse.

        Few lines stay in memory; more go to a Parquet file.
        """
        con, columns = self.con, self._columns()
        there = {row[0] for row in con.execute("DESCRIBE lines_read").fetchall()}
        received = f"DATE '{self.request.received_on.isoformat()}'"
        special = {
            "line_id": "coalesce(a.line_id, _id)",
            "received_on": f"coalesce(g.received_on, {received})" if "received_on" in there else received,
        }
        listed = ", ".join(
            f"CAST({special.get(name, f'g.{quote(name)}' if name in there else 'NULL')} AS {kind}) AS {quote(name)}"
            for name, kind in columns.items()
        )
        fresh = f"""
            SELECT {listed} FROM {standing.named_rows()} g LEFT JOIN additions a USING ({ROW})
            WHERE {ROW} NOT IN (SELECT {ROW} FROM verdicts)"""
        reversals = standing.reversal_select(con, self.request.received_on, columns) if with_reversals else None
        reversed_lines = int(con.execute(f"SELECT count(*) FROM ({reversals})").fetchall()[0][0]) if reversals else 0
        query = f"{fresh} UNION ALL BY NAME {reversals}" if reversals else fresh
        if self.staged.rows() + reversed_lines <= MEMORY_LINES_MAX:
            table = con.sql(query).to_arrow_table()
            con.register("written", table)
            return (table if table.num_rows else None), reversed_lines
        target = self.scratch / "lines.parquet"
        copied = con.execute(
            f"COPY ({query}) TO {literal(str(target))} (FORMAT parquet, COMPRESSION snappy)"
        ).fetchall()
        con.execute(f"CREATE OR REPLACE TEMP VIEW written AS FROM read_parquet({literal(str(target))})")
        return (target if copied[0][0] else None), reversed_lines

    def _report(
        self,
        totals: Mapping[str, tuple[Decimal, Decimal]],
        comparison: standing.Comparison | None,
        appended: Appended | None,
        reversed_lines: int,
        reasons: Mapping[str, str],
    ) -> FileReport:
        con = self.con
        tallies = verdicts.tallies(con, ragged_rows=self.staged.ragged_rows)
        rejects = self.out / f"{self.path.name}.rejects.csv"
        kept = tallies["rejected"].rows + tallies["held"].rows > 0
        if kept:
            write_rejects(con, self.mapping, rejects, scratch=self.scratch)
        stopped = tallies["rejected"].rows + tallies["held"].rows
        each = waiting.waiting_rows(con, self.mapping, reasons) if 0 < stopped <= self.request.waiting_max else ()
        added = tallies["loaded"].rows + reversed_lines
        return FileReport(
            file=str(self.path),
            profile=self.profile.profile,
            status="checked" if self.request.dry_run or self.store is None else "loaded" if added else "nothing_new",
            **tallies,
            reversed_lines=reversed_lines,
            comparison=comparison,
            control_totals=totals or None,
            findings=tuple(self.log.findings()),
            finding_counts=self.log.counts(),
            rejects=rejects if kept else None,
            batch_seq=appended.batch_seq if appended else None,
            waiting=each,
            waiting_columns=waiting.columns(self.mapping),
            unchanged_rows=self._unchanged_rows(),
            reported=verdicts.reported(con),
        )

    def _unchanged_rows(self) -> tuple[int, ...]:
        if not self.request.repairs:
            return ()
        return tuple(row for (row,) in self.con.execute(f"SELECT {ROW} FROM unchanged_rows ORDER BY 1").fetchall())


def _taken(profile: Profile, con: duckdb.DuckDBPyConnection) -> str:
    """Give a digest of the profile and of the lines taken: a retry is the same batch, a repaired load another."""
    lines = con.execute("SELECT count(*), bit_xor(md5_number(line_id)) FROM written").fetchall()
    return hashlib.sha256(f"{profile.model_dump_json(by_alias=True)}{lines}".encode()).hexdigest()

"""Live balances of a lake: programs are followed from a full calculation, and every batch changes only what it reaches.

`catch_up` brings everything to the present, whatever was cut off before: it loads programs that are new, changed or stale, and
posts batches that are in the lake and not posted yet, each in one transaction. It may be called at any time and twice at once.
Additive programs add the batch to their totals; others calculate the parties that the batch names anew, from all of their lines,
or, where nothing narrower is proven, the whole program (see engine.reach). All of it is priced by the engine's one plan.
"""

import hashlib
import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import duckdb
import pyarrow as pa

import headrace
from headrace.engine import Request, calculate
from headrace.engine.findings import Finding, Refusal
from headrace.engine.judge import mixed_currencies
from headrace.engine.reach import Reach, reaches
from headrace.engine.schema import Lines, Tables
from headrace.engine.terms import Terms
from headrace.engine.terms.canonical import terms_hash
from headrace.engine.totals import Desktop, ScopeKey, Sums, Totals, work
from headrace.lake import Lake, State
from headrace.lake.register import Batch
from headrace.live import Among, Followed, Posting, Standing, StatementKey, Work
from headrace.runs.compare import STATEMENT_KEY, Difference, differences
from headrace.runs.live_lines import BatchLines, batch_lines, lines_of, unknown_sales
from headrace.runs.port import Decided
from headrace.runs.sources import from_lake

_TRIES = 5
# Everything that a standing keeps; what is due, provided and posted elsewhere is not kept.
SHOWN = (
    *STATEMENT_KEY, "version", "measure", "base", "tier", "earned", "unverified", "currency", "lines", "next_from",
    "next_distance", "carried", "carried_in", "payable_on",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class CaughtUp:
    """What `catch_up` did: the batches that it posted, the programs that it loaded, and what was found on the way."""

    posted: tuple[int, ...]
    loaded: tuple[str, ...]
    findings: tuple[Finding, ...]


class Live:
    """The balances of one lake. One object a thread; keeps connections and reference tables between batches."""

    def __init__(self, lake: Lake, book: Decided) -> None:
        """Open the balances, which lie where the lake's register does."""
        self._lake = lake
        self._book = book
        self._store = book.totals(lake)
        self._con = duckdb.connect()
        self._desktop = Desktop()
        self._hashes: dict[tuple[str, int], str] = {}
        self._snapshots: dict[str, pa.Table] = {}
        self._documents: dict[str, tuple[Terms, str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._con.close()
        self._desktop.session.close()

    def standings(self, *, program: str | None = None, payee: str | None = None) -> list[Standing]:
        """Give the statements as they stand."""
        return self._store.standings(program=program, payee=payee)

    def postings(self, *, program: str | None = None) -> list[Posting]:
        """Give every change of what is earned, in order of time."""
        return self._store.postings(program=program)

    def followed(self) -> list[Followed]:
        """List the followed programs."""
        return self._store.followed()

    def catch_up(self) -> CaughtUp:
        """Bring every followed program and every batch to the present.

        Raises Refusal `totals_moved` where others kept posting while a load was computed, and those of the lake and the engine.
        """
        programs = self._programs()
        findings: list[Finding] = []
        for gone in {each.program for each in self._store.followed()} - set(programs):
            self._store.forget(gone)
        loaded = self._load_due(programs, findings)
        reach = reaches(terms for versions in programs.values() for terms in versions)
        posted = [batch.batch_seq for batch in self._unposted() if self._post(batch, reach, findings)]
        loaded += self._load_due(programs, findings)
        return CaughtUp(posted=tuple(posted), loaded=tuple(loaded), findings=tuple(dict.fromkeys(findings)))

    def prove(self) -> list[Difference]:
        """Calculate every followed program in full, and list each figure that does not stand as calculated.

        Raises Refusal `not_caught_up` where batches are not posted yet, or a program is stale.
        """
        programs = self._programs()
        followed = self._store.followed()
        stale = [each.program for each in followed if each.stale]
        if self._unposted() or stale or {each.program for each in followed} != set(programs):
            raise Refusal("not_caught_up", "Balances are behind the lake; run `headrace balances` first.")
        terms = [each for versions in programs.values() for each in versions]
        if not terms:
            return []
        with tempfile.TemporaryDirectory(prefix="headrace-prove-") as scratch:
            source = from_lake(self._lake, self._book, into=Path(scratch))
            assert source.tables is not None
            result = calculate(Request(programs=tuple(terms), tables=source.tables, fixed=source.fixed))
        expected = result.statements.select(list(SHOWN))
        standing = _table(self._store.standings(), expected.schema)
        return differences(standing, expected, STATEMENT_KEY)

    # Loads

    def _load_due(self, programs: Mapping[str, Sequence[Terms]], findings: list[Finding]) -> list[str]:
        """Load the programs that are not followed as they are now."""
        loaded: list[str] = []
        for reach in reaches(terms for versions in programs.values() for terms in versions):
            loaded += self._load(reach, findings)
        return loaded

    def _load(self, reach: Reach, findings: list[Finding]) -> list[str]:
        """Load the programs of one reach that are due; others may post batches meanwhile, and then it is computed again."""
        references = self._book.references()
        basis = {program: self._basis(reach, program, references) for program in reach.programs}
        for left in range(_TRIES - 1, -1, -1):
            followed = {each.program: each for each in self._store.followed()}
            due = [
                program for program in reach.programs
                if program not in followed or followed[program].stale or followed[program].basis != basis[program]
            ]  # fmt: skip
            if due and reach.way != "totals":
                due = list(reach.programs)
            expected = [followed[program] for program in due if program in followed]
            try:
                if due:
                    self._load_now(reach, due, basis, expected, findings)
            except Refusal as refusal:
                if refusal.code != "totals_moved" or not left:
                    raise
            else:
                return due
        raise AssertionError

    def _load_now(
        self,
        reach: Reach,
        due: Sequence[str],
        basis: Mapping[str, str],
        expected: Sequence[Followed],
        findings: list[Finding],
    ) -> None:
        as_of = self._lake.last_batch_seq()
        terms = tuple(each for each in reach.terms if each.program in due)
        with tempfile.TemporaryDirectory(prefix="headrace-live-") as scratch:
            computed = self._compute(reach, terms, as_of, Path(scratch))
        findings += computed.findings
        begun = [
            Followed(program=each, basis=basis[each], loaded_as_of=as_of, moneys=computed.moneys.get(each, frozenset()))
            for each in due
        ]
        with self._store.load(begun, expected=expected) as working:
            working.await_sales(computed.awaited)
            working.add(computed.totals)
            _stand(working, due, computed.standings, among=None)

    def _compute(self, reach: Reach, terms: tuple[Terms, ...], as_of: int, into: Path) -> "_Computed":
        """Work programs out in full, as of a batch."""
        if reach.way != "totals":
            source = from_lake(self._lake, self._book, batch_seq=as_of, into=into)
            assert source.tables is not None
            result = calculate(Request(programs=terms, tables=source.tables, fixed=source.fixed))
            return _Computed(standings=_standings(result.statements), findings=result.findings)
        lines = self._lake.lines(as_of)
        totals: dict[ScopeKey, Mapping[str, Sums]] = {}

        def keep(shares: Totals) -> Totals:
            totals.update(shares)
            return shares

        done = work(Request(programs=terms, tables=self._tables(lines)), keep)
        refused = {program: met for program, met in done.moneys.items() if len(met) > 1}
        mixed = [mixed_currencies(program, ", ".join(sorted(met))) for program, met in sorted(refused.items())]
        return _Computed(
            standings=[each for each in _standings(done.statements) if each.key.program not in refused],
            findings=(*done.findings, *mixed), totals=totals, moneys=done.moneys, awaited=unknown_sales(self._con, lines),
        )  # fmt: skip

    # Batches

    def _post(self, batch: Batch, reach: Sequence[Reach], findings: list[Finding]) -> bool:
        """Post a batch; false where it was posted meanwhile."""
        with (
            self._store.batch(batch.batch_seq, at=datetime.now(UTC)) as working,
            tempfile.TemporaryDirectory(prefix="headrace-live-") as scratch,
        ):
            if working.done:
                return False
            taking = {each.program for each in working.followed()}
            roles = {column for each in reach for column in each.columns}
            lines = batch_lines(self._con, self._lake, batch.batch_seq, Path(scratch), roles=roles) if taking else None
            if lines is None:
                return True
            unsettled = working.awaited(lines.counted)
            working.await_sales(lines.unknown)
            for each in reach:
                terms = tuple(one for one in each.terms if one.program in taking)
                if not terms:
                    continue
                if each.way == "whole" or (unsettled and each.way == "totals"):
                    for program in {one.program for one in terms}:
                        working.turn_stale(
                            program, "it is calculated as a whole" if each.way == "whole" else "late sale"
                        )
                elif each.way == "totals":
                    findings += self._add(working, terms, lines)
                else:
                    findings += self._renew(working, each, lines, Path(scratch), unsettled=unsettled)
        return True

    def _add(self, working: Work, terms: tuple[Terms, ...], lines: BatchLines) -> Sequence[Finding]:
        """Add a batch to the totals of additive programs."""
        request = Request(programs=terms, tables=self._tables(lines.lines))
        done = work(request, working.add, counted=lines.counted, desktop=self._desktop)
        for program, moneys in done.moneys.items():
            if len(working.met(program, moneys)) > 1:
                working.turn_stale(program, "it met lines in several currencies")
        working.put(_standings(done.statements))
        return done.findings

    def _renew(
        self, working: Work, reach: Reach, batch: BatchLines, into: Path, *, unsettled: bool
    ) -> Sequence[Finding]:
        """Calculate the statements of the parties that a batch names: all, or those of the periods from its first one on.

        unsettled: the batch brings a sale that an earlier return named, which leaves its own place, in whatever period it is.
        """
        named = frozenset().union(*(batch.parties[column] for column in reach.columns))
        parties, members = self._members(named) if reach.groups else (named, named)
        if not parties:
            return ()
        since = None if unsettled else reach.begins(batch.first_day, self._references().get("calendar"))
        lines = lines_of(self._con, self._lake, reach.columns, members, into, since=since)
        result = calculate(Request(programs=reach.terms, tables=self._tables(lines)))
        standings = [
            each for each in _standings(result.statements)
            if json.loads(each.key.scope)[reach.word] in parties
            and (since is None or (each.key.from_ is not None and each.key.from_ >= since))
        ]  # fmt: skip
        _stand(working, reach.programs, standings, among=Among(reach.word, parties, since))
        return result.findings

    def _members(self, partners: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
        """Give the groups that partners were ever in, with the partners themselves, and all members of these groups."""
        table = self._references().get("partners")
        if table is None or "group_id" not in table.column_names:
            return partners, partners
        pairs = list(zip(table["partner_id"].to_pylist(), table["group_id"].to_pylist(), strict=True))
        groups = {group for partner, group in pairs if partner in partners and group is not None}
        members = {partner for partner, group in pairs if group in groups}
        return partners | groups, partners | members

    # What is in force

    def _unposted(self) -> list[Batch]:
        return [each for each in self._lake.register.batches() if each.state is State.APPENDED]

    def _programs(self) -> dict[str, list[Terms]]:
        """Give the versions of the active programs."""
        programs: dict[str, list[Terms]] = {}
        for document in self._book.programs():
            text = json.dumps(document, sort_keys=True)
            if text not in self._documents:
                read = Terms.model_validate(document)
                self._documents[text] = read, terms_hash(read)
            terms, hashed = self._documents[text]
            self._hashes[terms.program, terms.version] = hashed
            programs.setdefault(terms.program, []).append(terms)
        return programs

    def _references(self) -> dict[str, pa.Table]:
        found = self._book.references()
        for content_hash in found.values():
            if content_hash not in self._snapshots:
                self._snapshots[content_hash] = self._lake.load_snapshot(content_hash)
        return {kind: self._snapshots[content_hash] for kind, content_hash in found.items()}

    def _tables(self, lines: Lines) -> Tables:
        return Tables(lines=lines, references=self._references())

    def _basis(self, reach: Reach, program: str, references: Mapping[str, str]) -> str:
        """Hash what a load depends on beside the lines; programs that are calculated together depend on each other."""
        together = [each for each in reach.terms if reach.way != "totals" or each.program == program]
        content = [
            headrace.__version__,
            reach.way,
            sorted(self._hashes[each.program, each.version] for each in together),
            sorted(references.items()),
        ]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Computed:
    """Programs worked out in full."""

    standings: Sequence[Standing]
    findings: tuple[Finding, ...]
    totals: Totals = field(default_factory=dict)
    moneys: Mapping[str, frozenset[str]] = field(default_factory=dict)
    awaited: frozenset[str] = frozenset()


def _stand(working: Work, programs: Iterable[str], standings: Sequence[Standing], *, among: Among | None) -> None:
    """Put statements, and withdraw those that are not among them any more."""
    working.put(standings)
    by_program: dict[str, list[StatementKey]] = {program: [] for program in programs}
    for each in standings:
        by_program[each.key.program].append(each.key)
    for program, keys in by_program.items():
        working.withdraw(program, keys, among=among)


def _standings(statements: pa.Table) -> list[Standing]:
    columns = [statements[name].to_pylist() for name in SHOWN]
    figures = SHOWN[len(STATEMENT_KEY) :]
    return [
        Standing(key=StatementKey(*row[:6]), **dict(zip(figures, row[6:], strict=True)))
        for row in zip(*columns, strict=True)
    ]


def _table(standings: Sequence[Standing], schema: pa.Schema) -> pa.Table:
    rows = [
        {
            **dict(zip(STATEMENT_KEY, each.key, strict=True)),
            **{name: getattr(each, name) for name in SHOWN[len(STATEMENT_KEY) :]},
        }
        for each in standings
    ]
    return pa.Table.from_pylist(rows, schema=schema)

"""Propose a profile from a file: what the columns mean, how dates and numbers are written, and what a person must decide.

A proposal is never loaded with by itself: it says how sure it is, and leaves open what the file cannot tell.
"""

import io
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import duckdb
from ruamel.yaml import YAML

from headrace.engine.findings import Finding, Refusal
from headrace.engine.schema import LINES
from headrace.intake.container import Container, detect_container, survey_text
from headrace.intake.conversion import DateOrder, DateStyle, NumberStyle, to_date, to_decimal
from headrace.intake.delimited import detect_delimiter
from headrace.intake.findings_log import FindingLog
from headrace.intake.profile import Profile
from headrace.intake.staging import Staged, as_sql_text
from headrace.intake.synonyms import SYNONYMS, words_of
from headrace.intake.tables import connect, stage_file

type Confidence = Literal["high", "medium", "low"]
SAMPLE_ROWS = 100_000
_ORDERS: tuple[DateOrder, ...] = ("ymd", "dmy", "mdy", "yyyymmdd")
_STYLES = (
    NumberStyle(),
    NumberStyle(thousands=","),
    NumberStyle(decimal=","),
    NumberStyle(decimal=",", thousands="."),
    NumberStyle(decimal=",", thousands=" "),
    NumberStyle(thousands="'"),
)
_NUMERIC = ("quantity", "amount", "gross_amount", "unit_price", "cost")


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that was found or must be decided. about: the key of the profile. decide: a person must settle it."""

    about: str
    confidence: Confidence
    message: str
    decide: bool = False


@dataclass(slots=True)
class Suggestion:
    """A proposed profile as a document, the notes on it, and findings about the file."""

    document: dict[str, Any]
    notes: list[Note] = field(default_factory=list)
    findings: tuple[Finding, ...] = ()

    def profile(self) -> Profile:
        """Give the proposal as a profile. Raises pydantic's ValidationError while something needed is still open."""
        return Profile.model_validate(self.document)

    def to_yaml(self) -> str:
        """Give the proposal as YAML, what must be decided as comments on top."""
        yaml = YAML()
        yaml.width = 120
        text = io.StringIO()
        yaml.dump(self.document, text)
        decide = [f"# DECIDE {note.about}: {note.message}\n" for note in self.notes if note.decide]
        found = [f"# {note.about} ({note.confidence}): {note.message}\n" for note in self.notes if not note.decide]
        return "".join([*decide, *found]) + text.getvalue()

    def as_dict(self) -> dict[str, Any]:
        """Give a JSON object."""
        notes = [
            {"about": n.about, "confidence": n.confidence, "message": n.message, "decide": n.decide} for n in self.notes
        ]
        return {"profile": self.document, "notes": notes, "findings": [finding.as_dict() for finding in self.findings]}


def suggest_profile(path: Path, *, name: str | None = None) -> Suggestion:
    """Propose a profile for a file, from its first 100,000 rows. Raises Refusal if the file is not there or holds no table."""
    if not path.is_file():
        raise Refusal("file_not_found", f"There is no file {path}. Check the path.")
    log = FindingLog(str(path))
    slug = re.sub(r"[^a-z0-9]+", "-", (name or path.name.split(".")[0]).lower()).strip("-")[:40] or "source"
    with tempfile.TemporaryDirectory(prefix="headrace-") as scratch, connect(Path(scratch)) as con:
        staged = stage_file(path, log, into=Path(scratch) / "records.arrow")
        if staged is None:
            raise Refusal(
                "no_table", f"No table can be read from {path}: {log.findings()[0].message}", findings=log.findings()
            )
        staged.register(con, "raw")
        con.execute(f"CREATE TEMP TABLE sample AS SELECT * FROM raw LIMIT {SAMPLE_ROWS}")
        looking = _Looking(
            con, staged, Suggestion({"profile": slug, "name": path.name, "source": slug[:30].strip("-")}, [])
        )
        looking.describe_file(path)
        looking.match_columns()
        looking.find_dates()
        looking.find_numbers()
        looking.find_identity()
        looking.ask_what_is_open()
    looking.suggestion.findings = tuple(log.findings())
    return looking.suggestion


@dataclass(slots=True)
class _Looking:
    """Looks at a file and fills in the proposal, one question after the other."""

    con: duckdb.DuckDBPyConnection
    staged: Staged
    suggestion: Suggestion
    columns: dict[str, str] = field(default_factory=dict)

    def note(self, about: str, confidence: Confidence, message: str, *, decide: bool = False) -> None:
        self.suggestion.notes.append(Note(about, confidence, message, decide))

    def text(self, column: str) -> str:
        at = self.staged.position(column)
        assert at is not None
        return f"nullif(trim({as_sql_text(f'_c{at}', self.staged.types[at])}), '')"

    def one(self, select: str) -> tuple[Any, ...]:
        row: tuple[Any, ...] = self.con.execute(f"SELECT {select} FROM sample").fetchall()[0]
        return row

    def describe_file(self, path: Path) -> None:
        log = FindingLog(str(path))
        if detect_container(path, log) is not Container.CSV:
            return
        text = survey_text(path, log)
        assert text is not None
        delimiter = detect_delimiter(text.sample)
        self.suggestion.document["file"] = {"encoding": text.encoding, "delimiter": delimiter}
        sure: Confidence = "high" if not log.counts() else "low"
        self.note("file.encoding", sure, f"The file reads as {text.encoding}.", decide=bool(log.counts()))

    def match_columns(self) -> None:
        """Match headers to fields by what the trade calls them; each field takes the closest header, each header one field."""
        scored = sorted(
            (-score, at, name, header)
            for at, header in enumerate(self.staged.columns)
            for name, score in _scores(header)
        )
        for negative, _, name, header in scored:
            if name in self.columns or header in self.columns.values() or not self._fits(name, header):
                continue
            self.columns[name] = header
            sure: Confidence = "high" if negative == -3 else "medium" if negative == -2 else "low"
            self.note(f"fields.{name}", sure, f"taken from column {header!r}", decide=sure == "low")

    def _fits(self, name: str, header: str) -> bool:
        """Tell whether a column's values can be of the field's type, in any notation."""
        if name in ("occurred_on", "received_on"):
            return any(
                self._share(to_date(self.text(header), _date_style(order)).value, header) > 0.9 for order in _ORDERS
            )
        if name in _NUMERIC:
            return any(self._share(to_decimal(self.text(header), style).value, header) > 0.9 for style in _STYLES)
        if name == "currency":
            return (
                self._share(f"CASE WHEN regexp_full_match({self.text(header)}, '[A-Z]{{3}}') THEN 1 END", header) > 0.9
            )
        return True

    def _share(self, value: str, header: str) -> float:
        good, stated = self.one(f"count({value}), count({self.text(header)})")
        return float(good) / float(stated) if stated else 0.0

    def find_dates(self) -> None:
        """Find the order of the date column; where days and months could be swapped throughout, ask."""
        header = self.columns.get("occurred_on")
        if header is None:
            return
        shares = {order: self._share(to_date(self.text(header), _date_style(order)).value, header) for order in _ORDERS}
        best = max(shares.values())
        # Every order takes ISO dates, so where ymd fits best there is nothing to ask.
        fitting = [order for order in _ORDERS if shares[order] == best]
        fitting = ["ymd"] if "ymd" in fitting else fitting
        self.suggestion.document["dates"] = {"order": fitting[0]}
        if best < 1:
            self.note(
                "dates.order",
                "low",
                f"{best:.1%} of {header!r} read as {fitting[0]}; the rest will be rejected.",
                decide=True,
            )
        elif len(fitting) > 1:
            self.note(
                "dates.order",
                "low",
                f"Every date in {header!r} can be read as {' or '.join(fitting)} (no day above 12): ask the"
                " sender which is meant.",
                decide=True,
            )
        else:
            self.note("dates.order", "high", f"Only {fitting[0]} reads every date in {header!r}.")

    def find_numbers(self) -> None:
        """Find the one style that reads all number columns."""
        headers = [self.columns[name] for name in _NUMERIC if name in self.columns]
        if not headers:
            return
        shares = [min(self._share(to_decimal(self.text(h), style).value, h) for h in headers) for style in _STYLES]
        best = max(shares)
        fitting = [style for style, share in zip(_STYLES, shares, strict=True) if share == best]
        style = fitting[0]
        self.suggestion.document["numbers"] = {"decimal": style.decimal, "thousands": style.thousands}
        marks = {s.decimal for s in fitting}
        if best < 1:
            self.note(
                "numbers", "low", f"{best:.1%} of the numbers read so; look at the others before loading.", decide=True
            )
        elif len(marks) > 1 and self._any_mark(headers):
            self.note(
                "numbers",
                "low",
                "The marks in the numbers can be decimal or thousands marks: 1,234 is 1.234 or 1234. Ask the sender.",
                decide=True,
            )
        else:
            self.note(
                "numbers",
                "high",
                f"Decimal mark {style.decimal!r}, between thousands {style.thousands or 'nothing'!r}.",
            )
        if style.thousands and not self._any_decimal(headers, style):
            self.note(
                "numbers.thousands",
                "low",
                f"No number has decimals, and all have {style.thousands!r} in threes. A spreadsheet may have lost"
                " the decimal points: compare"
                " some prices with the price list.",
                decide=True,
            )

    def _any_mark(self, headers: Sequence[str]) -> bool:
        return any(self.one(f"bool_or(regexp_matches({self.text(h)}, '[.,]'))")[0] for h in headers)

    def _any_decimal(self, headers: Sequence[str], style: NumberStyle) -> bool:
        return any(self.one(f"bool_or(contains({self.text(h)}, '{style.decimal}'))")[0] for h in headers)

    def find_identity(self) -> None:
        """Find columns whose values tell all rows apart; else take the content."""
        document = self.suggestion.document
        keys = [self.columns[name] for name in ("invoice_number", "invoice_line") if name in self.columns]
        if "line_id" in self.columns and self._tell_apart([self.columns["line_id"]]):
            return
        self.columns.pop("line_id", None)
        if keys and self._tell_apart(keys):
            document["line_key"] = {"columns": keys}
            self.note("line_key", "high", f"{' and '.join(keys)} tell all rows apart.")
            return
        document["line_key"] = {"columns": keys[:1], "content": True}
        self.note(
            "line_key",
            "low",
            "No columns tell all rows apart, so a line is told by its content and the number among equal rows."
            " Name a line number if"
            " the source has one.",
            decide=True,
        )

    def _tell_apart(self, headers: Sequence[str]) -> bool:
        key = ", ".join(self.text(h) for h in headers)
        missing = " OR ".join(f"{self.text(h)} IS NULL" for h in headers)
        distinct, rows, empty = self.one(f"count(DISTINCT ({key})), count(*), count(*) FILTER ({missing})")
        return bool(rows) and distinct == rows and not empty

    def ask_what_is_open(self) -> None:
        """Write the fields, and ask for what the file does not say."""
        document = self.suggestion.document
        fields: dict[str, Any] = dict(self.columns)
        if "amount" not in fields and {"quantity", "unit_price"} <= fields.keys():
            fields["amount"] = {"multiply": ["quantity", "unit_price"]}
            self.note(
                "fields.amount", "medium", "no column of line amounts was found: quantity × unit price", decide=True
            )
        for name, constant in (("kind", "sale"), ("stage", "sell_through"), ("currency", "XXX")):
            if name not in fields:
                fields[name] = {"constant": constant}
                what = {
                    "kind": "Are all rows sales? If some are returns, say which under `kinds`.",
                    "stage": "Is this sell_in, sell_through or sell_out?",
                    "currency": "Which currency are the amounts in? XXX is a placeholder.",
                }[name]
                self.note(f"fields.{name}", "low", what, decide=True)
        for name in ("occurred_on", "quantity", "amount"):
            if name not in fields:
                self.note(
                    f"fields.{name}", "low", f"No column looks like {LINES[name].meaning}. Name one.", decide=True
                )
        if "partner_id" not in fields:
            self.note(
                "fields.partner_id",
                "low",
                "Who sold? Name a column, or a constant if the file is of one partner.",
                decide=True,
            )
        source = document["source"]
        if "line_key" in document:
            self.note(
                "source", "low", f"{source!r} begins every line_id: name the sender, and never change it.", decide=True
            )
        self._look_at_signs(fields)
        rest = [header for header in self.staged.columns if header not in self.columns.values()]
        if rest:
            self.note("fields", "medium", f"not used: {', '.join(rest)}. Add what rules or people need.")
        document.setdefault("dates", {"order": "ymd"})
        document["fields"] = fields

    def _look_at_signs(self, fields: dict[str, Any]) -> None:
        header = self.columns.get("quantity")
        if header is None:
            return
        numbers = self.suggestion.document["numbers"]
        style = NumberStyle(decimal=numbers["decimal"], thousands=numbers["thousands"])
        (negative,) = self.one(f"count(*) FILTER ({to_decimal(self.text(header), style).value} < 0)")
        if negative and isinstance(fields["kind"], dict):
            self.suggestion.document["negative_is_return"] = True
            self.note(
                "negative_is_return",
                "medium",
                f"{negative:,} rows have a negative quantity and are taken as returns. Is that so?",
                decide=True,
            )


def _date_style(order: DateOrder) -> DateStyle:
    return DateStyle(order=order, lenient_iso=order == "ymd")


def _scores(header: str) -> list[tuple[str, int]]:
    """Score a header against each field: 3 the same words, 2 all of a synonym's words among the header's, 1 a compound of it."""
    words = words_of(header)
    joined = "".join(words)
    scores: dict[str, int] = {}
    for name, synonyms in SYNONYMS.items():
        for parts in map(words_of, synonyms):
            synonym = "".join(parts)
            if joined == synonym:
                score = 3
            elif len(parts) > 1 and set(parts) <= set(words):
                score = 2
            elif len(synonym) > 4 and joined.endswith(synonym):
                score = 1
            else:
                continue
            scores[name] = max(scores.get(name, 0), score)
    return sorted(scores.items())

"""What the command line prints for people: statements, reasons, findings as tables; numbers as a reader expects them."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from headrace.engine.findings import Finding
from headrace.engine.numeric import plain

if TYPE_CHECKING:
    import pyarrow as pa

_WIDTH_PIPED = 160

out = Console(emoji=False, width=None if sys.stdout.isatty() else _WIDTH_PIPED)
err = Console(stderr=True, emoji=False, width=None if sys.stderr.isatty() else _WIDTH_PIPED)

_FINDINGS_SHOWN = 20
_STYLES = {"error": "bold red", "warning": "yellow", "info": "cyan"}


def number(value: object) -> str:
    """Write a number with thousands separators and no more decimals than it has.

    >>> number(Decimal("1234567.500000")), number(Decimal("-12")), number(None), number(3)
    ('1,234,567.5', '-12', '', '3')
    """
    if value is None:
        return ""
    if not isinstance(value, Decimal):
        return f"{value:,}" if isinstance(value, int) else str(value)
    whole, _, part = plain(value).partition(".")
    sign = "-" if whole.startswith("-") else ""
    return f"{sign}{int(whole.lstrip('-')):,}" + (f".{part}" if part else "")


def money(value: object, decimals: int) -> str:
    """Write an amount with thousands separators and its currency's minor unit.

    >>> money(Decimal("1234.500000"), 2), money(Decimal("1234"), 0), money(None, 2)
    ('1,234.50', '1,234', '')
    """
    if not isinstance(value, Decimal):
        return ""
    kept = len(plain(value).partition(".")[2])
    return f"{value:,.{max(decimals, kept)}f}"


def period(from_: date | None, until: date | None) -> str:
    """Write a half-open period as people name it: a month, quarter, half, year, or its first and last day.

    >>> period(date(2026, 7, 1), date(2026, 10, 1)), period(date(2026, 1, 1), date(2027, 1, 1)), period(None, None)
    ('2026 Q3', '2026', 'always')
    >>> period(date(2026, 7, 1), date(2026, 8, 1)), period(date(2026, 7, 15), date(2026, 8, 15))
    ('2026-07', '2026-07-15 … 2026-08-14')
    """
    if from_ is None and until is None:
        return "always"
    if from_ and until and from_.day == until.day == 1:
        months = (until.year - from_.year) * 12 + until.month - from_.month
        names = {
            1: f"{from_:%Y-%m}",
            3: f"{from_:%Y} Q{from_.month // 3 + 1}",
            6: f"{from_:%Y} H{from_.month // 6 + 1}",
        }
        if (months in names and from_.month % months == 1 % months) or (months == 12 and from_.month == 1):
            return names.get(months, f"{from_:%Y}")
    first = from_.isoformat() if from_ else ""
    last = (until - timedelta(days=1)).isoformat() if until else ""
    return f"{first} … {last}".strip()


def statements(table: "pa.Table", decimals: Mapping[str, int], *, rows_max: int = 60) -> None:
    """Print statements as a table, at most `rows_max` of them, and the sum for each program."""
    rows = table.to_pylist()
    if not rows:
        out.print("No statement: no line counts for these programs. See the reasons below.")
        return
    view = Table(box=box.SIMPLE_HEAD)
    for title in ("program", "payee", "period"):
        view.add_column(title, overflow="fold")
    for title in ("measure", "tier", "earned", "to post"):
        view.add_column(title, justify="right", no_wrap=True)
    view.add_column("", no_wrap=True)
    for title in ("next tier at", "distance"):
        view.add_column(title, justify="right", no_wrap=True)
    for row in rows[:rows_max]:
        places = decimals[row["currency"]]
        scope = _scope(row["scope"], row["payee_id"])
        view.add_row(
            escape(row["program"]),
            escape(row["payee_id"]) + (f" [dim]{escape(scope)}[/]" if scope else ""),
            period(row["from"], row["until"]),
            number(row["measure"]),
            "" if row["tier"] is None else str(row["tier"]),
            money(row["earned"], places),
            money(row["to_post"], places),
            row["currency"],
            number(row["next_from"]),
            number(row["next_distance"]),
        )
    out.print(view)
    if len(rows) > rows_max:
        out.print(f"… and {len(rows) - rows_max:,} more statements; --out DIR writes them all, --json prints them.")
    _sums(rows, decimals)


def reasons(counted: Mapping[str, Mapping[str, int]]) -> None:
    """Print why lines did not count, by program."""
    if not any(counted.values()):
        return
    view = Table(box=box.SIMPLE_HEAD, title="Lines that did not count", title_justify="left")
    view.add_column("program")
    view.add_column("reason")
    view.add_column("lines", justify="right")
    for program, counts in counted.items():
        for reason, count in sorted(counts.items(), key=lambda item: -item[1]):
            view.add_row(escape(program), escape(reason), f"{count:,}")
    out.print(view)


def findings(found: Sequence[Finding]) -> None:
    """Print findings to the error stream: errors first, the first twenty in full, the rest counted by code."""
    ordered = sorted(found, key=lambda finding: ("error", "warning", "info").index(finding.severity))
    for finding in ordered[:_FINDINGS_SHOWN]:
        place = ":".join(str(part) for part in (finding.file, finding.row, finding.column) if part is not None)
        style = _STYLES[finding.severity]
        lead = f"{escape(place)}: " if place else ""
        err.print(f"[{style}]{finding.severity}[/] {lead}{escape(finding.message)} [dim]({finding.code})[/]")
    rest = ordered[_FINDINGS_SHOWN:]
    if rest:
        by_code: dict[str, int] = {}
        for finding in rest:
            by_code[finding.code] = by_code.get(finding.code, 0) + 1
        counts = ", ".join(f"{code} × {count:,}" for code, count in sorted(by_code.items()))
        err.print(f"… and {len(rest):,} more: {counts}")


def as_json(value: object) -> None:
    """Print a value as JSON to the output stream, untouched by styling and line width."""
    out.file.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def _scope(text: str, payee_id: str) -> str:
    scope: dict[str, str] = json.loads(text)
    return ", ".join(f"{word} {value}" for word, value in scope.items() if not (word == "earner" and value == payee_id))


def _sums(rows: Iterable[Mapping[str, object]], decimals: Mapping[str, int]) -> None:
    totals: dict[tuple[str, str], Decimal] = {}
    for row in rows:
        key = (str(row["program"]), str(row["currency"]))
        earned = row["earned"]
        assert isinstance(earned, Decimal)
        totals[key] = totals.get(key, Decimal(0)) + earned
    view = Table(box=box.SIMPLE_HEAD)
    view.add_column("program")
    view.add_column("earned in all", justify="right")
    view.add_column("currency")
    for (program, currency), total in totals.items():
        view.add_row(escape(program), money(total, decimals[currency]), currency)
    out.print(view)

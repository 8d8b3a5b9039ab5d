"""Writing an audit pack: CSV, JSON, an HTML cover that prints, and an archive whose bytes follow from its content alone."""

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from html import escape
from typing import Any

_FIRST_DAY = (1980, 1, 1, 0, 0, 0)
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the chain: two sums of one unit (`rows`, or a currency), each from a source of its own."""

    name: str
    what: str
    unit: str
    left: Decimal
    right: Decimal

    @property
    def difference(self) -> Decimal:
        """Give left − right."""
        return self.left - self.right


def text_of(value: object) -> str:
    """Write a value plainly: decimals without an exponent, days and instants in ISO form, null as nothing."""
    match value:
        case None:
            return ""
        case Decimal():
            return f"{value:f}"
        case date() | datetime():
            return value.isoformat()
        case str():
            return f"'{value}" if value.startswith(_FORMULAS) else value
        case _:
            return str(value)


def as_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Write a table; a text that a spreadsheet would run as a formula gets an apostrophe before it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([text_of(value) for value in row] for row in rows)
    return text.getvalue().encode()


def of_dicts(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Write rows that have the same columns."""
    header = list(rows[0]) if rows else []
    return as_csv(header, [[row[name] for name in header] for row in rows])


def as_json(value: object) -> bytes:
    """Write JSON, keys in order, decimals and days as text."""
    return (json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, default=text_of) + "\n").encode()


def steps_csv(steps: Iterable[Step]) -> bytes:
    """Write the steps with their differences."""
    header = ("step", "what", "unit", "left", "right", "difference")
    return as_csv(header, [(one.name, one.what, one.unit, one.left, one.right, one.difference) for one in steps])


def archive(files: Mapping[str, bytes]) -> bytes:
    """Pack files with a manifest of their hashes; names in order, no clock, so that the same files give the same bytes."""
    manifest = {name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as target:
        for name, data in sorted({**files, "manifest.json": as_json(manifest)}.items()):
            entry = zipfile.ZipInfo(name, _FIRST_DAY)
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            entry.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(entry, data)
    return packed.getvalue()


_STYLE = (
    "body{font:11pt/1.4 Georgia,serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#111;background:#fff}"
    "table{border-collapse:collapse;width:100%;margin:1rem 0;font-size:9.5pt}"
    "th,td{border-bottom:1px solid #999;padding:.25rem .5rem;"
    "text-align:left;vertical-align:top}td.figure,th.figure{text-align:right;font-variant-numeric:tabular-nums}"
    "tr.wrong td{font-weight:bold;background:#fdd}tr{break-inside:avoid}h2{break-after:avoid}code{overflow-wrap:anywhere}"
    "@page{margin:18mm}@media print{body{margin:0;max-width:none}thead{display:table-header-group}}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """What the cover says: heading, facts by name, the steps, and tables by heading (header, rows)."""

    heading: str
    facts: Sequence[tuple[str, object]]
    steps: Sequence[Step]
    tables: Sequence[tuple[str, Sequence[str], Sequence[Sequence[object]]]]


def cover(of: Cover) -> bytes:
    """Write the cover."""
    wrong = sum(1 for one in of.steps if one.difference)
    verdict = "Every step ties out to zero." if not wrong else f"{wrong} of {len(of.steps)} steps do NOT tie out."
    facts = "".join(f"<tr><th>{escape(name)}</th><td>{escape(text_of(value))}</td></tr>" for name, value in of.facts)
    steps = "".join(
        f'<tr{" class=wrong" if one.difference else ""}><td>{escape(one.name)}</td><td>{escape(one.what)}</td>'
        f"<td>{escape(one.unit)}</td>" + "".join(
            f'<td class="figure">{_figure(value)}</td>' for value in (one.left, one.right, one.difference)
        ) + "</tr>"
        for one in of.steps
    )  # fmt: skip
    tables = "".join(_table(*each) for each in of.tables)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(of.heading)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(of.heading)}</h1><p><strong>{verdict}</strong></p>"
        f"<table><tbody>{facts}</tbody></table><h2>From what was received to what was posted</h2><table><thead><tr><th>Step</th>"
        '<th>What is compared</th><th>Unit</th><th class="figure">Left</th><th class="figure">Right</th>'
        f'<th class="figure">Difference</th></tr></thead><tbody>{steps}</tbody></table>{tables}</body></html>\n'
    ).encode()


def _table(heading: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    if not rows:
        return f"<h2>{escape(heading)}</h2><p>None.</p>"
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join("<tr>" + "".join(f"<td>{escape(text_of(value))}</td>" for value in row) + "</tr>" for row in rows)
    return f"<h2>{escape(heading)}</h2><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _figure(value: Decimal) -> str:
    return f"{value.normalize():,f}" if value else "0"

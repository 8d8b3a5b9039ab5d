"""Tell what kind of file this is, and for text its encoding, by looking at the bytes and not at the name.

One pass over the bytes in bounded memory. It refuses what cannot be sales data (binary files, records that never end)
before any parser sees it.
"""

import codecs
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import pyarrow as pa

from headrace.intake.findings_log import FindingLog

RECORD_BYTES_MAX = 1 << 20
SAMPLE_BYTES = 1 << 16


class Container(StrEnum):
    """How the records are packed."""

    CSV = "csv"
    XLSX = "xlsx"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class Text:
    """A text file that can be read: its encoding, its first characters, and whether its quotes pair up."""

    path: Path
    gzipped: bool
    encoding: str
    sample: str
    quotes_pair_up: bool


def detect_container(path: Path, log: FindingLog) -> Container | None:
    """Tell the kind of a file from its first bytes; null with a finding if it cannot be read at all."""
    try:
        with path.open("rb") as file:
            magic = file.read(8)
    except OSError as error:
        log.add(
            "unreadable_file",
            f"The file cannot be opened: {error.strerror or error}. Check the path and the permissions.",
        )
        return None
    if magic.startswith(b"PAR1"):
        return Container.PARQUET
    if magic.startswith(b"PK\x03\x04"):
        if zipfile.is_zipfile(path) and any(name.startswith("xl/") for name in zipfile.ZipFile(path).namelist()):
            return Container.XLSX
        log.add(
            "unsupported_file",
            "This is a ZIP archive that holds no workbook, or a damaged one. Unpack it and give the files inside.",
        )
        return None
    if magic.startswith(b"\xd0\xcf\x11\xe0"):
        log.add(
            "unsupported_file",
            "This is a workbook in the old XLS format, or one with a password. Save it as XLSX or CSV.",
        )
        return None
    return Container.CSV


def open_bytes(path: Path, *, gzipped: bool) -> pa.NativeFile:
    """Open a file for reading, unpacked."""
    return pa.input_stream(str(path), compression="gzip" if gzipped else None)


def survey_text(path: Path, log: FindingLog, *, encoding: str | None = None) -> Text | None:
    """Read the whole file once: tell its encoding, and refuse what is not text or has a record without end.

    `encoding` is what a profile states; without it the byte order mark decides, then valid UTF-8, then Windows-1252 (which
    holds Latin-1) with a warning.
    """
    with path.open("rb") as file:
        gzipped = file.read(2) == b"\x1f\x8b"
    try:
        return _survey(path, gzipped, encoding, log)
    except (OSError, EOFError) as error:
        log.add(
            "unreadable_file",
            f"The file cannot be read to its end: {error}. It was probably cut off on its way; send it again.",
        )
    except LookupError:
        log.add(
            "unknown_encoding",
            f"No encoding is named {encoding!r}. Write for example utf-8, latin-1, cp1252 or utf-16.",
        )
    return None


@dataclass(slots=True)
class _Scan:
    """What one pass over the bytes saw."""

    lines: int = 0
    quotes: int = 0
    run_bytes: int = 0
    nul_line: int | None = None
    not_utf8_line: int | None = None
    endless_line: int | None = None


def _survey(path: Path, gzipped: bool, encoding: str | None, log: FindingLog) -> Text | None:
    with open_bytes(path, gzipped=gzipped) as file:
        head: bytes = file.read(SAMPLE_BYTES)
    declared = codecs.lookup(encoding).name if encoding else None
    guess = declared or _encoding_by_mark(head)
    wide = guess is not None and guess.startswith("utf-16")
    scan = _scan(path, gzipped, wide=wide)
    if scan.endless_line is not None:
        log.add(
            "record_too_long",
            f"Line {scan.endless_line} is longer than {RECORD_BYTES_MAX:,} bytes and was not read further. This"
            " is no table with one record"
            " a line; check how it was exported.",
            row=scan.endless_line,
        )
        return None
    if scan.nul_line is not None and not wide:
        log.add(
            "binary_file",
            f"Line {scan.nul_line} holds zero bytes: this is no text file. Give CSV, XLSX or Parquet.",
            row=scan.nul_line,
        )
        return None
    chosen = _choose_encoding(path, gzipped, declared, guess, scan, log)
    if chosen is None:
        return None
    sample = codecs.getincrementaldecoder(chosen)("replace").decode(head)
    return Text(path, gzipped, chosen, sample.removeprefix("\ufeff"), scan.quotes % 2 == 0)


def _encoding_by_mark(head: bytes) -> str | None:
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if len(head) >= 4 and head.count(0) >= len(head) // 4:
        return "utf-16-le" if head[1::2].count(0) > head[0::2].count(0) else "utf-16-be"
    return None


def _chunks(path: Path, gzipped: bool) -> Iterator[bytes]:
    with open_bytes(path, gzipped=gzipped) as file:
        while chunk := file.read(RECORD_BYTES_MAX // 2):
            yield chunk


def _scan(path: Path, gzipped: bool, *, wide: bool) -> _Scan:
    scan = _Scan()
    decoder = None if wide else codecs.getincrementaldecoder("utf-8")()
    for chunk in _chunks(path, gzipped):
        if decoder is not None:
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                scan.not_utf8_line = scan.lines + 1 + chunk[: error.start].count(b"\n")
                decoder = None
        if scan.nul_line is None and b"\0" in chunk:
            scan.nul_line = scan.lines + 1 + chunk[: chunk.index(b"\0")].count(b"\n")
        last = max(chunk.rfind(b"\n"), chunk.rfind(b"\r"))
        first = min((at for at in (chunk.find(b"\n"), chunk.find(b"\r")) if at >= 0), default=len(chunk))
        if scan.run_bytes + first > RECORD_BYTES_MAX:
            scan.endless_line = scan.lines + 1
            return scan
        scan.run_bytes = scan.run_bytes + len(chunk) if last < 0 else len(chunk) - last - 1
        scan.lines += chunk.count(b"\n")
        scan.quotes += chunk.count(b'"')
    if decoder is not None and decoder.getstate()[0]:
        # The file ends inside a character.
        scan.not_utf8_line = scan.lines + 1
    return scan


def _choose_encoding(
    path: Path, gzipped: bool, declared: str | None, guess: str | None, scan: _Scan, log: FindingLog
) -> str | None:
    if (declared or guess or "utf-8") == "utf-8":
        if scan.not_utf8_line is None:
            return "utf-8"
        if declared or guess:
            log.add(
                "wrong_encoding",
                f"Line {scan.not_utf8_line} is not valid UTF-8, although the"
                f" {'profile' if declared else 'byte order mark'} says so. Nothing"
                " was read; state the encoding that the source writes (for example latin-1).",
                row=scan.not_utf8_line,
            )
            return None
        chosen = "cp1252" if _decodes(path, gzipped, "cp1252") else "latin-1"
        log.add(
            "encoding_assumed",
            f"Line {scan.not_utf8_line} is not valid UTF-8, so the file was read as {chosen}. Look at its names"
            " with accents; state the"
            " encoding in a profile to be sure.",
            severity="warning",
            row=scan.not_utf8_line,
        )
        return chosen
    stated = declared or guess
    assert stated is not None
    if not _decodes(path, gzipped, stated):
        log.add(
            "wrong_encoding",
            f"The file is not valid {stated}. Nothing was read; state the encoding that the source writes.",
        )
        return None
    return stated


def _decodes(path: Path, gzipped: bool, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for chunk in _chunks(path, gzipped):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeError:
        return False
    return True

"""Uploaded files: checked by size and by content, kept outside of what the web serves, handed out through one check."""

import hashlib
import uuid
import zipfile
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

from headrace.engine.findings import Refusal
from headrace.foundation import access, acts
from headrace.foundation.models import Person, StoredFile
from headrace.foundation.roles import VENDOR, Permission
from headrace.lake.durable import make_folder, publish

SIZE_MAX = 200 * 1024 * 1024
UNPACKED_MAX = 4 * 1024 * 1024 * 1024
KINDS = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
    "pdf": "application/pdf",
    "png": "image/png",
    "jpeg": "image/jpeg",
}
_ENDINGS = {
    "csv": "csv",
    "txt": "csv",
    "tsv": "csv",
    "xlsx": "xlsx",
    "parquet": "parquet",
    "pdf": "pdf",
    "png": "png",
    "jpg": "jpeg",
    "jpeg": "jpeg",
}
_STARTS = {"parquet": b"PAR1", "pdf": b"%PDF-", "png": b"\x89PNG\r\n\x1a\n", "jpeg": b"\xff\xd8\xff"}


def store(*, name: str, content: BinaryIO, organisation: str, by: Person, at: datetime) -> StoredFile:
    """Keep a file. Refused if it is empty, over `SIZE_MAX`, of another kind than its name says, or of none that is taken."""
    if organisation not in (VENDOR, *access.organisations_of(by, at.date())) or not access.permitted(
        by, organisation, at.date()
    ):
        raise Refusal("not_permitted", f"You have no role in {organisation}, so you cannot keep a file there.")
    return keep(name=name, content=content, organisation=organisation, by=by, at=at)


def keep(*, name: str, content: BinaryIO, organisation: str, by: Person, at: datetime) -> StoredFile:
    """Keep a file that a job made for a person, whose right to it was checked when they asked. Refused as in `store`."""
    data = content.read(SIZE_MAX + 1)
    if not data or len(data) > SIZE_MAX:
        raise Refusal(
            "file_size", f"{name} must hold something, and at most {SIZE_MAX // 2**20} MiB. Split a larger file."
        )
    kind = kind_of(name, data)
    stored = StoredFile(
        name=Path(name).name[:200],
        kind=kind,
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        organisation=organisation,
        uploaded_by=by,
        uploaded_at=at,
    )
    path = _path(stored.pk)
    make_folder(path.parent)
    # Bytes first: a row whose file is missing would be a lie, a file without a row is only waste.
    publish(path, lambda temporary: temporary.write_bytes(data))
    with acts.act("store_file", at=at):
        stored.save()
    return stored


def open_stored(*, file: uuid.UUID, viewer: Person, at: datetime) -> tuple[StoredFile, Path]:
    """Give a file to whoever uploaded it or may read all; to anybody else it does not exist (`file_unknown`)."""
    stored = StoredFile.objects.filter(pk=file).first()
    if stored is not None:
        day = at.date()
        own = stored.uploaded_by_id == viewer.pk and bool(access.permitted(viewer, stored.organisation, day))
        if own or Permission.READ_ALL in access.permitted(viewer, VENDOR, day):
            return stored, _path(stored.pk)
    raise Refusal("file_unknown", "There is no such file, or it is not yours to see.")


def path_of(file: uuid.UUID) -> Path:
    """Give where a file's bytes lie, for a job that works on it; a person comes in by `open_stored`."""
    assert StoredFile.objects.filter(pk=file).exists(), "the file was stored"
    return _path(file)


def kind_of(name: str, data: bytes) -> str:
    """Tell what a file is by its content, which must agree with the ending of its name; one of `KINDS`.

    >>> kind_of("sales.csv", b"a,b")
    'csv'
    """
    said = _ENDINGS.get(name.rpartition(".")[2].lower())
    if said is None:
        raise Refusal("file_kind", f"{name} is of no kind that is taken here: {', '.join(sorted(_ENDINGS))}.")
    if said == "xlsx":
        is_so = _is_workbook(data)
    elif said == "csv":
        # Text in UTF-16 is full of zero bytes, and says by its mark that it is text.
        is_text = b"\0" not in data or data.startswith((b"\xff\xfe", b"\xfe\xff"))
        is_so = is_text and not any(data.startswith(start) for start in (*_STARTS.values(), b"PK\x03\x04", b"MZ"))
    else:
        is_so = data.startswith(_STARTS[said])
    if not is_so:
        raise Refusal("file_content", f"{name} does not hold what its ending says. Save it again as {said}.")
    return said


def _is_workbook(data: bytes) -> bool:
    try:
        with zipfile.ZipFile(BytesIO(data)) as packed:
            names = set(packed.namelist())
            unpacked = sum(entry.file_size for entry in packed.infolist())
    except zipfile.BadZipFile:
        return False
    return (
        {"[Content_Types].xml", "xl/workbook.xml"} <= names
        and unpacked <= UNPACKED_MAX
        and "xl/vbaProject.bin" not in names
    )


def _path(file: uuid.UUID) -> Path:
    return Path(settings.HEADRACE_FILES) / file.hex[:2] / file.hex

"""Watched folders: files that are put there are delivered once, when they are complete, and moved to `done` or `refused`.

A file is complete when nobody wrote to it for a while. Its delivery and the note that it was taken are one transaction; it is
moved afterwards. Whoever is killed in between leaves a file that is noted: the next look only moves it.
"""

import hashlib
import io
import os
import stat
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings

from headrace.engine.findings import Refusal
from headrace.foundation import access, acts, files
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission
from headrace.lake.durable import make_folder, sync_folder
from headrace.masterdata.fields import checked_source
from headrace.sales import deliveries
from headrace.sales.models import TakenFile, WatchedFolder

QUIET = timedelta(seconds=30)
"""So long nobody may have written to a file that is taken."""
DONE, REFUSED = "done", "refused"
_UNFINISHED = (".part", ".tmp", ".filepart", ".crdownload")


def watch(*, name: str, profile: str, by: Person, at: datetime) -> WatchedFolder:
    """Have a folder of the inbox watched; its files are read by the profile and delivered in this person's name."""
    access.require(by, VENDOR, Permission.LOAD_DATA, at.date())
    name = checked_source(name)
    if profile not in deliveries.profiles():
        raise Refusal(
            "profile_unknown", f"There is no profile {profile!r}. Choose one of {', '.join(deliveries.profiles())}."
        )
    for part in ("", DONE, REFUSED):
        make_folder(_path(name) / part)
    with acts.act("watch_folder", at=at):
        folder = WatchedFolder.objects.filter(name=name).first() or WatchedFolder(name=name)
        folder.profile, folder.watched_by, folder.watched_at, folder.ended_at = profile, by, at, None
        folder.save()
    return folder


def end(*, name: str, by: Person, at: datetime) -> None:
    """Watch a folder no longer; what lies in it stays there."""
    access.require(by, VENDOR, Permission.LOAD_DATA, at.date())
    with acts.act("end_watching", at=at):
        folder = WatchedFolder.objects.filter(name=name, ended_at__isnull=True).first()
        if folder is None:
            raise Refusal("folder_unknown", f"No folder {name!r} is watched.")
        folder.ended_at = at
        folder.save()


def look(*, at: datetime) -> int:
    """Take every complete file of all watched folders, and give how many.

    Refused where a folder is gone (`folder_gone`), or its person may deliver no longer.
    """
    taken = 0
    for folder in WatchedFolder.objects.filter(ended_at__isnull=True).select_related("watched_by").order_by("name"):
        access.require(folder.watched_by, VENDOR, Permission.LOAD_DATA, at.date())
        if not _path(folder.name).is_dir():
            raise Refusal(
                "folder_gone", f"The watched folder {folder.name} is gone. Make it anew, or watch it no longer."
            )
        for name in _complete(_path(folder.name), at):
            taken += _take(folder, name, at)
    return taken


def _path(name: str) -> Path:
    return Path(settings.HEADRACE_INBOX) / name


def _complete(folder: Path, at: datetime) -> Iterator[str]:
    for entry in sorted(os.scandir(folder), key=lambda each: each.name):
        if entry.name.startswith(".") or entry.name.lower().endswith(_UNFINISHED):
            continue
        try:
            said = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        # The change of the inode too: a client may set the time of writing back when it is done.
        written = datetime.fromtimestamp(max(said.st_mtime, said.st_ctime), UTC)
        if stat.S_ISREG(said.st_mode) and at - written >= QUIET:
            yield entry.name


@dataclass(frozen=True, slots=True)
class _Read:
    content: bytes
    identity: str


def _read(path: Path) -> _Read | None:
    """Read a file; nothing where it is gone, or was written to meanwhile. One byte more than is taken tells a large one."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            before = os.fstat(file.fileno())
            content = file.read(files.SIZE_MAX + 1)
            after = os.fstat(file.fileno())
    except FileNotFoundError:
        return None
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        return None
    told = f"{path.name}\n{before.st_dev}\n{before.st_ino}\n{before.st_size}\n{before.st_mtime_ns}"
    return _Read(
        content, hashlib.sha256(told.encode("utf-8", "surrogateescape") + hashlib.sha256(content).digest()).hexdigest()
    )


def _take(folder: WatchedFolder, name: str, at: datetime) -> int:
    """Deliver a file once and move it; gives 1 where this was who took it."""
    path = _path(folder.name) / name
    read = _read(path)
    if read is None:
        return 0
    shown = name.encode("utf-8", "replace").decode()
    known = TakenFile.objects.filter(folder=folder, identity=read.identity).first()
    new = known is None
    if known is None:
        try:
            known, new = _deliver(folder, shown, read, at)
        except Refusal as refusal:
            known, new = _refuse(folder, shown, read, refusal, at)
    _move(path, known)
    return int(new)


def _deliver(folder: WatchedFolder, name: str, read: _Read, at: datetime) -> tuple[TakenFile, bool]:
    with acts.act("take_file", at=at):
        if (known := _known(folder, read)) is not None:
            return known, False
        delivery = deliveries.deliver(
            name=name,
            content=io.BytesIO(read.content),
            kind=deliveries.LINES,
            profile=folder.profile,
            by=folder.watched_by,
            at=at,
        )
        taken = TakenFile(folder=folder, name=name, identity=read.identity, delivery=delivery, taken_at=at)
        taken.save()
    return taken, True


def _refuse(folder: WatchedFolder, name: str, read: _Read, refusal: Refusal, at: datetime) -> tuple[TakenFile, bool]:
    with acts.act("refuse_file", at=at):
        if (known := _known(folder, read)) is not None:
            return known, False
        taken = TakenFile(folder=folder, name=name, identity=read.identity, refused=refusal.message, taken_at=at)
        taken.save()
    return taken, True


def _known(folder: WatchedFolder, read: _Read) -> TakenFile | None:
    WatchedFolder.locked(folder.pk)
    return TakenFile.objects.filter(folder=folder, identity=read.identity).first()


def _move(path: Path, taken: TakenFile) -> None:
    """Move a file that is noted, under a name of its own; beside a refused one lies why."""
    target = (
        path.parent
        / (REFUSED if taken.refused else DONE)
        / f"{taken.taken_at:%Y%m%dT%H%M%S}-{taken.pk.hex[:8]}{path.suffix}"
    )
    if taken.refused:
        target.with_name(f"{target.name}.txt").write_text(f"{taken.name}: {taken.refused}\n", encoding="utf-8")
    try:
        path.rename(target)
    except FileNotFoundError:
        return  # another worker moved it
    sync_folder(target.parent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One file that was taken, as pages show it."""

    folder: str
    name: str
    taken_at: datetime
    delivery: uuid.UUID | None
    refused: str


def listed(
    viewer: Person, *, at: datetime, size: int = 100
) -> tuple[tuple[tuple[str, str, str], ...], tuple[Taken, ...]]:
    """Give the watched folders (name, profile, in whose name), and the last files taken. For people who may read all."""
    access.require(viewer, VENDOR, Permission.READ_ALL, at.date())
    folders = WatchedFolder.objects.filter(ended_at__isnull=True).select_related("watched_by").order_by("name")
    taken = TakenFile.objects.select_related("folder").order_by("-taken_at")[:size]
    return (
        tuple((each.name, each.profile, str(each.watched_by)) for each in folders),
        tuple(
            Taken(
                folder=each.folder.name,
                name=each.name,
                taken_at=each.taken_at,
                delivery=each.delivery_id,
                refused=each.refused,
            )
            for each in taken
        ),
    )

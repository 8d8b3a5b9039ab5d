"""Files that are whole or absent, also after the power failed.

Everything that the lake acknowledges goes through here: bytes to a temporary name in the same folder, fsync, rename (or
link, where an existing name must not be replaced), fsync of the folder. A temporary name starts with a dot and ends in
`.tmp`, so no reader takes it for data. Faults of the disk become refusals that say the way out.
"""

import errno
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from headrace.engine.findings import Refusal

TEMPORARY_SUFFIX = ".tmp"

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}


def sync_file(path: Path) -> None:
    """Wait until the content of a file is on the disk."""
    _sync(path, os.O_RDONLY)


def sync_folder(path: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    _sync(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))


def make_folder(path: Path) -> None:
    """Make a folder and those above it, each durable in the one that holds it."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    sync_folder(path.parent)


def temporary_name(path: Path) -> Path:
    """Give a name beside the path that no reader takes for data and no other writer uses."""
    return path.with_name(f".{path.name}.{secrets.token_hex(6)}{TEMPORARY_SUFFIX}")


def publish(path: Path, write: Callable[[Path], object], *, folder_synced_by_caller: bool = False) -> None:
    """Write a file through a temporary name so that it is whole under its own name, or not there.

    write: gets the temporary path and writes the whole content. An existing file of that name is replaced.
    folder_synced_by_caller: for many files of one folder, which the caller syncs once before it relies on them.
    """
    temporary = temporary_name(path)
    try:
        write(temporary)
        sync_file(temporary)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if not folder_synced_by_caller:
        sync_folder(path.parent)


def publish_new(path: Path, content: bytes) -> bool:
    """Write a file that must not exist yet; false, with nothing changed, if another writer was first."""
    temporary = temporary_name(path)
    try:
        temporary.write_bytes(content)
        sync_file(temporary)
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)
    return True


def publish_folder(building: Path, folder: Path) -> bool:
    """Give a folder that is whole its name; false, with nothing changed, if one of that name is there already.

    Every file in it is on the disk before the folder can be seen.
    """
    for path in sorted(building.rglob("*")):
        if path.is_dir():
            sync_folder(path)
        else:
            sync_file(path)
    sync_folder(building)
    try:
        building.rename(folder)
    except OSError as error:
        if error.errno in {errno.ENOTEMPTY, errno.EEXIST}:
            return False
        raise
    sync_folder(folder.parent)
    return True


def remove_files(paths: Iterable[Path]) -> int:
    """Remove files, those already gone included; give how many were there."""
    removed = 0
    for path in paths:
        try:
            path.unlink()
        except FileNotFoundError:
            continue
        removed += 1
    return removed


@contextmanager
def disk_faults_refused(folder: Path, *, above: Path | None = None) -> Iterator[None]:
    """Turn a full or read-only disk, met inside the block, into a Refusal that says what to do.

    above: the folder whose faults count, where it is not the lake's own.

    Raises Refusal `lake_full` or `lake_read_only`; any other fault, one of a file outside the folder included, goes through
    unchanged.
    """
    try:
        yield
    except OSError as error:
        elsewhere = isinstance(error.filename, str) and not Path(error.filename).is_relative_to(above or folder)
        refusal = None if elsewhere else _refusal(folder, error.errno)
        if refusal is None:
            raise
        raise refusal from error
    except sqlite3.OperationalError as error:
        refusal = _refusal(folder, _sqlite_errno(error))
        if refusal is None:
            raise
        raise refusal from error


def _refusal(folder: Path, number: int | None) -> Refusal | None:
    if number in _FULL:
        return Refusal(
            "lake_full",
            f"The disk that holds the lake {folder} is full, or a quota or limit on file size is reached. Nothing of this "
            "request was added. Make room and send it again.",
        )
    if number in _READ_ONLY:
        return Refusal(
            "lake_read_only",
            f"The lake {folder} cannot be written: its folder or file system is read-only for this user. Nothing of this "
            "request was added. Give the user write permission, or work on a copy of the lake.",
        )
    return None


def _sqlite_errno(error: sqlite3.OperationalError) -> int | None:
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith("SQLITE_FULL") or name == "SQLITE_IOERR_WRITE":
        return errno.ENOSPC
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return errno.EROFS
    return None


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

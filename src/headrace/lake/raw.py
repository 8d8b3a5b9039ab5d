"""The raw files of batches, kept under the hash of their content, each once."""

import hashlib
from pathlib import Path

from headrace.engine.findings import Refusal
from headrace.lake.durable import make_folder, publish, sync_folder

_BLOCK_BYTES = 1 << 20


def keep_raw(folder: Path, raw: Path | bytes) -> str:
    """Keep a raw file, durable when this returns; give the SHA-256 of its content, which is its name."""
    digest = hashlib.sha256(raw).hexdigest() if isinstance(raw, bytes) else _digest(raw)
    path = raw_path(folder, digest)
    make_folder(path.parent)
    if path.is_file():
        sync_folder(path.parent)
        return digest
    publish(path, lambda temporary: _write(raw, temporary, digest))
    return digest


def raw_path(folder: Path, name: str) -> Path:
    """Give where a raw file of that name lies."""
    return folder / name[:2] / name


def _digest(path: Path) -> str:
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def _write(raw: Path | bytes, temporary: Path, digest: str) -> None:
    if isinstance(raw, bytes):
        temporary.write_bytes(raw)
        return
    copied = hashlib.sha256()
    with raw.open("rb") as source, temporary.open("wb") as target:
        while block := source.read(_BLOCK_BYTES):
            copied.update(block)
            target.write(block)
    if copied.hexdigest() != digest:
        raise Refusal(
            "file_changed", f"The file {raw} changed while it was read. Wait until it is complete and send it again."
        )

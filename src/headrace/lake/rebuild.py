"""The register of batches, built again from the lake's own log where it was lost."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from headrace.engine.findings import Refusal
from headrace.lake.delta import DeltaFolder
from headrace.lake.raw import raw_path
from headrace.lake.register import Batch, State
from headrace.lake.register_sqlite import FILE_NAME, SqliteRegister
from headrace.lake.writing import BATCHES


def rebuild_register(folder: Path) -> list[Batch]:
    """Build the lost register of a lake again from its log; give the batches.

    Every batch in the lake comes back as appended, so what follows from it has to be posted again, which changes nothing that
    is posted already. Numbers of batches that were refused or not appended yet come back as refused: their files may be sent
    again. Raises Refusal `register_present` where there is a register, `lake_damaged` where the log is not complete.
    """
    path = folder / FILE_NAME
    if path.exists():
        raise Refusal(
            "register_present",
            f"The lake {folder} has a register of batches. If it is damaged, move {path} away first, with the files beside it "
            "whose names begin like it.",
        )
    lines = DeltaFolder(folder / "lines")
    found = {batch.batch_seq: batch for batch in (_batch(folder, actions) for actions in lines.entries()) if batch}
    last = lines.mark(BATCHES) or 0
    if last and last not in found:
        raise Refusal(
            "lake_damaged",
            f"The log of {lines.path} is not complete: it lacks the entry of batch {last}. Bring the folder {folder} back from a "
            "backup.",
        )
    batches = [found.get(number) or _lost(number, found) for number in range(1, last + 1)]
    SqliteRegister.restore(path, batches).close()
    return batches


def _batch(folder: Path, actions: list[dict[str, Any]]) -> Batch | None:
    commits = [action["commitInfo"] for action in actions if "commitInfo" in action]
    info: dict[str, Any] = commits[0].get("headrace", {}) if commits else {}
    if "batch_seq" not in info:
        return None
    rows = sum(json.loads(action["add"]["stats"])["numRecords"] for action in actions if "add" in action)
    return Batch(
        batch_seq=info["batch_seq"],
        content_hash=info["content_hash"],
        source=info["source"],
        state=State.APPENDED,
        registered_at=datetime.fromisoformat(info["registered_at"]),
        raw=info["raw"] if raw_path(folder / "raw", info["raw"]).is_file() else None,
        accepted=rows,
        duplicates=info["duplicates"],
    )


def _lost(number: int, found: dict[int, Batch]) -> Batch:
    """Stand in for a number that is not in the lake, at the time of the next batch that is."""
    following = next(found[later] for later in range(number + 1, max(found) + 1) if later in found)
    return Batch(
        batch_seq=number,
        content_hash=f"lost-{number}",
        source="unknown",
        state=State.REFUSED,
        registered_at=following.registered_at,
        raw=None,
        reason="not in the lake when its register was built again",
    )

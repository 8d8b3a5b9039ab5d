"""The lake of facts: activity lines, awards and snapshots as Delta tables and Parquet files in a folder.

`Lake` is the way in; see `headrace.lake.store` for what lies where. What a reader gets is `engine.schema.Lines`, a list of
Parquet files bounded by `batch_seq`. No Django.
"""

from headrace.lake.appending import AppendResult
from headrace.lake.maintenance import Maintained
from headrace.lake.personal import Erased, PersonalColumns
from headrace.lake.rebuild import rebuild_register
from headrace.lake.register import Batch, Lease, Register, State
from headrace.lake.snapshots import content_hash
from headrace.lake.store import Lake
from headrace.lake.writing import Recovered

__all__ = [
    "AppendResult",
    "Batch",
    "Erased",
    "Lake",
    "Lease",
    "Maintained",
    "PersonalColumns",
    "Recovered",
    "Register",
    "State",
    "content_hash",
    "rebuild_register",
]

"""The installation's one lake, with its register in the database; made when it is first needed."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from django.conf import settings
from django.db import transaction

from headrace.lake import Lake
from headrace.sales.models import LakeLease
from headrace.sales.register import DatabaseRegister


@contextmanager
def opened() -> Iterator[Lake]:
    """Open the lake. Raises the refusals of the lake."""
    folder = Path(settings.HEADRACE_LAKE)
    if not (folder / "lake.json").is_file():
        with transaction.atomic():
            LakeLease.objects.select_for_update().get()
            if not (folder / "lake.json").is_file():
                Lake.create(folder, register=DatabaseRegister()).close()
    with closing(Lake(folder, register=DatabaseRegister())) as lake:
        yield lake

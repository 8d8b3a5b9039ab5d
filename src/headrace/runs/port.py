"""The port to what a lake's runs have decided: what any book behind it promises.

SQLite fills this port (`headrace.runs.book`) for the command line; an application's database may.
"""

from collections.abc import Iterable
from typing import Protocol

from headrace.lake import Lake
from headrace.live import TotalsStore
from headrace.runs.book import Posting, RunRow


class Decided(Protocol):
    """Reference tables in force, programs whose balances are kept, finalised periods and their postings."""

    def totals(self, lake: Lake) -> TotalsStore:
        """Give the store of live balances that lies with the lake's register."""
        ...

    def references(self) -> dict[str, str]:
        """Give the content hash of each reference table that is in force."""
        ...

    def programs(self) -> list[dict[str, object]]:
        """Give the documents of all versions whose balances are kept, by program and version."""
        ...

    def begin(self, run: RunRow) -> RunRow:
        """Note a run before its awards reach the lake; gives the row that is there where it was begun already.

        Raises Refusal `finalised_meanwhile` where another run of the program has taken this one's place in the sequence.
        """
        ...

    def finish(self, run: str, postings: Iterable[Posting]) -> None:
        """Write a run's postings and make it final, in one transaction; a run that is final stays as it is."""
        ...

    def runs(self, program: str | None = None) -> list[RunRow]:
        """Give the runs in the order in which they were begun."""
        ...

    def postings(self, program: str | None = None) -> list[Posting]:
        """Give what was posted, summed for each statement."""
        ...

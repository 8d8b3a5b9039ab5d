"""Seeded draws that are the same in Python and in SQL, on any machine: a digest of seed, purpose and number.

No random number generator is used, so adding a draw in one place moves nothing anywhere else.
"""

from dataclasses import dataclass
from hashlib import md5

import duckdb


@dataclass(frozen=True, slots=True)
class Draws:
    """Draws whole numbers for a seed.

    >>> Draws(7).below(10, "price", 3) == Draws(7).below(10, "price", 3)
    True
    """

    seed: int

    def below(self, limit: int, purpose: str, number: int | str = 0) -> int:
        """Draw a whole number from 0 to `limit` − 1."""
        digest = md5(f"{self.seed}:{purpose}:{number}".encode(), usedforsecurity=False).digest()
        return int.from_bytes(digest[8:], "little") % limit

    def between(self, low: int, high: int, purpose: str, number: int | str = 0) -> int:
        """Draw a whole number from `low` to `high`, both included."""
        return low + self.below(high - low + 1, purpose, number)

    def install(self, con: duckdb.DuckDBPyConnection) -> None:
        """Give a connection the macro `draw(purpose, number, limit)`, equal to `below`."""
        con.execute(
            f"create or replace macro draw(purpose, number, lim) as "
            f"(md5_number_lower(concat('{self.seed}:', purpose, ':', number)) % lim)::bigint"
        )


def shuffled[T](items: list[T], draws: Draws, purpose: str) -> list[T]:
    """Give the items in a drawn order."""
    keyed = sorted((draws.below(1 << 60, purpose, index), index) for index in range(len(items)))
    return [items[index] for _, index in keyed]

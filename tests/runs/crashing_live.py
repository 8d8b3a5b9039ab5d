"""A program that follows programs, takes in lines, keeps balances and is killed on the way; run by test_live_crashes.py."""

from pathlib import Path

from headrace.engine.terms.canonical import terms_hash
from headrace.lake import Lake
from headrace.runs.book import Book
from headrace.runs.live import Live
from headrace.runs.record import document
from tests.killing import serve
from tests.runs.small_lake import add, program

TWO_WAYS = (
    program(),
    program(
        program="ordered",
        schedule={"tiers": [{"from": "0", "rate": "0.1"}, {"from": "1000", "rate": "0.2"}], "fixed": "1"},
    ),
)


def keep_balances(folder: Path) -> None:
    """Follow, load and post as a caller does that does not know how far it came."""
    lake = Lake(folder)
    with Book(folder) as book, Live(lake, book) as live:
        add(lake, ("a1", "A", "2026-01-05", "600"), ("b1", "B", "2026-03-31", "50"))
        for terms in TWO_WAYS:
            book.set_program(terms.program, terms.version, content_hash=terms_hash(terms), document=document(terms))
        live.catch_up()
        add(lake, ("a2", "A", "2026-02-05", "600"), ("a3", "A", "2026-04-02", "70"))
        live.catch_up()
        add(lake, ("b1r", "B", "2026-03-31", "-50"), ("a4", "A", "2026-04-02", "0.01"))
        live.catch_up()
    lake.close()


if __name__ == "__main__":
    serve(keep_balances)

"""A program that takes in lines, finalises two quarters and is killed on the way; run by test_finalise_crashes.py."""

from datetime import date
from pathlib import Path

from headrace.lake import Lake
from headrace.runs.book import Book
from headrace.runs.finalise import finalise
from tests.killing import serve
from tests.runs.small_lake import Q1, Q2, add, program


def run_half_year(folder: Path) -> None:
    """Load, finalise, load late lines, finalise again, as a caller does that does not know how far it came."""
    lake = Lake(folder)
    with Book(folder) as book:
        add(lake, ("a1", "A", "2026-01-05", "600"), ("a2", "A", "2026-02-05", "600"), ("b1", "B", "2026-03-31", "50"))
        if not book.runs("volume"):
            close_period(lake, book, Q1)
        add(lake, ("a0", "A", "2026-01-04", "100"), ("a3", "A", "2026-04-02", "70"), ("b1r", "B", "2026-03-31", "-50"))
        close_period(lake, book, Q2)
        close_period(lake, book, Q2)
    lake.close()


def close_period(lake: Lake, book: Book, start: date) -> None:
    finalise([program()], lake=lake, book=book, period_from=start)


if __name__ == "__main__":
    serve(run_half_year)

"""Run as a program of its own: calculates the bench's twenty programs on Spark. Arguments: folder of lines, count, awards."""

import sys
from pathlib import Path

from headrace.bench.lines import Size, tables
from headrace.bench.programs import twenty
from headrace.engine.run import Request, calculate

if __name__ == "__main__":
    folder, lines, awards = sys.argv[1:]
    request = Request(
        programs=twenty(Size(lines=int(lines), partners=200)), tables=tables(Path(folder)), backend="spark"
    )
    calculate(request, awards=Path(awards))

"""The measurements of `headrace bench`: a channel made up by seed, a yardstick in plain SQL, and ratios within one run.

Times say nothing across machines; ratios in one run do. Nothing here is timed inside a test.
"""

from headrace.bench.lines import Size
from headrace.bench.report import as_json, show
from headrace.bench.row import Row, Settings
from headrace.bench.rows import NAMES, run

__all__ = ["NAMES", "Row", "Settings", "Size", "as_json", "run", "show"]

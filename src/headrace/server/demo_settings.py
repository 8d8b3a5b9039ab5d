"""Settings of the demo, whose people are made up: those of one machine, but that no role asks for a second factor."""

from headrace.engine.findings import Refusal
from headrace.server.settings import *  # noqa: F403
from headrace.server.settings import HEADRACE_LOCAL

if not HEADRACE_LOCAL:
    raise Refusal("demo_only", "The settings of the demo are for one machine. Set HEADRACE_LOCAL=1, or use others.")
HEADRACE_SECOND_FACTOR = False

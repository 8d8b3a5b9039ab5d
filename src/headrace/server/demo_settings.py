"""Settings of the demo, whose people are made up: where HEADRACE_LOCAL=1 keeps it to one machine, one factor signs in."""

from headrace.server.settings import *  # noqa: F403
from headrace.server.settings import HEADRACE_LOCAL

HEADRACE_SECOND_FACTOR = not HEADRACE_LOCAL

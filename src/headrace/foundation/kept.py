"""What a worker keeps open from one job to the next, since opening it anew would cost more than most jobs.

Outside of `keeping` nothing is kept. A fault lets go of everything, so that the next job begins as a new worker would.
"""

import os
from collections.abc import Callable, Hashable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any


class _Shelf:
    """What is kept, by name, in the order in which it was opened; of one process and one thread."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.things: dict[Hashable, Any] = {}
        self.closing = ExitStack()

    def clear(self) -> None:
        self.things.clear()
        self.closing.close()


_shelf: ContextVar[_Shelf | None] = ContextVar("shelf", default=None)


@contextmanager
def keeping() -> Iterator[None]:
    """Keep inside the block, in this thread, what is opened by `kept`. A process that is forked inside keeps nothing."""
    shelf = _Shelf()
    token = _shelf.set(shelf)
    try:
        yield
    finally:
        _shelf.reset(token)
        if shelf.process == os.getpid():
            shelf.clear()


@contextmanager
def kept[T](name: Hashable, opening: Callable[[], AbstractContextManager[T]]) -> Iterator[T]:
    """Give what was kept under the name, or open it; it is closed at once where nothing is kept, and after a fault.

    What is opened must see by itself what other processes change, and what it was opened over must be in the name.
    """
    shelf = _shelf.get()
    if shelf is None or shelf.process != os.getpid():
        with opening() as opened:
            yield opened
        return
    if name not in shelf.things:
        shelf.things[name] = shelf.closing.enter_context(opening())
    try:
        yield shelf.things[name]
    except BaseException:
        shelf.clear()
        raise

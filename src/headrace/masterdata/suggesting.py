"""What an unknown name may stand for: entries whose id, name or name in another system is nearly the same."""

from collections.abc import Iterable
from dataclasses import dataclass

from rapidfuzz import fuzz, process, utils

from headrace.masterdata import store
from headrace.masterdata.aliases import ALIAS

SCORE_MIN = 60


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An entry that may be meant. like: what of it is nearly the same. score: 0 to 100, 100 for the same."""

    code: str
    name: str
    like: str
    score: int


class Directory:
    """All that the entries of a kind are called, as of now; made once and asked for many names."""

    def __init__(self, kind: str) -> None:
        names = {
            code: fields["name"][-1].value or ""
            for code, fields in store.history(kind, fields={"name"}).items()
            if fields.get("name")
        }
        called = {(code, code) for code in store.codes_of(kind)}
        called |= {(name, code) for code, name in names.items() if name}
        for alias, fields in store.history(ALIAS.name, fields={"stands_for"}).items():
            of, _, name = ALIAS.parts(alias)
            spans = fields["stands_for"]
            if of == kind and spans and spans[-1].value is not None:
                called.add((name, spans[-1].value))
        self._names = names
        self._called = sorted(called)

    def suggest(self, name: str, *, size: int = 3) -> tuple[Suggestion, ...]:
        """Give the entries that the name is nearest to, the nearest first."""
        found = process.extract(
            name,
            [text for text, _ in self._called],
            scorer=fuzz.WRatio,
            processor=utils.default_process,
            score_cutoff=SCORE_MIN,
            limit=10 * size,
        )
        return tuple(self._best(found))[:size]

    def _best(self, found: Iterable[tuple[str, float, int]]) -> Iterable[Suggestion]:
        given: set[str] = set()
        for text, score, at in found:
            code = self._called[at][1]
            if code not in given:
                given.add(code)
                yield Suggestion(code, self._names.get(code, ""), text, round(score))

"""What changes between two versions of a program: each change with its key, its sentence and for whom it is good.

Formatting, defaults, the spelling of rules and the order of words where order has no meaning make no difference.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from headrace.engine.rules import RuleError
from headrace.engine.terms.check_pricing import edge_of
from headrace.engine.terms.check_rules import parse_trusting
from headrace.engine.terms.directions import Direction, direction_of, tiers_direction
from headrace.engine.terms.keys import keys
from headrace.engine.terms.measuring import Part
from headrace.engine.terms.messages import Path, dotted
from headrace.engine.terms.model import Terms
from headrace.engine.terms.pricing import Tier
from headrace.engine.terms.sentences import Condition, Parameter, Sentence, english

type Kind = Literal["added", "removed", "changed", "reordered"]

RULES = frozenset({"partners", "lines", "verify", "measure.lines", "gate", "schedule.boosts.when"})
_SETS = frozenset({"stage", "kinds", "measure.per", "measure.minus", "gate"})


@dataclass(frozen=True, slots=True)
class Change:
    """One change.

    path: the key, positions counted from 1 in the list that holds it (the old one for what was removed). before, after: as
    the model holds them, null where there was nothing. direction: for the partner; neutral does not touch what is earned,
    unknown depends on the lines.
    """

    path: str
    kind: Kind
    before: object
    after: object
    direction: Direction
    sentence: Sentence

    @property
    def text(self) -> str:
        """The change in English."""
        return english(self.sentence)


@dataclass(frozen=True, slots=True)
class _Difference:
    """A difference before it is judged. alone: the old tiers with this one change, where it is one of theirs."""

    path: Path
    kind: Kind
    before: object
    after: object
    alone: tuple[Tier, ...] | None = None

    @property
    def key(self) -> str:
        return ".".join(str(step) for step in self.path if isinstance(step, str))


def diff(old: Terms, new: Terms) -> list[Change]:
    """Give the changes from one version to another, in the order of the document."""
    order = {".".join(key.path): position for position, key in enumerate(keys())}
    found = sorted(_parts((), old, new), key=lambda each: order.get(each.key, 0))
    return [
        Change(dotted(each.path), each.kind, each.before, each.after, _judged(each, old, new), _sentence(each))
        for each in found
    ]


def _judged(each: _Difference, old: Terms, new: Terms) -> Direction:
    """Judge one change; one of the tiers beside the others that were there before, where these are still read alike."""
    direction = direction_of(each.key, each.kind, each.before, each.after)
    read_alike = (
        old.schedule.mode == new.schedule.mode
        and old.measure == new.measure
        and old.pays_on == new.pays_on
        and old.schedule.cost_basis == new.schedule.cost_basis
    )
    if each.alone is None or direction == "neutral" or not read_alike:
        return direction
    judged = tiers_direction(old.schedule.tiers, each.alone, old.schedule.mode)
    return direction if judged == "unknown" else judged


def _parts(path: Path, old: Part, new: Part) -> Iterator[_Difference]:
    for name, field in type(old).model_fields.items():
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            yield from _values((*path, field.alias or name), before, after)


def _values(path: Path, before: Any, after: Any) -> Iterator[_Difference]:
    key = ".".join(str(step) for step in path if isinstance(step, str))
    if isinstance(before, Part) and isinstance(after, Part):
        yield from _parts(path, before, after)
    elif isinstance(before, tuple) or isinstance(after, tuple):
        if key in _SETS:
            yield from _sets(path, key, before, after)
        else:
            yield from _lists(path, key, before, after)
    elif key in RULES and before is not None and after is not None:
        if _normal(before) != _normal(after):
            yield _Difference(path, "changed", before, after)
    elif before is None:
        yield _Difference(path, "added", None, after)
    elif after is None:
        yield _Difference(path, "removed", before, None)
    else:
        yield _Difference(path, "changed", before, after)


def _sets(path: Path, key: str, before: tuple[str, ...], after: tuple[str, ...]) -> Iterator[_Difference]:
    spelled: Callable[[str], str] = _normal if key in RULES else str
    old, new = {spelled(word) for word in before}, {spelled(word) for word in after}
    if old == new:
        return
    kind: Kind = "added" if old < new else "removed" if new < old else "changed"
    if key in RULES:
        for position, word in enumerate(before):
            if spelled(word) not in new:
                yield _Difference((*path, position), "removed", word, None)
        for position, word in enumerate(after):
            if spelled(word) not in old:
                yield _Difference((*path, position), "added", None, word)
    else:
        yield _Difference(path, kind, before, after)


def _normal(rule: str) -> str:
    """Give a rule in its one spelling; a text that is no rule stands for itself."""
    try:
        return parse_trusting(rule).text
    except RuleError:
        return rule


# By what the items of a list are known again, the surest first; tiers that are left over by their position.
_IDENTITIES: dict[str, tuple[Callable[[Any], object], ...]] = {
    "schedule.tiers": (lambda tier: (tier.from_, tier.above), lambda tier: tier.name or object()),
    "schedule.table": (lambda row: (row.product, row.family, row.region, row.level),),
    "schedule.boosts": (lambda boost: _normal(boost.when), lambda boost: boost.name or object()),
    "schedule.changes": (lambda change: change.on,),
    "inputs": (
        lambda row: (row.earner, tuple(sorted(row.scope.items())), row.from_, row.until),
        lambda row: (row.earner, tuple(sorted(row.scope.items())), row.from_),
        lambda row: (row.earner, tuple(sorted(row.scope.items()))),
    ),
}


def _lists(path: Path, key: str, before: Sequence[Part], after: Sequence[Part]) -> Iterator[_Difference]:
    identities = _IDENTITIES[key.replace("schedule.changes.", "schedule.")]
    pairs: dict[int, int] = {}
    for identity in identities:
        free = {identity(item): i for i, item in enumerate(before) if i not in pairs.values()}
        for position, item in enumerate(after):
            if position not in pairs and (met := free.pop(identity(item), None)) is not None:
                pairs[position] = met
    left_old = [i for i in range(len(before)) if i not in pairs.values()]
    left_new = [i for i in range(len(after)) if i not in pairs]
    if key.endswith("tiers") and len(left_old) == len(left_new):
        pairs.update(zip(left_new, left_old, strict=True))
        left_old, left_new = [], []
    for position in left_old:
        rest = tuple(item for i, item in enumerate(before) if i != position)
        yield _Difference((*path, position), "removed", before[position], None, _as_tiers(key, rest))
    for position, item in enumerate(after):
        if position in left_new:
            yield _Difference((*path, position), "added", None, item, _as_tiers(key, (*before, item)))
            continue
        earlier = before[pairs[position]]
        for each in _parts((*path, position), earlier, item):
            name = next(n for n, f in type(item).model_fields.items() if each.path[len(path) + 1] in {f.alias, n})
            changed = earlier.model_copy(update={name: getattr(item, name)})
            alone = (*before[: pairs[position]], changed, *before[pairs[position] + 1 :])
            yield replace(each, alone=_as_tiers(key, alone))
    kept = [pairs[position] for position in sorted(pairs)]
    if key.endswith("table") and kept != sorted(kept):
        # Rows with as many conditions as each other: the first written wins.
        yield _Difference(path, "reordered", tuple(before), tuple(after))


def _as_tiers(key: str, items: Sequence[Part]) -> tuple[Tier, ...] | None:
    """Give the schedule's own tiers in the order of their edges; null for other lists."""
    if key != "schedule.tiers":
        return None
    tiers = [item for item in items if isinstance(item, Tier)]
    return tuple(sorted(tiers, key=lambda tier: (edge_of(tier) or 0, tier.above is not None)))


def _sentence(each: _Difference) -> Sentence:
    what = Sentence("key_at", {"path": dotted(each.path)})
    told: dict[str, Parameter] = {"what": what}
    if each.kind == "reordered":
        return Sentence("changed_order", told)
    if each.before is not None:
        told["before"] = _said(each.key, each.before)
    if each.after is not None:
        told["after"] = _said(each.key, each.after)
    if each.before is None:
        return Sentence("changed_added", told)
    return Sentence("changed_removed" if each.after is None else "changed", told)


def _said(key: str, value: object) -> Parameter:
    said: Parameter = str(value)
    if isinstance(value, bool):
        said = "true" if value else "false"
    elif isinstance(value, Decimal | date | int):
        said = value
    elif isinstance(value, str):
        said = Condition(value) if key in RULES else value or Sentence("empty")
    elif isinstance(value, tuple):
        said = [_said(key, item) for item in value] or Sentence("empty")
    elif isinstance(value, Part):
        said = _part_said(value)
    return said


def _part_said(part: Part) -> Parameter:
    """Say a whole part by its keys that differ from the defaults."""
    words: list[Parameter] = []
    for name, field in type(part).model_fields.items():
        value = getattr(part, name)
        if value is not None and value != field.get_default(call_default_factory=True):
            words.append(Sentence("key_value", {"key": field.alias or name, "value": _said(name, value)}))
    return words or Sentence("empty")

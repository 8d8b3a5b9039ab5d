"""Programs that meet on one line: who takes it, who keeps it, and what is left for the next.

exclusive acts where lines qualify, best where they are priced, cascade between waves: a program that is reduced by others is
calculated after them, on what their awards left.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pyarrow as pa

from headrace.engine.book import Book
from headrace.engine.findings import Refusal
from headrace.engine.qualify import TAKEN
from headrace.engine.session import Session
from headrace.engine.terms.model import Combine


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups of programs that get on by some rule, their members in order."""

    members: Mapping[str, tuple[int, ...]]
    rules: Mapping[int, Combine]

    def with_rule(self, rule: str) -> list[tuple[int, ...]]:
        """Give the groups in which some member follows a rule."""
        return [each for each in self.members.values() if any(self.rules[number].rule == rule for number in each)]

    def waves(self, programs: int) -> list[list[int]]:
        """Give the programs in the waves in which they are calculated."""
        wave = dict.fromkeys(range(programs), 0)
        for members in self.with_rule("cascade"):
            for rank, number in enumerate(each for each in members if self.rules[each].rule == "cascade"):
                wave[number] = rank
        return [
            [number for number in wave if wave[number] == index] for index in range(max(wave.values(), default=0) + 1)
        ]

    def reductions(self) -> list[tuple[int, int]]:
        """Give which program reduces which: earlier, later."""
        found: list[tuple[int, int]] = []
        for members in self.with_rule("cascade"):
            chain = [each for each in members if self.rules[each].rule == "cascade"]
            for place, later in enumerate(chain):
                if self.rules[later].reduced_by_others:
                    found += [(earlier, later) for earlier in chain[:place] if self.rules[earlier].reduces_others]
        return found


def make_groups(book: Book) -> Groups:
    """Put programs into their groups; raises Refusal `equal_order` where two of one group have the same order."""
    rules: dict[int, Combine] = {}
    groups: dict[str, list[int]] = {}
    for program in book.programs:
        combine = book.editions[program.editions[-1]].terms.combine
        if combine is not None and combine.rule != "independent":
            rules[program.number] = combine
            groups.setdefault(combine.group, []).append(program.number)
    members: dict[str, tuple[int, ...]] = {}
    for group, numbers in groups.items():
        ordered = sorted(numbers, key=lambda number: rules[number].order)
        for first, second in pairwise(ordered):
            if rules[first].order == rules[second].order:
                names = f"{book.programs[first].id} and {book.programs[second].id}"
                message = (
                    f"{names} have the same order {rules[first].order} in the group {group}; give each its "
                    f"own combine.order."
                )
                raise Refusal("equal_order", message)
        members[group] = tuple(ordered)
    return Groups(members, rules)


def _put_ranks(
    session: Session, table: str, groups: Sequence[tuple[int, ...]], rules: Mapping[int, Combine], rule: str
) -> None:
    rows = [(number, group, rank) for group, members in enumerate(groups) for rank, number in enumerate(members)]
    session.put(
        table,
        pa.table(
            {
                "program": pa.array([row[0] for row in rows], pa.int32()),
                "team": pa.array([row[1] for row in rows], pa.int32()),
                "turn": pa.array([row[2] for row in rows], pa.int32()),
                "follows": pa.array([rules[row[0]].rule == rule for row in rows], pa.bool_()),
            }
        ),
    )


def take_exclusively(session: Session, groups: Groups, source: str) -> str:
    """Give lines that an exclusive program qualifies for to the first that does; gives the relation with that reason.

    In later ones of the group a line that was taken neither earns nor measures.
    """
    exclusive = groups.with_rule("exclusive")
    if not exclusive:
        return source
    _put_ranks(session, "exclusive_programs", exclusive, groups.rules, "exclusive")
    first = "min(g.turn) FILTER (WHERE p.reason IS NULL)"
    session.table(
        "takers",
        f"SELECT p.n, g.team, {first} AS turn FROM {source} p JOIN exclusive_programs g ON g.program = p.program "
        f"WHERE p.reason IS NULL OR p.measures GROUP BY p.n, g.team HAVING {first} < max(g.turn)",
    )
    session.table(
        "after_exclusive",
        f"SELECT p.* REPLACE (CASE WHEN w.program IS NOT NULL AND p.reason IS NULL THEN {TAKEN} + w.program ELSE "
        f"p.reason END AS reason, "
        f"p.measures AND w.program IS NULL AS measures) FROM {source} p "
        "LEFT JOIN exclusive_programs g ON g.program = p.program AND g.follows "
        "LEFT JOIN takers t ON t.n = p.n AND t.team = g.team AND t.turn < g.turn "
        "LEFT JOIN exclusive_programs w ON w.team = t.team AND w.turn = t.turn",
    )
    return "after_exclusive"


def keep_best(session: Session, groups: Groups) -> None:
    """Make `kept_shares`: of a group's programs the one with the greatest own share keeps it, the others show "
    "to whom they lost."""
    best = groups.with_rule("best")
    if not best:
        session.view("kept_shares", "SELECT *, CAST(NULL AS INTEGER) AS lost_to FROM shares")
        return
    _put_ranks(session, "best_programs", best, groups.rules, "best")
    session.table(
        "winners",
        "SELECT n, team, program FROM (SELECT l.n, g.team, l.program, row_number() OVER (PARTITION BY l.n, g.team "
        "ORDER BY abs(l.share) DESC, g.turn) AS place FROM shares l JOIN best_programs g ON g.program = "
        "l.program WHERE l.earns) "
        "WHERE place = 1",
    )
    lost = "w.program IS NOT NULL AND w.program <> l.program AND l.earns"
    session.view(
        "kept_shares",
        f"SELECT l.* REPLACE (CASE WHEN {lost} THEN CAST(0 AS DECIMAL(38, 12)) ELSE l.share END AS share), "
        f"CASE WHEN {lost} THEN w.program END AS lost_to FROM shares l "
        "LEFT JOIN best_programs g ON g.program = l.program LEFT JOIN winners w ON w.n = l.n AND w.team = g.team",
    )


def put_reductions(session: Session, groups: Groups) -> None:
    """Make `reductions` (which program reduces which) and the empty `cascade_awards`."""
    found = groups.reductions()
    session.put(
        "reductions",
        pa.table(
            {
                "earlier": pa.array([row[0] for row in found], pa.int32()),
                "later": pa.array([row[1] for row in found], pa.int32()),
            }
        ),
    )


def note_reductions(session: Session, wave: int) -> None:
    """Make `taken`: for each program of the next wave, what the awards of earlier ones took off each line's base."""
    session.table(
        "taken",
        "SELECT r.later AS program, a.n, CAST(sum(a.award) AS DECIMAL(28, 6)) AS taken_off FROM wave_awards a "
        f"JOIN reductions r ON r.earlier = a.program WHERE a.wave <= {wave} GROUP BY r.later, a.n",
    )

"""What the vendor provides for beside what is earned: achieved, a named tier, a forecast, stock in the channel, lump sums.

Nothing is priced here. A named tier is what the schedule gives where every line lies in that tier; a forecast is the plan run
once more, on lines grown to the measure that is foreseen for the whole period. Partners never see either. Works on the
statements of the programs that ask for it; what it needs of their lines is noted wave by wave.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pyarrow as pa

from headrace.engine import limits, schedule
from headrace.engine.accounts import Desk, listed, put_payee_limits
from headrace.engine.against import Rows, rounded_fraction
from headrace.engine.book import Edition, day_number
from headrace.engine.combine import Groups, keep_best
from headrace.engine.measure import SPECIALS, run_measure
from headrace.engine.numeric import SUM, share
from headrace.engine.pairs import Plan
from headrace.engine.period import Period
from headrace.engine.schema import SUM as SUM_TYPE
from headrace.engine.stock import on_hand
from headrace.engine.terms.model import Accrue
from headrace.engine.values import UNITS
from headrace.engine.words import decode_scopes

type Key = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Account:
    """One statement as the provision looks at it."""

    s: int
    payee_no: int
    edition: Edition
    earner: str
    words: Mapping[str, str]
    period: Period
    measure: Decimal
    earned: Decimal

    @property
    def accrue(self) -> Accrue:
        return self.edition.terms.accrue


def note_wave(desk: Desk, plan: Plan, wave: int) -> None:
    """Keep what the provision needs of the lines of a wave: `named_shares`, `foreseen_lines`, `sold_units`."""
    named = desk.editions(lambda each: _named_tier(each) is not None)
    if named:
        _put_named_tiers(desk, named)
        _keep(desk, "named_shares", schedule.priced_at(plan.needs, "named_tiers"), wave)
    foreseen = _programs(desk, lambda accrue: accrue.at == "forecast")
    if foreseen:
        _keep(desk, "foreseen_lines", f"SELECT * FROM measured WHERE program IN ({foreseen})", wave)
    held = _programs(desk, lambda accrue: accrue.basis == "sell_in")
    if held:
        sold = (
            f"SELECT l.s, l.payee_no, l.earner_no, b.product_id, CAST(sum(b.quantity) AS {SUM}) AS units FROM measured l "
            f"JOIN base b ON b.n = l.n WHERE l.earns AND l.program IN ({held}) GROUP BY ALL"
        )
        _keep(desk, "sold_units", sold, wave)


def _keep(desk: Desk, table: str, select: str, wave: int) -> None:
    if wave == 0:
        desk.session.table(table, select)
    else:
        desk.session.execute(f"INSERT INTO {table} BY NAME {select}")


def _programs(desk: Desk, asks: Callable[[Accrue], bool]) -> str:
    """List the programs of which some version asks for something; empty where none does."""
    found = sorted({each.program for each in desk.book.editions if asks(each.terms.accrue)})
    return listed(found) if found else ""


def _named_tier(edition: Edition) -> str | None:
    at = edition.terms.accrue.at
    return None if at in {"achieved", "forecast"} else at


def _put_named_tiers(desk: Desk, editions: set[int]) -> None:
    """Make `named_tiers`: for a version that governs a scope, which tier of each rate card has the name."""
    rows = [
        {"edition": number, "card": card.number, "position": position, "bonus": tier.bonus or Decimal(0)}
        for number in sorted(editions)
        for card in desk.book.cards
        if desk.book.editions[card.version].program == desk.book.editions[number].program
        for position, tier in enumerate(card.tiers, start=1)
        if tier.name == _named_tier(desk.book.editions[number])
    ]
    schema = [("edition", pa.int32()), ("card", pa.int32()), ("position", pa.int32()), ("bonus", SUM_TYPE)]
    desk.put("named_tiers", rows, schema)


def provide(desk: Desk, plan: Plan, forecasts: pa.Table | None) -> None:
    """Set accrued and forecast in `statement_rows`. Overwrites the relations of the waves: run it when the awards are out.

    accrued: rounded like what is earned; forecast: null where nobody asks for it or nobody can say.
    """
    accounts = _accounts(desk, desk.editions(lambda each: each.terms.accrue != Accrue()))
    if not accounts:
        return
    foreseen = _foreseen(desk, accounts, Rows(forecasts, "value"))
    expected = _price_foreseen(desk, plan, foreseen) if foreseen else {}
    named = _named(desk, accounts)
    channel = _channel(desk, accounts)
    rows: list[dict[str, object]] = []
    for account in accounts:
        key = (account.s, account.payee_no)
        decimals = desk.book.decimals(account.edition.number)
        accrued, forecast = account.earned, None
        if account.accrue.at == "forecast" and account.s in foreseen:
            forecast = account.earned
            if key in expected:
                forecast = rounded_fraction(expected[key], decimals)
                gone = Fraction(account.measure) / foreseen[account.s]
                accrued = rounded_fraction(expected[key] * gone, decimals)
        elif key in named:
            accrued = max(accrued, rounded_fraction(named[key], decimals))
        accrued += rounded_fraction(channel.get(key, Fraction(0)), decimals)
        accrued += rounded_fraction(_lump_sum(desk, account), decimals)
        rows.append({"s": account.s, "payee_no": account.payee_no, "accrued": accrued, "forecast": forecast})
    desk.put(
        "provisions",
        rows,
        [("s", pa.string()), ("payee_no", pa.int32()), ("accrued", SUM_TYPE), ("forecast", SUM_TYPE)],
    )
    desk.session.execute(
        "UPDATE statement_rows SET accrued = p.accrued, forecast = p.forecast FROM provisions p "
        "WHERE p.s = statement_rows.s AND p.payee_no = statement_rows.payee_no"
    )


def _accounts(desk: Desk, editions: set[int]) -> list[_Account]:
    rows = desk.session.rows(
        'SELECT r.s, r.payee_no, r.edition, i.id, r.scope, r."from", r.until, r.measure, r.earned FROM statement_rows r '
        f"LEFT JOIN ids i ON i.no = r.earner_no WHERE r.edition IN ({listed(sorted(editions))}) ORDER BY ALL"
    )
    return [
        _Account(
            s=int(str(s)), payee_no=int(str(payee)), edition=desk.book.editions[int(str(edition))], earner=str(earner),
            words=json.loads(str(scope)), period=Period(_day(start), _day(until)), measure=Decimal(str(measure)),
            earned=Decimal(str(earned)),
        )
        for s, payee, edition, earner, scope, start, until, measure, earned in rows
    ]  # fmt: skip


def _day(value: object) -> date | None:
    assert value is None or isinstance(value, date)
    return value


def days_gone(period: Period, as_of: date) -> Fraction | None:
    """Give the days from a period's start to the as-of day inclusive ÷ the days of the period; null where it has no ends.

    >>> days_gone(Period(date(2026, 1, 1), date(2026, 4, 1)), date(2026, 1, 30))
    Fraction(1, 3)
    """
    if period.from_ is None or not period.days:
        return None
    return Fraction(min(max((as_of - period.from_).days + 1, 0), period.days), period.days)


def _foreseen(desk: Desk, accounts: Sequence[_Account], forecasts: Rows) -> dict[int, Fraction]:
    """Give the measure at the period's end of each scope for which somebody can say it."""
    found: dict[int, Fraction] = {}
    for account in accounts:
        if account.accrue.at != "forecast" or account.s in found:
            continue
        if account.accrue.forecast == "entered":
            entered = next(forecasts.matching(account.edition.terms.program, account.words, account.period), None)
            if entered is not None:
                found[account.s] = Fraction(entered)
            continue
        gone = days_gone(account.period, desk.as_of)
        if gone:
            found[account.s] = Fraction(rounded_fraction(Fraction(account.measure) / gone, 6))
    return found


def _price_foreseen(desk: Desk, plan: Plan, foreseen: Mapping[int, Fraction]) -> dict[Key, Fraction]:
    """Price the scopes at the measure that is foreseen, every line grown in proportion, up to the scope's cap."""
    session, needs = desk.session, plan.needs
    rows = [{"s": s, "foreseen": rounded_fraction(value, 6)} for s, value in foreseen.items() if value]
    desk.put("foreseen", rows, [("s", pa.string()), ("foreseen", SUM_TYPE)])
    session.table("foreseen_totals", "SELECT s, max_by(after, k) AS total FROM foreseen_lines GROUP BY s")
    columns = [("m", SUM), ("b", SUM), ("u", UNITS), *((each, SUM) for each in SPECIALS if needs.special)]
    grown = ", ".join(
        f"CAST({share(f'l.{column}', 'f.foreseen', 't.total')} AS {kind}) AS {column}" for column, kind in columns
    )
    session.view(
        "counting",
        f"SELECT l.* EXCLUDE (after, before, paid) REPLACE ({grown}) FROM foreseen_lines l JOIN foreseen f ON f.s = l.s "
        "JOIN foreseen_totals t ON t.s = l.s WHERE t.total <> 0",
    )
    run_measure(session, needs, capped=True)
    schedule.price(session, needs)
    keep_best(session, Groups({}, {}))
    schedule.share_amounts(session, needs)
    limits.total_payees(session)
    decode_scopes(session, plan.scopes, plan.book.shapes, "payees", "scope_names")
    put_payee_limits(desk)
    limits.entitle(session)
    priced: dict[Key, Fraction] = {}
    for s, payee, own, shared, cap in session.rows("SELECT s, payee_no, share, shared, cap FROM payees_limited"):
        amount = Fraction(Decimal(str(own))) + Fraction(Decimal(str(shared)))
        priced[int(str(s)), int(str(payee))] = amount if cap is None else min(amount, Fraction(Decimal(str(cap))))
    return priced


def _named(desk: Desk, accounts: Sequence[_Account]) -> dict[Key, Fraction]:
    """Give what statements would be if every line lay in the named tier, with its bonus by the payee's part of the base."""
    if not any(_named_tier(account.edition) for account in accounts):
        return {}
    rows = desk.session.rows("SELECT s, payee_no, share, base, scope_base, bonus FROM named_shares")
    return {
        (int(str(s)), int(str(payee))): Fraction(Decimal(str(own)))
        + Fraction(Decimal(str(bonus))) * _part(Decimal(str(base)), Decimal(str(whole)))
        for s, payee, own, base, whole, bonus in rows
    }


def _part(base: Decimal, whole: Decimal) -> Fraction:
    return Fraction(base) / Fraction(whole) if whole else Fraction(1)


def _channel(desk: Desk, accounts: Sequence[_Account]) -> dict[Key, Fraction]:
    """Give what the stock still in the channel will cost: units on hand × earned ÷ units sold."""
    earned = {(each.s, each.payee_no): each.earned for each in accounts if each.accrue.basis == "sell_in"}
    if not earned:
        return {}
    rows = desk.session.rows(
        "SELECT u.s, u.payee_no, sum(u.units), sum(coalesce(h.quantity, 0)) FROM sold_units u JOIN ids i ON i.no = u.earner_no "
        f"LEFT JOIN ({on_hand(day_number(desk.as_of) + 1)}) h ON h.holder = i.id AND h.product = u.product_id "
        "GROUP BY u.s, u.payee_no"
    )
    found: dict[Key, Fraction] = {}
    for s, payee, units, stock in rows:
        key, sold, held = (int(str(s)), int(str(payee))), Decimal(str(units)), Decimal(str(stock))
        if key in earned and sold and held > 0:
            found[key] = Fraction(held) * Fraction(earned[key]) / Fraction(sold)
    return found


def _lump_sum(desk: Desk, account: _Account) -> Fraction:
    """Give the part of the lump sum that has accrued for a payee of the governed inputs."""
    lump, spread = account.accrue.lump_sum, account.accrue.spread
    if lump is None or all(entry.earner != account.earner for entry in account.edition.terms.inputs):
        return Fraction(0)
    gone = days_gone(account.period, desk.as_of)
    if gone is None or spread == "start":
        return Fraction(lump)
    return Fraction(lump) * (gone if spread == "daily" else int(gone == 1))

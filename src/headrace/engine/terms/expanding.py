"""From a short document to a full one: the type's defaults, `sales` and `reward`, and windows of dates become keys."""

import re
from collections.abc import Mapping

from pydantic_core import PydanticCustomError

from headrace.engine.currencies import is_money
from headrace.engine.findings import Finding
from headrace.engine.terms.document import Data, Document, Faulty, at
from headrace.engine.terms.faults import hint
from headrace.engine.terms.messages import Path
from headrace.engine.terms.scalars import day_of
from headrace.engine.terms.templates import TEMPLATES, Template

_SALES = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([A-Z]{3}|units?)", re.ASCII)
_REWARD = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([A-Z]{3,12}|%)", re.ASCII)
_COLUMN = re.compile(r"[a-z_][a-z0-9_]{0,62}", re.ASCII)
BOUGHT_ON = "bought_on"


def expand(document: Document) -> tuple[Faulty, list[Finding]]:
    """Replace the document's data by the full ones; gives the paths that are faulty and the findings."""
    if not isinstance(document.data, dict):
        return Faulty(), []
    work = _Expansion(document, dict(document.data))
    work.type()
    work.sales_reward()
    work.windows()
    template = work.template
    for key, why in template.refused.items():
        if key not in {"windows"} and at(document.data, _path(key)) is not None:
            work.fault(_path(key), "key_not_for_type", key=key, type=template.type, why=why)
    for key, right in template.fixed.items():
        if at(document.data, _path(key)) not in (None, right):
            work.fault(_path(key), "key_fixed_by_type", key=key, type=template.type, right=right)
    for key, why in template.needed.items():
        if at(document.data, _path(key)) is None:
            work.fault(_path(key), "key_needed_by_type", key=key, type=template.type, why=why)
    presumed: Data = dict(template.defaults)
    for key, right in template.fixed.items():
        presumed = merged(presumed, _nested(_path(key), right))
    document.data = merged(presumed, work.data)
    return work.faulty, work.findings


def presumed_by(type_name: str) -> Data:
    """Give the keys that a type presumes or fixes, as a document would write them."""
    template = TEMPLATES.get(type_name, TEMPLATES["custom"])
    presumed: Data = dict(template.defaults)
    for key, right in template.fixed.items():
        presumed = merged(presumed, _nested(_path(key), right))
    return presumed


def merged(under: Data, over: Data) -> Data:
    """Lay one document over another: mappings meet key by key, everything else is replaced."""
    if isinstance(under, Mapping) and isinstance(over, Mapping):
        keys = [*over, *(key for key in under if key not in over)]
        return {key: merged(under.get(key), over[key]) if key in over else under[key] for key in keys}
    return over


class _Expansion:
    """One document on its way: its data so far, and what is wrong with them."""

    def __init__(self, document: Document, data: dict[str, Data]) -> None:
        self.document = document
        self.data = data
        self.template: Template = TEMPLATES["custom"]
        self.faulty = Faulty()
        self.findings: list[Finding] = []

    def fault(self, path: Path, code: str, **parameters: object) -> None:
        """Note one fault."""
        self.faulty.add(path)
        self.findings.append(self.document.finding(path, code, **parameters))

    def type(self) -> None:
        """Find the template."""
        if self.data.get("type") is None and ("sales" in self.data or "reward" in self.data):
            self.data["type"] = "sales_reward"
        given = self.data.get("type", "custom")
        if isinstance(given, str) and given in TEMPLATES:
            self.template = TEMPLATES[given]
        elif isinstance(given, str):
            allowed = ", ".join(TEMPLATES)
            self.fault(("type",), "type_unknown", given=given[:60], hint=hint(given, TEMPLATES), allowed=allowed)
            self.data["type"] = "custom"

    def sales_reward(self) -> None:
        """Turn X sales = Y reward into a package, or into one retroactive tier where the reward is a percentage."""
        sales, reward = self.data.pop("sales", None), self.data.pop("reward", None)
        if sales is None and reward is None:
            return
        if self.template.type != "sales_reward":
            for key, given in (("sales", sales), ("reward", reward)):
                if given is not None:
                    told = {"key": key, "type": self.template.type, "why": "it belongs to type sales_reward"}
                    self.fault((key,), "key_not_for_type", **told)
            return
        if self.data.get("schedule") is not None:
            self.fault(("schedule",), "sales_with_schedule")
            self._unpriced()
            return
        sold = _SALES.fullmatch(str(sales).strip())
        paid = _REWARD.fullmatch(str(reward).strip())
        if sold is None:
            self.fault(("sales",), "sales_format", given=_shown(sales))
        if paid is None:
            self.fault(("reward",), "reward_format", given=_shown(reward))
        if sold is None or paid is None:
            self._unpriced()
        else:
            self._pays(sold, paid)

    def _unpriced(self) -> None:
        """Set the keys aside that sales and reward would have given, so that they are not asked for."""
        self.faulty.add(("schedule",))
        self.faulty.add(("currency",))
        self.data.setdefault("currency", "USD")
        if self.data.get("schedule") is None:
            self.data["schedule"] = {"package": {"of": "1", "pays": "0"}}

    def _pays(self, sold: re.Match[str], paid: re.Match[str]) -> None:
        (much, unit), (pays, word) = sold.groups(), paid.groups()
        money = None if unit.startswith("unit") else unit
        currency = money if word == "%" else word
        written = self.data.get("currency")
        if written is not None and currency is not None and written != currency:
            self.fault(("currency",), "reward_currency", reward=paid.group(), currency=written)
        if currency is not None:
            self.data["currency"] = currency
            self.document.lines.setdefault(("currency",), self.document.line_of(("reward",)) or 1)
        if money and currency and is_money(currency) and currency != money:
            self.fault(("reward",), "sales_currency", sales=money, reward=currency)
        if currency and not is_money(currency):
            settle = self.data.get("settle")
            self.data["settle"] = merged({"as": "points"}, settle if settle is not None else {})
            if money:
                self.data.setdefault("money", money)
        if money is None:
            measure = self.data.get("measure")
            self.data["measure"] = merged({"of": "quantity"}, measure if measure is not None else {})
        if word == "%":
            tier: Data = {"from": much, "rate": f"{pays} %"}
            self.data["schedule"] = {"mode": "retroactive", "tiers": [tier]}
        else:
            self.data["schedule"] = {"package": {"of": much, "pays": pays}}
        line = self.document.line_of(("reward",)) or 1
        self.document.lines.setdefault(("schedule",), line)

    def windows(self) -> None:
        """Turn a resale window into `valid` and a buy window into a condition on the line's day of purchase."""
        windows = self.data.pop("windows", None)
        if windows is None:
            return
        if "windows" in self.template.refused:
            told = {"key": "windows", "type": self.template.type, "why": self.template.refused["windows"]}
            self.fault(("windows",), "key_not_for_type", **told)
            return
        if not isinstance(windows, dict):
            told = {"key": "windows", "found": _shown(windows), "allowed": "buy, resale"}
            self.fault(("windows",), "value_not_mapping", **told)
            return
        for key in windows:
            if key not in {"buy", "resale"}:
                known = {"key": key[:60], "part": "`windows`", "hint": hint(key, ["buy", "resale"])}
                self.fault(("windows", key), "key_unknown", **known)
        resale = windows.get("resale")
        if resale is not None:
            self._dates(("windows", "resale"), resale, ())
            if self.data.get("valid") is not None:
                self.fault(("windows", "resale"), "window_twice")
            elif isinstance(resale, dict):
                self.data["valid"] = resale
                self._point(("valid",), ("windows", "resale"))
        if windows.get("buy") is not None:
            self._buy(windows["buy"])

    def _buy(self, buy: Data) -> None:
        here: Path = ("windows", "buy")
        days = self._dates(here, buy, ("column",))
        column = buy.get("column", BOUGHT_ON) if isinstance(buy, dict) else BOUGHT_ON
        if not isinstance(column, str) or not _COLUMN.fullmatch(column):
            told = {
                "given": _shown(column),
                "key": "column",
                "hint": "",
                "allowed": "a column of the lines, like bought_on",
            }
            self.fault((*here, "column"), "value_not_word", **told)
            return
        parts = [f"line.{column} {sign} date '{day}'" for sign, day in days]
        lines = self.data.get("lines", self.template.defaults.get("lines"))
        if parts and (lines is None or isinstance(lines, str)):
            window = " and ".join(parts)
            self.data["lines"] = f"({lines}) and {window}" if lines else window
            self.document.lines.setdefault(("lines",), self.document.line_of(here) or 1)

    def _dates(self, path: Path, span: Data, further: tuple[str, ...]) -> list[tuple[str, str]]:
        """Read a window's dates, and note what else stands in it."""
        if not isinstance(span, dict):
            told = {"key": str(path[-1]), "found": _shown(span), "allowed": "from, until"}
            self.fault(path, "value_not_mapping", **told)
            return []
        for key in span:
            if key not in {"from", "until", *further}:
                known = {"key": key[:60], "part": f"`{'.'.join(map(str, path))}`"}
                self.fault((*path, key), "key_unknown", **known, hint=hint(key, ["from", "until", *further]))
        days = []
        for key, sign in (("from", ">="), ("until", "<")):
            if span.get(key) is not None and path[-1] == "buy":
                try:
                    days.append((sign, day_of(span[key]).isoformat()))
                except PydanticCustomError as error:
                    self.fault((*path, key), error.type, given=_shown(span[key]))
        if len(days) == 2 and days[0][1] >= days[1][1]:
            self.fault((*path, "until"), "dates_out_of_order", from_=days[0][1], until=days[1][1])
        return days

    def _point(self, path: Path, written: Path) -> None:
        """Let findings about a key that was made point at the one that was written."""
        lines = self.document.lines
        for known in [known for known in lines if known[: len(written)] == written]:
            lines.setdefault((*path, *known[len(written) :]), lines[known])


def _path(key: str) -> Path:
    return tuple(key.split("."))


def _nested(path: Path, value: Data) -> Data:
    for step in reversed(path):
        value = {str(step): value}
    return value


def _shown(value: Data) -> str:
    if isinstance(value, list | dict):
        return "a list or mapping"
    return "nothing" if value is None else str(value)[:60]

"""What the vendor decides about its sales data, by name: limits of one person's repairs, what to do with an excess."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation

from headrace.engine.findings import Refusal
from headrace.foundation import access, acts
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission
from headrace.sales.models import Setting


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that is decided. choices: the only values; without them it is a number, not below zero."""

    name: str
    label: str
    default: str
    choices: tuple[str, ...] = ()


RULES = (
    Rule("repair_amount_max", "A correction takes a second person if the amount changes by more than", "1000"),
    Rule("repair_quantity_max", "A correction takes a second person if the quantity changes by more than", "100"),
)
_BY_NAME = {rule.name: rule for rule in RULES}


def value(name: str) -> str:
    """Give what is decided."""
    row = Setting.objects.filter(name=name).first()
    return row.value if row else _BY_NAME[name].default


def number(name: str) -> Decimal:
    """Give a number that is decided."""
    return Decimal(value(name))


def decide(*, name: str, text: str, by: Person, at: datetime) -> None:
    """Decide a rule. For finance, whose control over repairs these are. Refused where the value is none."""
    access.require(by, VENDOR, Permission.FINALISE, at.date())
    rule = _BY_NAME.get(name)
    if rule is None:
        raise Refusal("rule_unknown", f"There is no rule {name!r}. Known are {', '.join(_BY_NAME)}.")
    if rule.choices and text not in rule.choices:
        raise Refusal("bad_value", f"{text!r} is none of {', '.join(rule.choices)}.")
    if not rule.choices:
        try:
            exact = Decimal(text)
        except InvalidOperation:
            exact = Decimal("nan")
        if not exact.is_finite() or exact < 0:
            raise Refusal("bad_value", f"{text!r} is no number from zero on. Write it like 1000.")
        text = f"{exact:f}"
    with acts.act("decide_rule", at=at):
        row = Setting.objects.filter(name=name).first() or Setting(name=name)
        row.value = text
        row.save()


def shown() -> tuple[tuple[Rule, str], ...]:
    """List the rules with what is decided."""
    decided = dict(Setting.objects.values_list("name", "value"))
    return tuple((rule, decided.get(rule.name, rule.default)) for rule in RULES)

"""The types of program: what each fixes, presumes, needs and does not know. Data; `expanding` applies it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files

from headrace.engine.terms.document import Data


@dataclass(frozen=True, slots=True)
class Template:
    """One type of program.

    title: what partners call it. about: one sentence on what it pays. defaults: keys as a document would write them, which
    hold where the document is silent. fixed: keys that cannot be written otherwise. needed, refused: keys with the reason.
    """

    type: str
    title: str
    about: str
    defaults: Mapping[str, Data] = field(default_factory=dict)
    fixed: Mapping[str, Data] = field(default_factory=dict)
    needed: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)


_NO_PRICE = "it belongs to a special_price"
_SPECIAL_KEYS = {"schedule.cost_basis": _NO_PRICE}
_NO_STOCK = {"schedule.price_change": "it belongs to a price_protection"}
_NO_GOODS = {"schedule.free_goods": "it belongs to a promotion"}
_NO_SHARED = {
    **_NO_STOCK,
    **_NO_GOODS,
    "schedule.package": "it belongs to type sales_reward, promotion or custom",
}
_NO_GROWTH = {"measure.growth": "it belongs to a growth_rebate"}
_NO_TARGET = {"measure.target": "it belongs to a target_rebate"}
_NO_WINDOWS = {"windows": "they belong to a promotion"}
_COMMON = {**_NO_WINDOWS}

_ALL = (
    Template(
        type="custom",
        title="Program",
        about="Anything that a document can say, with nothing presumed.",
        refused=_COMMON,
    ),
    Template(
        type="volume_rebate",
        title="Volume rebate",
        about="Pays a share of what was sold or bought, by how much it was in the period.",
        needed={"schedule.tiers": "the volume that reaches each rate"},
        refused={**_COMMON, **_NO_SHARED, **_NO_GROWTH, **_NO_TARGET, **_SPECIAL_KEYS},
    ),
    Template(
        type="growth_rebate",
        title="Growth rebate",
        about="Pays for selling more than in an earlier period.",
        defaults={"measure": {"growth": {"baseline": "previous_year", "as": "multiple"}}},
        needed={"schedule.tiers": "the growth that reaches each rate"},
        refused={**_COMMON, **_NO_SHARED, **_NO_TARGET, **_SPECIAL_KEYS},
    ),
    Template(
        type="target_rebate",
        title="Target rebate",
        about="Pays for reaching a target that was agreed with each partner.",
        defaults={"measure": {"target": {"as": "multiple"}}},
        needed={"schedule.tiers": "the part of the target that reaches each rate"},
        refused={**_COMMON, **_NO_SHARED, **_NO_GROWTH, **_SPECIAL_KEYS},
    ),
    Template(
        type="product_mix",
        title="Product mix rebate",
        about="Pays for selling many different products or families.",
        defaults={
            "measure": {"of": "distinct product.family"},
            "pays_on": "amount",
            "schedule": {"mode": "retroactive"},
        },
        needed={"schedule.tiers": "how many different ones reach each rate"},
        refused={**_COMMON, **_NO_SHARED, **_NO_GROWTH, **_NO_TARGET, **_SPECIAL_KEYS},
    ),
    Template(
        type="promotion",
        title="Promotion",
        about="Pays for chosen products while it lasts, product by product.",
        defaults={"measure": {"every": "program"}},
        refused={**_NO_STOCK, **_NO_GROWTH, **_NO_TARGET, **_SPECIAL_KEYS},
    ),
    Template(
        type="deal_registration",
        title="Deal registration rebate",
        about="Pays for sales of a deal that the partner registered and the vendor approved.",
        defaults={"lines": "deal.deal_id is not null", "measure": {"per": ["earner", "deal"], "every": "program"}},
        refused={**_COMMON, **_NO_SHARED, **_NO_GROWTH, **_NO_TARGET, **_SPECIAL_KEYS},
    ),
    Template(
        type="special_price",
        title="Special price",
        about="Credits the difference to an authorised price for units sold under it (ship and debit).",
        defaults={
            "lines": "line.authorization_id is not null",
            "measure": {"per": ["earner", "authorization"], "every": "program"},
        },
        fixed={"measure.of": "quantity"},
        needed={"schedule.tiers": "the special price, as down_to, down_by or margin_to"},
        refused={
            **_COMMON,
            **_NO_SHARED,
            **_NO_GROWTH,
            **_NO_TARGET,
            "pays_on": "it credits the difference of two prices for each unit",
            "schedule.table": "the special price stands in the tiers",
            "schedule.table_file": "the special price stands in the tiers",
            "schedule.boosts": "a difference of prices is not multiplied",
            "schedule.fixed": "it credits the difference of two prices for each unit",
        },
    ),
    Template(
        type="price_protection",
        title="Price protection",
        about="Credits the fall of a price for units that the partner has on hand.",
        fixed={"measure.of": "on_hand", "measure.every": "program"},
        needed={"schedule.price_change": "the day and the fall of the price"},
        refused={
            **_COMMON,
            **_NO_GROWTH,
            **_NO_TARGET,
            **_SPECIAL_KEYS,
            **_NO_GOODS,
            "pays_on": "it credits the fall of a price for each unit on hand",
            "schedule.tiers": "it pays the same for each unit on hand",
            "schedule.table": "write one document for each change of price",
            "schedule.table_file": "write one document for each change of price",
            "schedule.package": "it pays the same for each unit on hand",
            "schedule.boosts": "the fall of a price is not multiplied",
        },
    ),
    Template(
        type="coop_accrual",
        title="Co-op fund",
        about="Sets a share of purchases aside in the partner's marketing fund.",
        defaults={"stage": ["sell_in"], "earner": "buyer"},
        fixed={"settle.as": "fund"},
        refused={**_COMMON, **_NO_SHARED, **_NO_GROWTH, **_NO_TARGET, **_SPECIAL_KEYS},
    ),
    Template(
        type="spiff",
        title="SPIFF",
        about="Pays a sales rep for each unit sold.",
        defaults={
            "measure": {"of": "quantity", "every": "month"},
            "pays_on": "amount",
            "settle": {"as": "payment"},
        },
        fixed={"earner": "rep"},
        refused={**_COMMON, **_NO_STOCK, **_NO_GOODS, **_NO_GROWTH, **_SPECIAL_KEYS},
    ),
    Template(
        type="points",
        title="Points program",
        about="Gives points to be spent on rewards.",
        fixed={"settle.as": "points"},
        refused={**_COMMON, **_NO_STOCK, **_NO_GOODS, **_SPECIAL_KEYS},
    ),
    Template(
        type="sales_reward",
        title="Reward",
        about="Pays a reward for a stated amount of sales: X sales = Y reward.",
        refused={**_COMMON, **_NO_STOCK, **_NO_GOODS, **_NO_GROWTH, **_NO_TARGET, **_SPECIAL_KEYS},
    ),
)

TEMPLATES: Mapping[str, Template] = {template.type: template for template in _ALL}


def template(type: str) -> str:  # noqa: A002 - the word of the document
    """Give a commented YAML document of this type to start from; raises KeyError for a type that there is not."""
    name = TEMPLATES[type].type
    return files("headrace.engine.terms").joinpath("starters", f"{name}.yaml").read_text(encoding="utf-8")

"""Any terms that the model takes, whether or not they make sense together: walked from the model, so that no key is left out."""

from datetime import date
from decimal import Decimal
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeAliasType, Union, get_args, get_origin

from hypothesis import strategies as st
from pydantic import BeforeValidator

from headrace.engine.terms import TEMPLATES, Terms
from headrace.engine.terms.measuring import Part

# Text as people write it, and what YAML and JSON find hard: signs, quotes, line breaks, look-alikes of other types.
_HARD = [
    "no",
    "true",
    "null",
    "~",
    "012",
    "1:30",
    "1e3",
    "0.10",
    "2026-01-01",
    " a ",
    "a: b",
    "- a",
    "#a",
    "a\nb",
    "'\"",
    "\x85",
    "\0",
]
TEXT = st.one_of(st.sampled_from(_HARD), st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12))
_PATTERNS = {
    "amount|": st.sampled_from(["amount", "quantity", "count", "price_list.list", "distinct product.family"]),
    "earner|": st.sampled_from(["earner", "group", "line.region", "product.family", "deal"]),
    "cost|fifo": st.sampled_from(["cost", "fifo", "price_list.list"]),
    "[A-Z]{3}$": st.sampled_from(["USD", "EUR", "JPY"]),
    "[A-Z]{3,12}": st.sampled_from(["USD", "PTS", "KWD"]),
    "[a-z0-9][a-z0-9._-]": st.sampled_from(["a", "emea-q3", "0", "1e3", "no", "null", "2026.1"]),
}


def numbers(digits: int) -> st.SearchStrategy[Decimal]:
    """Decimals with six places and as many digits as the type keeps, all sizes alike."""
    most = 10**digits - 1
    return st.one_of(
        st.integers(-most, most).map(lambda units: Decimal(units).scaleb(-6)),
        st.integers(-999, 999).map(Decimal),
        st.sampled_from([Decimal("0.02"), Decimal("0.10"), Decimal("1E+2"), Decimal(0)]),
    )


def _value(annotation: Any, metadata: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    if isinstance(annotation, TypeAliasType):
        return _value(annotation.__value__, metadata)
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _value(inner[0], (*metadata, *inner[1:]))
    if origin in {Union, UnionType}:
        return st.one_of([st.none() if each is NoneType else _value(each, metadata) for each in inner])
    return _several(origin, inner) if origin is not None else _plain(annotation, metadata)


def _several(origin: Any, inner: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    if origin is Literal:
        return st.sampled_from(inner)
    if origin is tuple:
        return st.lists(_value(inner[0], ()), min_size=1, max_size=3).map(tuple)
    assert origin is dict, origin
    return st.dictionaries(st.sampled_from(["deal", "line.region", "no"]), TEXT, max_size=2)


def _plain(annotation: type, metadata: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    if issubclass(annotation, Part):
        return parts(annotation)
    told = {name: value for rule in _rules(metadata) for name, value in rule.items()}
    if annotation is Decimal:
        return numbers(told["max_digits"])
    simple: dict[type, st.SearchStrategy[Any]] = {
        bool: st.booleans(),
        int: st.integers(told.get("ge", -5), told.get("le", 10**6)),
        date: st.dates(date(1970, 1, 1), date(2999, 12, 31)),
        str: next((words for mark, words in _PATTERNS.items() if mark in told.get("pattern", "")), TEXT),
    }
    return simple[annotation]


def _rules(metadata: tuple[Any, ...]) -> list[dict[str, Any]]:
    rules = []
    for rule in metadata:
        if isinstance(rule, BeforeValidator):
            continue
        rules.append(getattr(rule, "__dict__", None) or {s: getattr(rule, s) for s in getattr(rule, "__slots__", ())})
        rules.extend(_rules(tuple(getattr(rule, "metadata", ()))))
    return rules


@st.composite
def parts(draw: st.DrawFn, part: type[Part]) -> Part:
    """Any value of a part: required keys always, of the others some."""
    fields = part.model_fields
    needed = {name for name, field in fields.items() if field.is_required()}
    optional = sorted(set(fields) - needed)
    chosen = needed | set(draw(st.lists(st.sampled_from(optional), unique=True, max_size=5)) if optional else ())
    values = {name: draw(_value(fields[name].annotation, tuple(fields[name].metadata))) for name in sorted(chosen)}
    return part.model_validate({name: value for name, value in values.items() if value is not None or name in needed})


@st.composite
def any_terms(draw: st.DrawFn) -> Terms:
    """Any terms of any type."""
    terms = draw(parts(Terms))
    assert isinstance(terms, Terms)
    return terms.model_copy(update={"type": draw(st.sampled_from(sorted(TEMPLATES)))})

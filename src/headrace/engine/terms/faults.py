"""What the model refuses about keys and values, said for the person who wrote them."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache, lru_cache

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from headrace.engine.findings import Finding
from headrace.engine.terms.document import Data, Document, at
from headrace.engine.terms.keys import keys, part_in, words_of
from headrace.engine.terms.measuring import Part
from headrace.engine.terms.messages import Path
from headrace.engine.terms.model import Terms

SHORTHAND = ("sales", "reward", "windows")
_SHOWN_MAX = 60
_WORDS_OF = {
    "of": "amount, gross, quantity, margin, cost, count, on_hand, price_list.<column> or distinct <table>.<column>",
    "minus": "amount, gross, quantity, margin, cost, count, on_hand, price_list.<column> or distinct <table>.<column>",
    "pays_on": "amount, gross, quantity, margin, cost, count, growth, price_list.<column> or distinct <table>.<column>",
    "per": "earner, group, product, family, customer, buyer, rep, deal, authorization, line, line.<column> or product.<column>",
    "cost_basis": "cost, fifo or price_list.<column>",
    "currency": "3 to 12 capital letters, like USD or PTS",
    "money": "a code of 3 capital letters, like USD",
    "program": "lower-case letters, digits, dot, dash and underscore, like emea-q3-volume",
    "group": "lower-case letters, digits, dot, dash and underscore, like volume",
    "type": "lower-case letters, digits, dot, dash and underscore, like volume_rebate",
}


def hint(given: str, known: Iterable[str]) -> str:
    """Suggest the nearest known word, or nothing."""
    near = get_close_matches(given.lower(), list(known), n=1, cutoff=0.6)
    return f" (did you mean `{near[0]}`?)" if near else ""


def faults(error: ValidationError, document: Document) -> list[Finding]:
    """Say every fault that the model found, each path once, in the order of the document's lines."""
    found: dict[Path, Finding] = {}
    for detail in error.errors(include_url=False):
        path = written_path(detail["loc"], document.data, missing=detail["type"] in {"missing", "extra_forbidden"})
        found.setdefault(path, _fault(detail, path, document))
    return sorted(found.values(), key=lambda finding: finding.row or 0)


def written_path(loc: Path, data: Data, *, missing: bool = False) -> Path:
    """Give the part of a model's location that stands in the document.

    The model counts a single value as a list of one; the document has no position there.
    """
    path: Path = ()
    for index, step in enumerate(loc):
        here = at(data, path)
        if isinstance(step, int) and not isinstance(here, list):
            continue
        if isinstance(step, str) and (not isinstance(here, Mapping) or (step not in here and not missing)):
            break
        path = (*path, step)
        if missing and index == len(loc) - 1:
            break
    return path


def part_at(path: Path) -> type[Part] | None:
    """Give the part of the model whose keys stand at this path."""
    part: type[Part] | None = Terms
    for step in path:
        if isinstance(step, int):
            continue
        if part is None:
            return None
        part = next((part_in(f.annotation) for name, f in part.model_fields.items() if step in {f.alias, name}), None)
    return part


def keys_of(part: type[Part]) -> dict[str, type[Part] | None]:
    """Give the keys of a part as they are written, each with the part that it holds."""
    return {field.alias or name: part_in(field.annotation) for name, field in part.model_fields.items()}


@cache
def _places() -> tuple[tuple[str, ...], ...]:
    """Give the path of every key, those near the top first."""
    return tuple(sorted((key.path for key in keys()), key=len))


@lru_cache(maxsize=1024)
def _suggestion(key: str, known: tuple[str, ...]) -> str:
    """Suggest where a key belongs: elsewhere under its own name, or here under a near one."""
    place = next((path for path in _places() if path[-1] == key), None)
    if place is not None:
        return f" (did you mean `{'.'.join(place)}`?)"
    return hint(key, known) or f"; its keys are {', '.join(known)}"


def _fault(detail: ErrorDetails, path: Path, document: Document) -> Finding:
    kind, given = detail["type"], detail["input"]
    key = next((str(step) for step in reversed(path) if isinstance(step, str)), "the document")
    if kind == "extra_forbidden":
        return _unknown_key(path, document)
    if kind == "missing":
        return document.finding(path, "key_missing", key=key, part=_name(path[:-1]), hint=_near_written(path, document))
    if given in (None, "") or kind == "string_too_short":
        return document.finding(path, "value_empty", key=key)
    context = {name: str(value) for name, value in detail.get("ctx", {}).items()}
    told = {"given": _shown(given), "found": _found(given), "key": key, "problem": detail["msg"]}
    code = kind if kind in _SAME_CODE else _CODES.get(kind, "value_invalid")
    return document.finding(path, code, **{**told, **_further(kind, str(given), key, path, context), **context})


# What the model calls a fault, and what we do.
_CODES = {
    "literal_error": "value_not_in_list",
    "string_pattern_mismatch": "value_not_word",
    "string_type": "value_not_text",
    "tuple_type": "value_not_list",
    "model_type": "value_not_mapping",
    "model_attributes_type": "value_not_mapping",
    "dict_type": "value_not_mapping",
    "too_short": "list_empty",
    "string_too_long": "value_too_long",
    "decimal_whole_digits": "number_digits",
    "decimal_max_digits": "number_digits",
    "decimal_max_places": "number_places",
    "greater_than_equal": "number_range",
    "less_than_equal": "number_range",
}


def _further(kind: str, given: str, key: str, path: Path, context: Mapping[str, str]) -> dict[str, object]:
    """Give what the sentence of a fault needs beside the value and the key."""
    further: dict[str, object] = {}
    match _CODES.get(kind):
        case "value_not_in_list":
            allowed = _literals(path)
            further = {"allowed": ", ".join(allowed), "hint": hint(given, allowed)}
        case "value_not_word":
            words = _WORDS_OF.get(key, "a word")
            near = "" if key in {"program", "group"} else hint(given, words.replace(" or ", ", ").split(", "))
            further = {"allowed": words, "hint": near}
        case "value_not_mapping":
            part = part_at(path)
            further = {"allowed": ", ".join(keys_of(part)) if part else "words with values"}
        case "value_too_long":
            further = {"most": context["max_length"]}
        case "number_digits":
            whole = context.get("whole_digits")
            further = {"most": whole if whole is not None else int(context["max_digits"]) - 6}
        case "number_places":
            further = {"most": context["decimal_places"]}
        case "number_range":
            least, most = _bounds(path)
            further = {"least": least, "most": most}
    return further


_SAME_CODE = frozenset(
    {
        "number_grouped",
        "number_comma",
        "number_percent",
        "not_a_number",
        "not_whole",
        "not_true_or_false",
        "date_format",
        "date_unknown",
    }
)


def _unknown_key(path: Path, document: Document) -> Finding:
    key = str(path[-1])
    part = part_at(path[:-1])
    known = [*(keys_of(part) if part else ()), *(SHORTHAND if len(path) == 1 else ())]
    above = at(document.data, path[:-1])
    if key.isdigit() and isinstance(above, Mapping) and above[key] is None:
        return document.finding(path, "number_split", key=key)
    return document.finding(
        path, "key_unknown", key=key[:_SHOWN_MAX], part=_name(path[:-1]), hint=_suggestion(key, tuple(known))
    )


def _near_written(path: Path, document: Document) -> str:
    part = part_at(path[:-1])
    beside = at(document.data, path[:-1])
    unknown = [key for key in beside if key not in keys_of(part)] if part and isinstance(beside, Mapping) else []
    near = get_close_matches(str(path[-1]), unknown, n=1, cutoff=0.6)
    return f" (is `{near[0]}` meant to be it?)" if near else ""


def _name(path: Path) -> str:
    words = [str(step) for step in path if isinstance(step, str)]
    return f"`{'.'.join(words)}`" if words else "a program document"


def _literals(path: Path) -> list[str]:
    part = part_at(path[:-1] if isinstance(path[-1], str) else path[:-2])
    key = next(step for step in reversed(path) if isinstance(step, str))
    if part is None:
        return []
    annotation = next(field.annotation for name, field in part.model_fields.items() if key in {field.alias, name})
    return words_of(annotation)


def _bounds(path: Path) -> tuple[int, str]:
    part = part_at(path[:-1])
    assert part is not None
    field = next(field for name, field in part.model_fields.items() if path[-1] in {field.alias, name})
    least = next((rule.ge for rule in field.metadata if hasattr(rule, "ge")), 0)
    most = next((str(rule.le) for rule in field.metadata if hasattr(rule, "le")), "as many as you like")
    return least, most


def _shown(given: object) -> str:
    text = str(given) if not isinstance(given, Mapping | list) else _found(given)
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}…"


def _found(given: object) -> str:
    if isinstance(given, Mapping):
        return "a mapping"
    if isinstance(given, list | tuple):
        return "a list"
    if given is None:
        return "nothing"
    return f"the value {_shown(given)}"

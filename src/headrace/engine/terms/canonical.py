"""Terms written back: as a short document, as plain data, and as a hash of what they say."""

import hashlib
import io
import json
import re
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

from pydantic_core import PydanticUndefined
from ruamel.yaml import YAML
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import SafeRepresenter

from headrace.engine.terms.checking import plain
from headrace.engine.terms.document import Data
from headrace.engine.terms.expanding import merged, presumed_by
from headrace.engine.terms.measuring import Part
from headrace.engine.terms.model import Terms

_UNORDERED = frozenset({"stage", "kinds", "per", "minus", "gate", "boosts", "inputs"})
_WIDTH = 130


def dump(*programs: Terms) -> str:
    """Write terms as a YAML text of one or several documents, leaving out what its type or the defaults say anyway.

    Reading the text gives equal terms.
    """
    stream = io.StringIO()
    _yaml().dump_all([document_of(terms) for terms in programs], stream)
    return stream.getvalue()


def dump_json(terms: Terms) -> str:
    """Write terms as a JSON text with numbers as exact numbers, as short as `dump` does."""
    return _json(document_of(terms), "") + "\n"


def terms_hash(terms: Terms) -> str:
    """Give the SHA-256 of what the terms say, in hexadecimal.

    Formatting, defaults that are written out, the order of words where order has no meaning, and trailing zeros change
    nothing. A key that is added to the document model later leaves the hash of documents without it as it is.
    """
    written = _written(terms, None, unordered=True)
    text = json.dumps(_texts(written), sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def document_of(terms: Terms) -> dict[str, Any]:
    """Give the short document as data: texts, decimals, whole numbers, dates, booleans, lists and mappings."""
    written = _written(terms, _presumed(terms.type))
    written.setdefault("schedule", {})
    if len(terms.stage) > 1:
        # Several stages have to say whether transfers inside a group count.
        written["internal"] = terms.internal
    order = [field.alias or name for name, field in Terms.model_fields.items()]
    return {key: written[key] for key in order if key in written}


@lru_cache(maxsize=64)
def _presumed(type_name: str) -> Terms:
    """Give what a document of this type says by its silence; the keys that every document writes are blank."""
    blank: Data = {"program": "x", "currency": "XXX", "schedule": {}, "type": type_name}
    silent = Terms.model_validate(merged(presumed_by(type_name), blank))
    return silent.model_copy(update={"program": "", "currency": "", "type": "custom", "version": 1})


def _written(part: Part, base: Part | None, *, unordered: bool = False) -> dict[str, Any]:
    """Give the keys of a part that differ from the base, or from the model's defaults where there is none."""
    written: dict[str, Any] = {}
    for name, field in type(part).model_fields.items():
        value = getattr(part, name)
        before = getattr(base, name) if base is not None else field.get_default(call_default_factory=True)
        if before is not PydanticUndefined and (value == before or (unordered and _equal_words(name, value, before))):
            continue
        key = field.alias or name
        if isinstance(value, Part):
            inner = before if isinstance(before, type(value)) else None
            written[key] = _written(value, inner, unordered=unordered)
        elif isinstance(value, tuple):
            written[key] = _listed(value, unordered=unordered and name in _UNORDERED)
        else:
            written[key] = dict(value) if isinstance(value, dict) else value
    return written


def _equal_words(name: str, value: Any, before: Any) -> bool:
    return name in _UNORDERED and isinstance(before, tuple) and set(map(str, value)) == set(map(str, before))


def _listed(values: Iterable[Any], *, unordered: bool) -> Any:
    items = [_written(item, None, unordered=unordered) if isinstance(item, Part) else item for item in values]
    if unordered:
        return sorted(items, key=lambda item: json.dumps(_texts(item), sort_keys=True))
    return items[0] if len(items) == 1 and isinstance(items[0], str) else items


def _texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _texts(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_texts(inner) for inner in value]
    if isinstance(value, Decimal):
        return plain(value)
    return value.isoformat() if isinstance(value, date) else value


def _json(value: Any, indent: str) -> str:
    """Write a value as JSON; the library's own writer has no exact decimals."""
    deeper = indent + "  "
    if isinstance(value, dict):
        entries = [f"{json.dumps(key, ensure_ascii=False)}: {_json(inner, deeper)}" for key, inner in value.items()]
        return _bracketed("{", entries, "}", indent)
    if isinstance(value, list):
        return _bracketed("[", [_json(inner, deeper) for inner in value], "]", indent)
    if isinstance(value, Decimal):
        return plain(value)
    return json.dumps(value.isoformat() if isinstance(value, date) else value, ensure_ascii=False)


def _bracketed(left: str, entries: list[str], right: str, indent: str) -> str:
    if not entries:
        return left + right
    inside = f",\n{indent}  ".join(entries)
    return f"{left}\n{indent}  {inside}\n{indent}{right}"


# Plain words that readers of YAML 1.1 take for booleans, numbers in base 60 or 8, or numbers with groups.
_LOOK_ALIKE = re.compile(
    r"(?i)y|n|yes|no|on|off|true|false|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9]*)?|0[0-9_]+|[-+]?[0-9][0-9_]*"
)
_WRITTEN_PLAIN = re.compile(r"[ -~\u00a1-\ud7ff]*")


class _Representer(SafeRepresenter):
    """Writes decimals as plain numbers and short mappings on one line, and quotes what another reader may take otherwise."""

    def represent_text(self, value: str) -> ScalarNode:
        style = None if _WRITTEN_PLAIN.fullmatch(value) else '"'
        if _LOOK_ALIKE.fullmatch(value):
            style = "'"
        return self.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    def represent_decimal(self, value: Decimal) -> ScalarNode:
        text = plain(value)
        kind = "float" if "." in text else "int"
        return self.represent_scalar(f"tag:yaml.org,2002:{kind}", text)

    def represent_short(self, value: dict[str, Any]) -> Any:
        leaves = all(not isinstance(inner, dict | list) for inner in value.values())
        length = sum(len(key) + len(str(inner)) + 4 for key, inner in value.items())
        return self.represent_mapping("tag:yaml.org,2002:map", value, flow_style=leaves and length < _WIDTH - 20)

    def represent_words(self, value: list[Any]) -> Any:
        return self.represent_sequence(
            "tag:yaml.org,2002:seq", value, flow_style=all(not isinstance(inner, dict | list) for inner in value)
        )


_Representer.add_representer(str, _Representer.represent_text)
_Representer.add_representer(Decimal, _Representer.represent_decimal)
_Representer.add_representer(dict, _Representer.represent_short)
_Representer.add_representer(list, _Representer.represent_words)


def _yaml() -> YAML:
    yaml = YAML(typ="safe", pure=True)
    yaml.Representer = _Representer
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # keys in the order of the model
    yaml.width = 10_000  # a long text stays on its line
    yaml.allow_unicode = True
    return yaml

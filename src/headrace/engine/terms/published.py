"""What is published of the document model: the JSON Schema for editors, and the reference of all keys as Markdown."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from headrace.engine.terms.keys import Key, keys, words_of
from headrace.engine.terms.measuring import Part
from headrace.engine.terms.model import Terms
from headrace.engine.terms.templates import TEMPLATES, template

_SALES = {
    "type": "string",
    "pattern": r"^[0-9]+(\.[0-9]+)? ?([A-Z]{3}|units?)$",
    "description": "Type sales_reward: the sales for which the reward is paid, like `10000 USD` or `10 units`.",
}
_REWARD = {
    "type": "string",
    "pattern": r"^[0-9]+(\.[0-9]+)? ?([A-Z]{3,12}|%)$",
    "description": "Type sales_reward: what is paid for every full `sales`, like `500 USD` or `200 PTS`; or, like `5 %`, the "
    "share of everything once they are reached.",
}


def program_schema() -> dict[str, Any]:
    """Give the JSON Schema of a program document, as editors read it."""
    schema = Terms.model_json_schema(by_alias=True, mode="validation")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Headrace program document"
    schema["properties"] |= {"sales": _SALES, "reward": _REWARD, "windows": _windows()}
    schema["properties"]["type"] = {
        "description": schema["properties"]["type"]["description"],
        "enum": list(TEMPLATES),
        "default": "custom",
    }
    # The three-key form brings currency and schedule itself.
    schema["required"] = ["program"]
    schema["anyOf"] = [{"required": ["sales", "reward"]}, {"required": ["currency", "schedule"]}]
    tidy: dict[str, Any] = _tidy(schema)
    return tidy


def schema_text() -> str:
    """Give the text of `schemas/program.schema.json`."""
    return json.dumps(program_schema(), ensure_ascii=False, indent=2) + "\n"


def _windows() -> dict[str, Any]:
    day = {"type": "string", "format": "date"}
    span = {"from": day, "until": day}
    return {
        "type": "object",
        "description": "Type promotion: when the unit was bought (needs the day on the line) and when it was sold (`valid`).",
        "additionalProperties": False,
        "properties": {
            "buy": {
                "type": "object",
                "additionalProperties": False,
                "properties": {**span, "column": {"type": "string", "default": "bought_on"}},
            },
            "resale": {"type": "object", "additionalProperties": False, "properties": span},
        },
    }


def _tidy(node: Any) -> Any:
    """Join wrapped descriptions, leave generated titles out and write decimals' defaults as numbers."""
    if isinstance(node, dict):
        tidy = {key: _tidy(value) for key, value in node.items() if key != "title" or not isinstance(value, str)}
        if isinstance(tidy.get("description"), str):
            tidy["description"] = " ".join(tidy["description"].split())
        return tidy
    return [_tidy(each) for each in node] if isinstance(node, list) else node


GENERATED = "<!-- From here on generated from the model: python -m headrace.engine.terms -->"


def publish(root: Path) -> None:
    """Write the schema, and the generated part of the reference after its marker, into a checkout of the project."""
    (root / "schemas").mkdir(exist_ok=True)
    (root / "schemas" / "program.schema.json").write_text(schema_text(), encoding="utf-8")
    page = root / "docs" / "terms.md"
    written = page.read_text(encoding="utf-8").partition(GENERATED)[0]
    page.write_text(f"{written}{GENERATED}\n\n{reference()}", encoding="utf-8")


def reference() -> str:
    """Give the reference of all keys and types, the generated part of `docs/terms.md`."""
    return "\n".join([*_keys_reference(), *_types_reference()]) + "\n"


def _keys_reference() -> Iterator[str]:
    yield "## Keys"
    yield ""
    yield from _table_of("The document", Terms, ())
    told: set[tuple[str, ...]] = set()
    for key in keys():
        if key.part is not None and key.path not in told:
            told.add(key.path)
            if key.path[:2] != ("schedule", "changes") or len(key.path) == 2:
                yield from _table_of(f"`{'.'.join(key.path)}`", key.part, key.path)


def _table_of(title: str, part: type[Part], path: tuple[str, ...]) -> Iterator[str]:
    yield f"### {title}"
    yield ""
    about = " ".join((part.__doc__ or "").split())
    yield about
    yield ""
    yield "| key | value | default | meaning |"
    yield "|---|---|---|---|"
    for key in keys():
        if key.path[:-1] == path:
            yield f"| `{key.path[-1]}` | {_value(key)} | {_default(key)} | {_meaning(key)} |"
    yield ""


def _meaning(key: Key) -> str:
    return " ".join((key.field.description or "").split()).replace("|", "\\|")


def _value(key: Key) -> str:
    """Say what a key takes, in words."""
    many = "list of " if key.many else ""
    if key.part is not None:
        return f"{many}keys"
    if words := words_of(key.field.annotation):
        return many + " \\| ".join(f"`{word}`" for word in words)
    text = str(key.field.annotation) + str(key.field.metadata)
    kinds = (
        ("rate_of", "rate"),
        ("day_of", "date"),
        ("flag_of", "true \\| false"),
        ("whole_of", "whole number"),
        ("decimal_of", "number"),
        ("max_length=20000", "rule"),
        ("dict[", "words with values"),
    )
    return many + next((words for mark, words in kinds if mark in text), "word" if "pattern" in text else "text")


def _default(key: Key) -> str:
    if key.field.is_required():
        return "required"
    value = key.field.get_default(call_default_factory=True)
    if value is None or value in ((), "", {}) or isinstance(value, Part):
        return ""
    if isinstance(value, tuple):
        return ", ".join(f"`{word}`" for word in value)
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _types_reference() -> Iterator[str]:
    yield "## Types"
    yield ""
    yield "What a type presumes holds where the document is silent; what it fixes or refuses cannot be written otherwise."
    yield ""
    for each in TEMPLATES.values():
        yield f"### `{each.type}`: {each.title}"
        yield ""
        yield each.about
        yield ""
        for title, entries in (("presumes", _flat(each.defaults)), ("fixes", dict(each.fixed))):
            if entries:
                yield f"- {title}: " + ", ".join(f"`{key}: {_plain(value)}`" for key, value in entries.items())
        if each.needed:
            yield "- needs: " + "; ".join(f"`{key}`, {why}" for key, why in each.needed.items())
        if each.refused:
            yield "- refuses: " + ", ".join(f"`{key}`" for key in each.refused)
        yield ""
        yield "```yaml"
        yield template(each.type).rstrip("\n")
        yield "```"
        yield ""


def _flat(data: Any, above: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{above}{key}.")
        else:
            flat[above + key] = value
    return flat


def _plain(value: Any) -> str:
    return f"[{', '.join(value)}]" if isinstance(value, list) else str(value)

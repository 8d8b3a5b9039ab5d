"""Read what a user states about the types of columns: a mapping, `name:type,…`, or a JSON or YAML document."""

from collections.abc import Mapping
from typing import Literal, get_args

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from headrace.engine.findings import Refusal

type ColumnType = Literal["text", "decimal", "date", "boolean"]
COLUMN_TYPES: tuple[str, ...] = get_args(ColumnType.__value__)
_MANY_CHARACTERS = 100_000


def parse_schema(stated: str | Mapping[str, str] | None) -> dict[str, str]:
    """Give the stated type of each column.

    >>> parse_schema("region:text, seats:decimal")
    {'region': 'text', 'seats': 'decimal'}
    """
    if stated is None:
        return {}
    mapping = _parse_text(stated) if isinstance(stated, str) else dict(stated)
    for name, kind in mapping.items():
        if kind not in COLUMN_TYPES:
            raise Refusal(
                "unknown_type",
                f"The schema gives column {name!r} the type {kind!r}. Write one of: {', '.join(COLUMN_TYPES)}.",
            )
    return mapping


def _parse_text(stated: str) -> dict[str, str]:
    text = stated.strip()
    if "\n" not in text and not text.startswith("{"):
        pairs = [part.partition(":") for part in text.split(",") if part.strip()]
        return {name.strip(): kind.strip() for name, _, kind in pairs}
    if len(text) > _MANY_CHARACTERS or "&" in text or "*" in text:
        raise Refusal("bad_schema", "The schema is too long or uses YAML anchors. Write one `name: type` a line.")
    try:
        document = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise Refusal("bad_schema", f"The schema is no valid JSON or YAML: {error}") from error
    if not isinstance(document, dict) or not all(isinstance(v, str) for v in document.values()):
        raise Refusal("bad_schema", "The schema must be a mapping from column name to text, decimal, date or boolean.")
    return {str(name): str(kind) for name, kind in document.items()}

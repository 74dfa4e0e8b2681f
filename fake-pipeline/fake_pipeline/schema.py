"""Stream schemas: the files given to Cloudflare, read as the fake pipeline's own rules.

schemas = load_schemas(Path("schemas"))
schemas["events"].fields[0]   # Field(name='uuid', type='string', required=True)
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

# Cloudflare's column types that Hogflare's streams use, and what DuckDB calls them.
SQL_TYPES = {
    "string": "VARCHAR",
    "int64": "BIGINT",
    "bool": "BOOLEAN",
    "timestamp": "TIMESTAMP",
    "json": "JSON",
}

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")


class SchemaError(ValueError):
    """A schema file cannot be used; the message names the file and the field."""


@dataclass(frozen=True)
class Field:
    name: str
    type: str
    required: bool

    @property
    def sql_type(self) -> str:
        return SQL_TYPES[self.type]


@dataclass(frozen=True)
class Schema:
    stream: str
    fields: tuple[Field, ...]


def load_schemas(folder: Path) -> dict[str, Schema]:
    """Reads every `NAME.json` of the folder as the schema of the stream NAME."""
    schemas = {path.stem: _load(path) for path in sorted(folder.glob("*.json"))}
    if "events" not in schemas:
        raise SchemaError(f"{folder}: holds no events.json, the schema of the stream at /")
    return schemas


def _load(path: Path) -> Schema:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        fields = tuple(Field(f["name"], f["type"], bool(f["required"])) for f in document["fields"])
    except (ValueError, KeyError, TypeError) as error:
        raise SchemaError(f'{path}: expected {{"fields":[{{"name","type","required"}}]}}, got {error!r}') from error
    if not _NAME.match(path.stem):
        raise SchemaError(f"{path}: the file's name must be letters, digits and underscores")
    seen: set[str] = set()
    for field in fields:
        if not _NAME.match(field.name) or field.name in seen:
            raise SchemaError(f"{path}: field {field.name!r} is no usable or no unique name")
        if field.type not in SQL_TYPES:
            known = ", ".join(SQL_TYPES)
            raise SchemaError(f"{path}: field {field.name!r} has type {field.type!r}, not {known}")
        seen.add(field.name)
    return Schema(path.stem, fields)

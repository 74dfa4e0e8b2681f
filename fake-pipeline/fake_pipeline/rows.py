"""Takes a request body apart into rows and checks each against its stream's schema.

The text of every value is kept as it came: a number such as 12345678901234567890 or 1.10 must
come out of the pipeline as it went in, so nothing here goes through a Python float.

    rows, bad = check_body(b'[{"uuid":"u", ...}]', schemas["events"])
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from json.decoder import scanstring

from .schema import Field, Schema

# One request may carry 5 MB (Basin Pipelines limits page); counted in decimal, the careful reading.
BODY_BYTES_MAX = 5_000_000
# A larger row fails its whole batch (measured by practitioners; the documentation is silent).
ROW_BYTES_MAX = 1_000_000

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1


class BodyRefused(Exception):
    """The whole request is refused: an HTTP status and a sentence."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True)
class Row:
    """A row that fits: its text, only the schema's fields, and the values of the columns."""

    text: str
    values: tuple


@dataclass(frozen=True)
class BadRow:
    """A row that never arrives. `reason` is one of the real sink's four error types."""

    reason: str  # missing_field | null_value | type_mismatch | parse_failure
    field: str | None
    detail: str
    text: str


class _Mismatch(Exception):
    def __init__(self, reason: str, detail: str):
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def _refuse_constant(name: str):
    raise ValueError(f"{name} is not JSON")


# Numbers stay text: their value is never needed, and a float would lose digits.
_scan_value = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_refuse_constant).scan_once

_space = re.compile(r"[ \t\n\r]*").match
_surrogate = re.compile(r"\\u[dD][89a-fA-F]").search
_integer = re.compile(r"-?[0-9]{1,19}\Z").match
_number_start = frozenset("-0123456789")
_rfc3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})\Z"
).match
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def check_body(body: bytes, schema: Schema) -> tuple[list[Row], list[BadRow]]:
    """Splits a body into rows that arrive and rows that silently do not.

    Raises BodyRefused (400, 413) where the real sink refuses the request as a whole.
    """
    if len(body) > BODY_BYTES_MAX:
        raise BodyRefused(413, f"the body has {len(body)} bytes, at most {BODY_BYTES_MAX} are accepted")
    try:
        elements = _split(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BodyRefused(400, f"the body is not UTF-8: {error}") from error
    except (ValueError, StopIteration, IndexError) as error:
        raise BodyRefused(400, f"the body is not JSON: {error!r}") from error
    except RecursionError as error:
        raise BodyRefused(400, "the body is nested too deeply to be read") from error

    rows: list[Row] = []
    bad: list[BadRow] = []
    for text, fields in elements:
        size = len(text) if text.isascii() else len(text.encode("utf-8"))
        if size > ROW_BYTES_MAX:
            raise BodyRefused(413, f"a row has {size} bytes, at most {ROW_BYTES_MAX} are accepted; batch refused")
        checked = _check_row(text, fields, schema)
        (rows if isinstance(checked, Row) else bad).append(checked)
    return rows, bad


def _split(text: str) -> list[tuple[str, dict | None]]:
    """The elements of the outer array: each one's text, and for objects its fields."""
    at = _space(text, 0).end()
    if text[at : at + 1] != "[":
        raise BodyRefused(400, "the body must be a JSON array of objects")
    at = _space(text, at + 1).end()
    elements: list[tuple[str, dict | None]] = []
    if text[at] == "]":
        at += 1
    else:
        while True:
            if text[at] == "{":
                fields, end = _scan_object(text, at)
            else:
                fields, end = None, _scan_value(text, at)[1]
            elements.append((text[at:end], fields))
            at = _space(text, end).end()
            if text[at] == "]":
                at += 1
                break
            if text[at] != ",":
                raise ValueError(f"expected ',' or ']' at character {at}")
            at = _space(text, at + 1).end()
    if _space(text, at).end() != len(text):
        raise ValueError(f"unexpected text after the array at character {at}")
    return elements


def _scan_object(text: str, at: int) -> tuple[dict[str, tuple[str, object]], int]:
    """The fields of the object at `at` as name -> (text, value), and where the object ends."""
    fields: dict[str, tuple[str, object]] = {}
    at = _space(text, at + 1).end()
    if text[at] == "}":
        return fields, at + 1
    while True:
        if text[at] != '"':
            raise ValueError(f"expected a field's name at character {at}")
        name, at = scanstring(text, at + 1, True)
        if text[at] != ":":
            at = _space(text, at).end()
            if text[at] != ":":
                raise ValueError(f"expected ':' at character {at}")
        at = _space(text, at + 1).end()
        value, end = _scan_value(text, at)
        fields[name] = (text[at:end], value)
        at = end if text[end] in ",}" else _space(text, end).end()
        if text[at] == "}":
            return fields, at + 1
        if text[at] != ",":
            raise ValueError(f"expected ',' or '}}' at character {at}")
        at = _space(text, at + 1).end()


def _check_row(text: str, fields: dict | None, schema: Schema) -> Row | BadRow:
    if fields is None:
        return BadRow("parse_failure", None, "a row must be an object", text)
    if _surrogate(text) and _has_lone_surrogate(text):
        return BadRow("parse_failure", None, "a string holds half a surrogate pair", text)
    values = []
    parts = []
    for field in schema.fields:
        found = fields.get(field.name)
        if found is None or found[0] == "null":
            if field.required:
                reason = "missing_field" if found is None else "null_value"
                state = "missing" if found is None else "null"
                detail = f"the required field {field.name} is {state}"
                return BadRow(reason, field.name, detail, text)
            values.append(None)
            parts.append(f'"{field.name}":null')
            continue
        try:
            value, kept = _convert(field, *found)
        except _Mismatch as error:
            return BadRow(error.reason, field.name, error.detail, text)
        values.append(value)
        parts.append(f'"{field.name}":{kept}')
    return Row("{" + ",".join(parts) + "}", tuple(values))


def _has_lone_surrogate(text: str) -> bool:
    try:
        json.dumps(_scan_value(text, 0)[0], ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _convert(field: Field, text: str, value: object) -> tuple[object, str]:
    """A field's column value and the text to answer with; raises _Mismatch."""
    kind = field.type
    if kind == "json":
        return text, text
    if kind == "string":
        if text[0] == '"':
            return value, text
    elif kind == "timestamp":
        return _convert_timestamp(field, text, value)
    elif kind == "int64":
        # Whole numbers, or strings of them: JavaScript senders write large ones as strings.
        if (text[0] == '"' or text[0] in _number_start) and _integer(value):
            number = int(value)
            if INT64_MIN <= number <= INT64_MAX:
                return number, str(number)
    elif kind == "bool":
        if value is True or value is False:
            return value, text
    raise _Mismatch("type_mismatch", f"the field {field.name} must be {kind}, got {text[:80]}")


def _convert_timestamp(field: Field, text: str, value: object) -> tuple[int, str]:
    """Microseconds since 1970: from an RFC 3339 string, or from a number of milliseconds."""
    if text[0] == '"' and _rfc3339(value):
        try:
            moment = datetime.fromisoformat(value.upper()) - _EPOCH
        except ValueError as error:
            detail = f"the field {field.name} is no moment of the calendar: {text[:80]} ({error})"
            raise _Mismatch("type_mismatch", detail) from error
        micros = (moment.days * 86_400 + moment.seconds) * 1_000_000 + moment.microseconds
        return micros, text
    if text[0] in _number_start and _integer(value) and abs(int(value)) < 10**14:
        return int(value) * 1000, text
    raise _Mismatch(
        "type_mismatch",
        f"the field {field.name} must be an RFC 3339 string or milliseconds, got {text[:80]}",
    )
